//! What every store promises: one suite, run against each of them.

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::clock::Clock;
use anteroom::core::error::StoreError;
use anteroom::core::ports::requests::{Filter, NewRequest, Outcome, Position, Submission};
use anteroom::core::request::{Owner, Refused, Request, Status, Tags};
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::stores::{Opened, START, cancelled, failing, id, idempotency, keyed, new, on_timeline, owner, request};

/// Runs every case against every store, and those of `store_time`. A new store is one more row.
macro_rules! contract {
    ($($case:ident)*) => {
        contract! { @store memory "memory:" $($case)* }
        contract! { @store sqlite "sqlite:requests.db" $($case)* }
        contract! { @store postgres "postgres:" $($case)* }
    };
    (@store $store:ident $url:literal $($case:ident)*) => {
        mod $store {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::Opened::new($url)).await;
            })*

            #[test]
            fn a_status_filter_lets_through_what_view_says() {
                crate::store_time::a_status_filter_lets_through_what_view_says($url);
            }

            #[test]
            fn no_reader_sees_an_end_that_a_cancellation_undoes() {
                crate::store_time::no_reader_sees_an_end_that_a_cancellation_undoes($url);
            }
        }
    };
}

contract! {
    a_submitted_request_is_found_as_it_was
    what_is_not_there_is_none
    what_another_owner_has_is_not_there
    a_list_is_newest_first
    pages_join_to_the_whole_list
    filters_restrict_a_list
    a_key_replays_its_request
    a_key_with_another_body_is_refused
    a_key_counts_within_its_owner_and_route
    an_alias_replays_its_request
    a_key_is_looked_at_before_an_alias
    a_burst_of_one_key_stores_one_request
    a_burst_of_one_alias_stores_one_request
    an_id_that_is_taken_changes_nothing
    a_request_is_cancelled_until_its_end
    a_cancelled_request_is_not_cancelled_again
    a_clock_that_went_back_cancels_at_the_submission
    a_store_is_ready_and_has_not_failed
}

async fn a_submitted_request_is_found_as_it_was(on: Opened) {
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

async fn what_is_not_there_is_none(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    assert_eq!(requests.find(&anna, id(START, 1)).await.unwrap(), None);
    assert_eq!(requests.find_by_alias(&anna, "QR-0001").await.unwrap(), None);
    assert_eq!(on.cancel(&anna, id(START, 1)).await, None);
    assert!(on.all(&anna).await.is_empty());
}

async fn what_another_owner_has_is_not_there(on: Opened) {
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

/// Nine requests at three times, submitted in no order, newest first; and as many of another owner.
async fn nine(on: &Opened) -> Vec<Arc<Request>> {
    let at = |number: u64| START.plus_millis(i64::try_from(number % 3).unwrap());
    let mut sent: Vec<Request> = (0..9).map(|number| request(&owner("anna"), at(number), number)).collect();
    for (number, request) in (100..).zip(&sent) {
        on.submit(new(request.clone())).await;
        on.submit(new(Request { owner: owner("bob"), id: id(START, number), ..request.clone() })).await;
    }
    sent.sort_by_key(|request| std::cmp::Reverse((request.submitted_at, request.id)));
    sent.into_iter().map(Arc::new).collect()
}

async fn a_list_is_newest_first(on: Opened) {
    let sent = nine(&on).await;
    assert_eq!(on.all(&owner("anna")).await, sent);
    let (requests, anna, filter) = (on.requests(), owner("anna"), Filter::default());
    let page = |limit| requests.list(Some(&anna), &filter, None, limit, START);
    assert_eq!(page(4).await.unwrap(), sent[..4]);
    assert_eq!(page(0).await.unwrap(), []);
}

async fn pages_join_to_the_whole_list(on: Opened) {
    let (sent, anna) = (nine(&on).await, owner("anna"));
    for limit in [1, 2, 4, 9] {
        let (mut joined, mut after) = (Vec::new(), None);
        while joined.len() <= sent.len() {
            let page = on.requests().list(Some(&anna), &Filter::default(), after, limit, START).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(Position { submitted_at: last.submitted_at, id: last.id });
            joined.extend(page);
        }
        assert_eq!(joined, sent, "pages of {limit}");
    }
}

async fn filters_restrict_a_list(on: Opened) {
    let anna = owner("anna");
    let plain = request(&anna, START, 1);
    let late = Request { kind: "demo-fail".into(), ..request(&anna, START.plus_millis(1), 2) };
    on.submit(keyed(plain.clone(), "k", 1)).await;
    on.submit(new(late.clone())).await;
    let cases = [
        (Filter { kinds: vec!["default".into()], ..Filter::default() }, vec![&plain]),
        (Filter { kinds: vec!["demo".into()], ..Filter::default() }, vec![]),
        (Filter { idempotency_key: Some(("POST /v1/requests", "k".into())), ..Filter::default() }, vec![&plain]),
        (Filter { idempotency_key: Some(("POST /request", "k".into())), ..Filter::default() }, vec![]),
        (Filter { idempotency_key: Some(("POST /v1/requests", "K".into())), ..Filter::default() }, vec![]),
        (Filter { statuses: vec![Status::Queued], ..Filter::default() }, vec![&late, &plain]),
        (Filter { statuses: vec![Status::Queued], kinds: vec!["demo-fail".into()], ..Filter::default() }, vec![&late]),
        (Filter { statuses: vec![Status::Expired], ..Filter::default() }, vec![]),
    ];
    for (filter, expected) in cases {
        let listed = on.requests().list(Some(&anna), &filter, None, 10, START).await.unwrap();
        assert_eq!(listed.iter().map(|request| &**request).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

async fn a_key_replays_its_request(on: Opened) {
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

async fn a_key_with_another_body_is_refused(on: Opened) {
    let anna = owner("anna");
    let first = request(&anna, START, 1);
    on.submit(keyed(first.clone(), "k", 1)).await;
    assert_eq!(on.submit(keyed(request(&anna, START, 2), "k", 2)).await, Submission::KeyReused);
    // The refused body has not taken the place of the first.
    let replayed = on.submit(keyed(request(&anna, START, 3), "k", 1)).await;
    assert_eq!(replayed, Submission::Replayed(Arc::new(first.clone())));
    assert_eq!(on.all(&anna).await, [Arc::new(first)]);
}

async fn a_key_counts_within_its_owner_and_route(on: Opened) {
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

async fn an_alias_replays_its_request(on: Opened) {
    let (anna, bob) = (owner("anna"), owner("bob"));
    let aliased = |request: Request| Request { alias: Some("QR-0001".into()), ..request };
    let (first, other) = (aliased(request(&anna, START, 1)), aliased(request(&bob, START, 3)));
    assert_eq!(on.submit(new(first.clone())).await, Submission::Accepted(Arc::new(first.clone())));
    let again = aliased(request(&anna, START, 2));
    assert_eq!(on.submit(new(again)).await, Submission::Replayed(Arc::new(first)));
    assert_eq!(on.submit(new(other.clone())).await, Submission::Accepted(Arc::new(other)));
}

async fn a_key_is_looked_at_before_an_alias(on: Opened) {
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

async fn a_burst_of_one_key_stores_one_request(on: Opened) {
    one_of(&on, (0..300).map(|number| keyed(request(&owner("anna"), START, number), "k", 1)).collect()).await;
}

async fn a_burst_of_one_alias_stores_one_request(on: Opened) {
    let aliased = |number| Request { alias: Some("QR-0001".into()), ..request(&owner("anna"), START, number) };
    one_of(&on, (0..300).map(|number| new(aliased(number))).collect()).await;
}

async fn an_id_that_is_taken_changes_nothing(on: Opened) {
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

async fn a_request_is_cancelled_until_its_end(on: Opened) {
    let (anna, end) = (owner("anna"), START.plus_millis(15_000));
    let (first, second) = (request(&anna, START, 1), request(&anna, START, 2));
    on.submit(new(first.clone())).await;
    on.submit(new(second.clone())).await;
    on.clock.set(end.plus_millis(-1));
    let cancelled = Arc::new(cancelled(end.plus_millis(-1), first));
    let answer = on.cancel(&anna, cancelled.id).await;
    assert_eq!(answer, Some(done(Arc::clone(&cancelled))));
    on.clock.set(end);
    let answer = on.cancel(&anna, second.id).await;
    assert_eq!(answer, Some(too_late(Arc::new(second.clone()))));
    assert_eq!(on.requests().find(&anna, cancelled.id).await.unwrap(), Some(Arc::clone(&cancelled)));
    assert_eq!(on.all(&anna).await, [Arc::new(second), cancelled]);
}

async fn a_cancelled_request_is_not_cancelled_again(on: Opened) {
    let anna = owner("anna");
    let sent = Request { alias: Some("QR-0001".into()), ..request(&anna, START, 1) };
    on.submit(new(sent.clone())).await;
    let requests = on.requests();
    let cancelled = Arc::new(cancelled(START, sent));
    let both = tokio::join!(on.cancel(&anna, cancelled.id), on.cancel(&anna, cancelled.id));
    assert_eq!(both.0, Some(done(Arc::clone(&cancelled))));
    assert_eq!(both.1, Some(too_late(Arc::clone(&cancelled))));
    assert_eq!(requests.find_by_alias(&anna, "QR-0001").await.unwrap(), Some(cancelled));
}

async fn a_clock_that_went_back_cancels_at_the_submission(on: Opened) {
    let anna = owner("anna");
    let sent = request(&anna, START, 1);
    on.submit(new(sent.clone())).await;
    on.clock.set(START.plus_millis(-3_600_000));
    let cancelled = Arc::new(cancelled(START, sent));
    let answer = on.cancel(&anna, cancelled.id).await;
    assert_eq!(answer, Some(done(cancelled)));
}

async fn a_store_is_ready_and_has_not_failed(on: Opened) {
    on.submit(new(request(&owner("anna"), START, 1))).await;
    assert!(on.store.is_ready());
    assert_eq!(on.store.failure().now_or_never(), None);
}

/// What is answered when the act was carried out.
fn done(request: Arc<Request>) -> Outcome {
    Outcome { request, refused: None }
}

/// What is answered when the request had reached its end.
fn too_late(request: Arc<Request>) -> Outcome {
    Outcome { request, refused: Some(Refused::Ended) }
}
