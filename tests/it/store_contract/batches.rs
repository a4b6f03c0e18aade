//! What every store promises about batches: one commit, and an outcome for each.

use std::sync::Arc;

use anteroom::core::error::StoreError;
use anteroom::core::ports::requests::{NewRequest, Submission};
use anteroom::core::request::{Event, EventKind, Request, Status, Version};

use super::job;
use crate::stores::{Opened, START, by, keyed, new, owner, request};

fn accepted(request: &Request) -> Submission {
    Submission::Accepted(Arc::new(request.clone()))
}

pub(super) async fn a_batch_has_an_outcome_for_each(on: Opened) {
    let (anna, bob) = (owner("anna"), owner("bob"));
    let first = request(&anna, START, 1);
    on.submit(keyed(first.clone(), "k", 1)).await;
    let (second, third) = (job(&anna, 2), request(&bob, START, 3));
    let batch = vec![
        keyed(second.clone(), "l", 1),
        keyed(request(&anna, START, 4), "k", 2),
        keyed(request(&anna, START, 5), "k", 1),
        keyed(third.clone(), "k", 2),
    ];
    let outcomes = on.requests().submit_all(batch).await.unwrap();
    let replayed = Submission::Replayed(Arc::new(first.clone()));
    assert_eq!(outcomes, [accepted(&second), Submission::KeyReused, replayed, accepted(&third)]);
    assert_eq!(on.all(&anna).await, [Arc::new(second), Arc::new(first)]);
    assert_eq!(on.all(&bob).await, [Arc::new(third)]);
}

pub(super) async fn a_batch_replays_what_it_holds_itself(on: Opened) {
    let anna = owner("anna");
    let aliased = |number| Request { alias: Some("QR-0001".into()), ..request(&anna, START, number) };
    let (first, named) = (request(&anna, START, 1), aliased(4));
    let batch = vec![
        keyed(first.clone(), "k", 1),
        keyed(request(&anna, START, 2), "k", 1),
        keyed(request(&anna, START, 3), "k", 2),
        new(named.clone()),
        new(aliased(5)),
    ];
    let outcomes = on.requests().submit_all(batch).await.unwrap();
    let replayed = |request: &Request| Submission::Replayed(Arc::new(request.clone()));
    let expected = [accepted(&first), replayed(&first), Submission::KeyReused, accepted(&named), replayed(&named)];
    assert_eq!(outcomes, expected);
    assert_eq!(on.all(&anna).await, [Arc::new(named), Arc::new(first)]);
}

pub(super) async fn a_batch_with_an_id_that_is_taken_changes_nothing(on: Opened) {
    let (anna, bob) = (owner("anna"), owner("bob"));
    let first = request(&anna, START, 1);
    on.submit(new(first.clone())).await;
    let taken = [request(&bob, START, 1), request(&bob, START, 2)];
    for wrong in taken {
        let batch = vec![keyed(request(&bob, START, 2), "k", 1), new(wrong), new(request(&bob, START, 3))];
        let outcome = on.requests().submit_all(batch).await;
        assert!(matches!(outcome, Err(StoreError::Failed(_))), "{outcome:?}");
        assert_eq!(on.all(&bob).await, []);
    }
    assert_eq!(on.all(&anna).await, [Arc::new(first)]);
    let later = request(&bob, START, 2);
    assert_eq!(on.submit(keyed(later.clone(), "k", 9)).await, accepted(&later));
}

pub(super) async fn an_empty_batch_is_nothing(on: Opened) {
    assert_eq!(on.requests().submit_all(vec![]).await.unwrap(), []);
    assert_eq!(on.requests().act_all(vec![]).await.unwrap(), []);
    assert_eq!(on.all(&owner("anna")).await, []);
}

pub(super) async fn a_payload_is_kept_as_it_came(on: Opened) {
    let anna = owner("anna");
    let payload = "{\"n\": 1.50, \"ü\": \"\\u0000😀\",\n \"n2\":[ ]}";
    for request in [request(&anna, START, 1), job(&anna, 2)] {
        let sent = NewRequest { payload: payload.into(), by: by("anna"), ..new(request.clone()) };
        on.submit(sent).await;
        assert_eq!(on.requests().payload(request.id).await.unwrap().as_deref(), Some(payload));
        assert_eq!(on.requests().output(request.id).await.unwrap(), None);
    }
    // The beginning of what workers work on is told; a timeline's follows from its table.
    let submitted = Event {
        version: Version::default(),
        kind: EventKind::Submitted,
        at: START,
        status: Status::Queued,
        stage: "queued".into(),
        attempt: 0,
        by: by("anna"),
    };
    assert_eq!(on.requests().events(job(&anna, 2).id).await.unwrap(), [submitted]);
    assert_eq!(on.requests().events(request(&anna, START, 1).id).await.unwrap(), []);
    assert_eq!(on.requests().payload(request(&anna, START, 3).id).await.unwrap(), None);
}
