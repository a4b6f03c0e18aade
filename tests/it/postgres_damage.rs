//! What the store in PostgreSQL does about records that nobody can read: they are in nobody's way.

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::error::StoreError;
use anteroom::core::ports::requests::{Claim, Purged, Retention, Submission};
use anteroom::core::request::{Request, Status};

use crate::postgres_server::{Server, place};
use crate::store_contract::webhooks::listen;
use crate::stores::{Opened, START, by, keyed, new, owner, request, worked_on, worker};

/// It keeps no other from being leased, settled, purged or submitted.
#[tokio::test]
async fn a_damaged_request_is_in_nobodys_way() {
    let server = Server::shared();
    let on = Opened::at(place());
    let job = |number| {
        let deadline = (number < 3).then(|| START.plus_millis(60_000));
        worked_on(2, Request { deadline, ..request(&owner("anna"), START, number) })
    };
    for number in 0..4 {
        on.submit(keyed(job(number), &format!("key-{number}"), 1)).await;
    }
    let damage = |number| {
        let edit = format!("SET doc = left(doc, 9) WHERE id = '{}'", job(number).id);
        server.sql(&on.url, &format!("UPDATE work {edit}; UPDATE requests {edit}"));
    };
    let claim = || Claim {
        kinds: vec![("default".into(), Duration::from_mins(5))],
        most: 1,
        lease: Duration::from_mins(1),
        worker: worker("wendy"),
        by: by("wendy"),
    };
    let requests = on.requests();
    damage(0);
    let mut leased = Vec::new();
    for _ in 0..2 {
        leased.extend(requests.claim(claim()).await.unwrap().leased.into_iter().map(|(request, _)| request.id));
    }
    assert_eq!(leased, [job(1).id]);
    damage(2);
    on.clock.advance(Duration::from_mins(2));
    let settled = requests.settle(10).await.unwrap();
    assert_eq!((settled.0.iter().map(|request| request.id).collect::<Vec<_>>(), settled.1), (vec![job(1).id], None));
    // Its key names it, and those who submit at the same time get what is theirs.
    let (damaged, other) =
        tokio::join!(requests.submit(keyed(job(7), "key-0", 1)), requests.submit(keyed(job(8), "key-8", 1)),);
    assert!(matches!(&damaged, Err(StoreError::Damaged(of)) if *of == job(0).id.to_string()), "{damaged:?}");
    assert_eq!(other.unwrap(), Submission::Accepted(Arc::new(job(8))));
    // Whatever else of theirs can be read is not kept for ever.
    damage(1);
    on.clock.advance(Duration::from_hours(48));
    let day = Duration::from_hours(24);
    let kept = Retention { request: day * 30, payload: day, most_requests: None, most_bytes: None };
    let purged = requests.purge(kept, 10).await.unwrap();
    assert_eq!(purged, Purged { requests: 0, payloads: 1, more: false });
    assert_eq!(requests.purge(kept, 10).await.unwrap(), Purged::default());
    on.store.close().await;
}

#[tokio::test]
async fn what_is_damaged_keeps_no_webhook_waiting() {
    let server = Server::shared();
    let on = Opened::at(place());
    let endpoint = listen(&on, "anna", 1, &[Status::Queued]).await;
    for number in 0..3 {
        on.submit(new(request(&owner("anna"), START, number))).await;
    }
    let damaged = request(&owner("anna"), START, 1).id;
    server.sql(&on.url, &format!("UPDATE requests SET doc = left(doc, 9) WHERE id = '{damaged}'"));
    let webhooks = on.store.webhooks();
    webhooks.follow(10).await.unwrap();
    assert_eq!(webhooks.deliveries(endpoint, None, 10).await.unwrap().len(), 2);
    assert!(webhooks.outlook().await.unwrap().next_stage_at.is_some_and(|at| at > START), "it is followed no more");
}
