//! What every store promises about submissions: what was taken in is there, once.

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::clock::Clock;
use anteroom::core::error::StoreError;
use anteroom::core::ports::requests::{Filter, NewRequest, Submission};
use anteroom::core::request::{Owner, Request, Tags};
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::stores::{Opened, START, cancelled, failing, id, idempotency, keyed, new, on_timeline, owner, request};

pub(super) async fn a_submitted_request_is_found_as_it_was(on: Opened) {
    let tags = Tags::from([("Größe".into(), "\u{0}\"😀".into()), (String::new(), String::new())]);
    let plain = on_timeline(failing(), request(&owner("sub|'; --\u{202e}"), START, 1));
    let sent = Request { alias: Some("QR-0001".into()), tags, kind: "demo-fail".into(), ..plain };
    assert_eq!(on.submit(new(sent.clone())).await, Submission::Accepted(Arc::new(sent.clone())));
    let found = on.requests().find(&sent.owner, sent.id).await.unwrap();
    assert_eq!(found.as_deref(), Some(&sent));
    let found = on.requests().find_by_alias(&sent.owner, "QR-0001").await.unwrap();
    assert_eq!(found.as_deref(), Some(&sent));
    assert_eq!(on.all(&sent.owner).await, [Arc::new(sent)]);
}

pub(super) async fn what_is_not_there_is_none(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    assert_eq!(requests.find(&anna, id(START, 1)).await.unwrap(), None);
    assert_eq!(requests.find_by_alias(&anna, "QR-0001").await.unwrap(), None);
    assert_eq!(on.cancel(&anna, id(START, 1)).await, None);
    assert!(on.all(&anna).await.is_empty());
}

pub(super) async fn what_another_owner_has_is_not_there(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    let sent = Request { alias: Some("QR-0001".into()), ..request(&anna, START, 1) };
    on.submit(keyed(sent.clone(), "k", 1)).await;
    // The same text, cut elsewhere; another issuer; another case.
    let issuer = |issuer: &str| Owner { issuer: issuer.into(), ..anna.clone() };
    let shifted = Owner { subject: "/anna".into(), ..issuer("https://issuer.example") };
    for other in [owner("bob"), owner("Anna"), issuer("https://issuer.example"), shifted] {
        assert_eq!(requests.find(&other, sent.id).await.unwrap(), None);
        assert_eq!(requests.find_by_alias(&other, "QR-0001").await.unwrap(), None);
        assert_eq!(on.cancel(&other, sent.id).await, None);
        let filter = Filter { idempotency_key: Some(("POST /v1/requests", "k".into())), ..Filter::default() };
        assert!(requests.list(Some(&other), &filter, None, 10, START).await.unwrap().is_empty());
        assert!(on.all(&other).await.is_empty());
    }
    assert_eq!(on.all(&anna).await, [Arc::new(sent)]);
}

pub(super) async fn a_key_replays_its_request(on: Opened) {
    let anna = owner("anna");
    let first = Arc::new(request(&anna, START, 1));
    assert_eq!(on.submit(keyed((*first).clone(), "k", 1)).await, Submission::Accepted(Arc::clone(&first)));
    on.clock.advance(Duration::from_secs(1));
    let again = request(&anna, on.clock.now(), 2);
    assert_eq!(on.submit(keyed(again.clone(), "k", 1)).await, Submission::Replayed(Arc::clone(&first)));
    // The replay shows the request as it is now.
    let cancelled = Arc::new(cancelled(on.clock.now(), (*first).clone()));
    on.cancel(&anna, first.id).await.unwrap();
    assert_eq!(on.submit(keyed(again, "k", 1)).await, Submission::Replayed(Arc::clone(&cancelled)));
    assert_eq!(on.all(&anna).await, [cancelled]);
}

pub(super) async fn a_key_with_another_body_is_refused(on: Opened) {
    let anna = owner("anna");
    let first = request(&anna, START, 1);
    on.submit(keyed(first.clone(), "k", 1)).await;
    assert_eq!(on.submit(keyed(request(&anna, START, 2), "k", 2)).await, Submission::KeyReused);
    // The refused body has not taken the place of the first.
    let replayed = on.submit(keyed(request(&anna, START, 3), "k", 1)).await;
    assert_eq!(replayed, Submission::Replayed(Arc::new(first.clone())));
    assert_eq!(on.all(&anna).await, [Arc::new(first)]);
}

pub(super) async fn a_key_counts_within_its_owner_and_route(on: Opened) {
    let (anna, bob) = (owner("anna"), owner("bob"));
    let (first, second, third) = (request(&anna, START, 1), request(&bob, START, 2), request(&anna, START, 3));
    let mut elsewhere = idempotency("k", 1);
    elsewhere.route = "POST /request";
    let elsewhere = NewRequest { idempotency: Some(elsewhere), ..new(third.clone()) };
    assert_eq!(on.submit(keyed(first.clone(), "k", 1)).await, Submission::Accepted(Arc::new(first.clone())));
    assert_eq!(on.submit(keyed(second.clone(), "k", 2)).await, Submission::Accepted(Arc::new(second.clone())));
    assert_eq!(on.submit(elsewhere).await, Submission::Accepted(Arc::new(third.clone())));
    assert_eq!(on.all(&anna).await, [Arc::new(third), Arc::new(first)]);
    assert_eq!(on.all(&bob).await, [Arc::new(second)]);
}

pub(super) async fn an_alias_replays_its_request(on: Opened) {
    let (anna, bob) = (owner("anna"), owner("bob"));
    let aliased = |request: Request| Request { alias: Some("QR-0001".into()), ..request };
    let (first, other) = (aliased(request(&anna, START, 1)), aliased(request(&bob, START, 3)));
    assert_eq!(on.submit(new(first.clone())).await, Submission::Accepted(Arc::new(first.clone())));
    let again = aliased(request(&anna, START, 2));
    assert_eq!(on.submit(new(again)).await, Submission::Replayed(Arc::new(first)));
    assert_eq!(on.submit(new(other.clone())).await, Submission::Accepted(Arc::new(other)));
}

pub(super) async fn a_key_is_looked_at_before_an_alias(on: Opened) {
    let anna = owner("anna");
    let aliased = |number, alias: &str| Request { alias: Some(alias.into()), ..request(&anna, START, number) };
    let (first, second) = (aliased(1, "QR-0001"), aliased(2, "QR-0002"));
    on.submit(keyed(first.clone(), "k", 1)).await;
    on.submit(keyed(second.clone(), "l", 1)).await;
    let replayed = on.submit(keyed(aliased(3, "QR-0002"), "k", 1)).await;
    assert_eq!(replayed, Submission::Replayed(Arc::new(first)));
    assert_eq!(on.submit(keyed(aliased(4, "QR-0002"), "k", 9)).await, Submission::KeyReused);
    // A key that came with an alias that was there is not kept: nothing was stored under it.
    let replayed = on.submit(keyed(aliased(5, "QR-0002"), "m", 1)).await;
    assert_eq!(replayed, Submission::Replayed(Arc::new(second)));
    let third = aliased(6, "QR-0003");
    assert_eq!(on.submit(keyed(third.clone(), "m", 2)).await, Submission::Accepted(Arc::new(third)));
}

/// Submits them all at once; one is accepted, the others replay it, and it is the only one there is.
async fn one_of(on: &Opened, burst: Vec<NewRequest>) {
    let requests = on.requests();
    let answers = join_all(burst.into_iter().map(|new| requests.submit(new))).await;
    let all = on.all(&owner("anna")).await;
    let [stored] = all.as_slice() else { panic!("{} were stored", all.len()) };
    let accepted = answers.iter().filter(|answer| matches!(answer, Ok(Submission::Accepted(_)))).count();
    assert_eq!(accepted, 1);
    for answer in answers {
        match answer.unwrap() {
            Submission::Accepted(request) | Submission::Replayed(request) => assert_eq!(request, *stored),
            Submission::KeyReused => panic!("the same body is not another one"),
        }
    }
}

pub(super) async fn a_burst_of_one_key_stores_one_request(on: Opened) {
    one_of(&on, (0..300).map(|number| keyed(request(&owner("anna"), START, number), "k", 1)).collect()).await;
}

pub(super) async fn a_burst_of_one_alias_stores_one_request(on: Opened) {
    let aliased = |number| Request { alias: Some("QR-0001".into()), ..request(&owner("anna"), START, number) };
    one_of(&on, (0..300).map(|number| new(aliased(number))).collect()).await;
}

pub(super) async fn an_id_that_is_taken_changes_nothing(on: Opened) {
    let (anna, bob) = (owner("anna"), owner("bob"));
    let first = request(&anna, START, 1);
    on.submit(new(first.clone())).await;
    // Together with one that is in order, which may share its commit.
    let (wrong, right) = (keyed(request(&bob, START, 1), "k", 1), keyed(request(&bob, START, 2), "l", 1));
    let requests = on.requests();
    let (wrong, right) = tokio::join!(requests.submit(wrong), requests.submit(right));
    assert!(matches!(wrong, Err(StoreError::Failed(_))), "{wrong:?}");
    let Ok(Submission::Accepted(right)) = right else { panic!("{right:?}") };
    assert_eq!(on.all(&anna).await, [Arc::new(first)]);
    assert_eq!(on.all(&bob).await, [right]);
    let later = request(&bob, START, 3);
    assert_eq!(on.submit(keyed(later.clone(), "k", 2)).await, Submission::Accepted(Arc::new(later)));
    assert!(on.store.is_ready());
}

pub(super) async fn a_store_is_ready_and_has_not_failed(on: Opened) {
    on.submit(new(request(&owner("anna"), START, 1))).await;
    assert!(on.store.is_ready());
    assert_eq!(on.store.failure().now_or_never(), None);
}
