//! What every store promises about what it keeps: how long, and how much.

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::clock::Clock;
use anteroom::core::ports::requests::{Purged, Retention, Submission};
use anteroom::core::request::{Act, Refused, Request, Status, view};

use super::{MINUTE, claim, complete, job, lease, output};
use crate::stores::{Opened, START, keyed, new, order, owner, request};

const DAY: Duration = Duration::from_hours(24);

/// Payloads for a week, requests for a month.
fn kept() -> Retention {
    Retention { request: DAY * 30, payload: DAY * 7, most_requests: None, most_bytes: None }
}

fn purged(requests: usize, payloads: usize, more: bool) -> Purged {
    Purged { requests, payloads, more }
}

impl Opened {
    async fn purge(&self, retention: Retention, most: usize) -> Purged {
        self.requests().purge(retention, most).await.unwrap()
    }
}

pub(super) async fn what_has_ended_long_ago_is_removed(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    let aliased = Request { alias: Some("QR-0001".into()), ..request(&anna, START, 1) };
    let end = START.plus_millis(15_000);
    on.submit(keyed(aliased.clone(), "k", 1)).await;
    on.clock.set(end.plus(DAY * 30).plus_millis(-1));
    assert_eq!(on.purge(kept(), 100).await, purged(0, 1, false));
    assert!(requests.find_any(aliased.id).await.unwrap().is_some());
    on.clock.set(end.plus(DAY * 30));
    assert_eq!(on.purge(kept(), 100).await, purged(1, 0, false));
    assert_eq!(requests.find_any(aliased.id).await.unwrap(), None);
    assert_eq!(requests.find_by_alias(&anna, "QR-0001").await.unwrap(), None);
    assert_eq!(on.all(&anna).await, []);
    // Its key and its alias are free.
    let again = Arc::new(Request { id: job(&anna, 2).id, ..aliased });
    assert_eq!(on.submit(keyed((*again).clone(), "k", 2)).await, Submission::Accepted(again));
}

pub(super) async fn payloads_and_results_go_before_their_request(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    let sent = job(&anna, 1);
    on.submit(new(sent.clone())).await;
    on.act(sent.id, lease()).await;
    on.act(sent.id, complete(1)).await;
    on.clock.set(START.plus(DAY * 7).plus_millis(-1));
    assert_eq!(on.purge(kept(), 100).await, purged(0, 0, false));
    assert_eq!(requests.output(sent.id).await.unwrap(), Some(output()));
    on.clock.set(START.plus(DAY * 7));
    assert_eq!(on.purge(kept(), 100).await, purged(0, 1, false));
    assert_eq!(on.purge(kept(), 100).await, purged(0, 0, false));
    assert_eq!(requests.payload(sent.id).await.unwrap(), None);
    assert_eq!(requests.output(sent.id).await.unwrap(), None);
    let stored = requests.find_any(sent.id).await.unwrap().unwrap();
    assert_eq!(stored.work().unwrap().result, None);
    // A late repetition brings nothing back.
    assert_eq!(on.act(sent.id, complete(1)).await, None);
    assert_eq!(requests.output(sent.id).await.unwrap(), None);
}

pub(super) async fn more_than_so_many_are_removed(on: Opened) {
    let anna = owner("anna");
    for number in 0..6 {
        on.submit(new(job(&anna, number))).await;
    }
    // Ended in another order than submitted; two have not ended.
    for number in [3, 1, 4, 0] {
        on.clock.advance(Duration::from_secs(1));
        on.act(job(&anna, number).id, Act::Cancel).await;
    }
    let few = |most| Retention { most_requests: Some(most), ..kept() };
    assert_eq!(on.purge(few(6), 100).await, purged(0, 0, false));
    assert_eq!(on.purge(few(4), 100).await, purged(2, 0, false));
    let left: Vec<_> = on.all(&anna).await.iter().map(|request| request.id).collect();
    assert_eq!(left, [5, 4, 2, 0].map(|number| job(&anna, number).id));
    // Only what has ended goes.
    assert_eq!(on.purge(few(1), 100).await, purged(2, 0, false));
    let left: Vec<_> = on.all(&anna).await.iter().map(|request| request.id).collect();
    assert_eq!(left, [5, 2].map(|number| job(&anna, number).id));
}

pub(super) async fn a_purge_removes_no_more_than_it_is_told(on: Opened) {
    let anna = owner("anna");
    for number in 0..5 {
        on.submit(new(request(&anna, START.plus_millis(i64::try_from(number).unwrap()), number))).await;
    }
    on.clock.set(START.plus(DAY * 31));
    assert_eq!(on.purge(kept(), 2).await.requests, 2);
    assert!(on.purge(kept(), 2).await.more);
    let left: Vec<_> = on.all(&anna).await.iter().map(|request| request.submitted_at).collect();
    assert_eq!(left, [START.plus_millis(4)]);
    assert_eq!(on.purge(kept(), 2).await, purged(1, 0, false));
}

pub(super) async fn what_has_not_ended_is_kept(on: Opened) {
    let anna = owner("anna");
    let late = Request { deadline: Some(START.plus(DAY * 10)), ..job(&anna, 3) };
    for sent in [job(&anna, 1), job(&anna, 2), late.clone()] {
        on.submit(new(sent)).await;
    }
    on.act(job(&anna, 2).id, lease()).await;
    on.clock.set(START.plus(DAY * 40).plus_millis(-1));
    assert_eq!(on.purge(kept(), 100).await, purged(0, 1, false));
    on.clock.set(START.plus(DAY * 40));
    assert_eq!(on.purge(kept(), 100).await, purged(1, 0, false));
    assert_eq!(on.requests().find_any(late.id).await.unwrap(), None);
    assert_eq!(on.all(&anna).await.len(), 2);
    assert!(on.requests().payload(job(&anna, 1).id).await.unwrap().is_some());
}

pub(super) async fn what_was_removed_is_not_told_again(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    let sent = job(&anna, 1);
    on.submit(new(sent.clone())).await;
    for act in [Act::Cancel, Act::Erase] {
        on.act(sent.id, act).await;
    }
    on.clock.set(START.plus(DAY * 30));
    // A tombstone goes as everything else does.
    assert_eq!(on.purge(kept(), 100).await, purged(1, 0, false));
    assert_eq!(requests.find_any(sent.id).await.unwrap(), None);
    assert_eq!(requests.events(sent.id).await.unwrap(), []);
    assert_eq!(requests.payload(sent.id).await.unwrap(), None);
}

pub(super) async fn what_has_lost_its_payload_is_not_tried_again(on: Opened) {
    let job = job(&owner("anna"), 1);
    on.submit(new(job.clone())).await;
    for _ in 0..2 {
        on.requests().claim(claim(&["default"], 1)).await.unwrap();
        on.clock.advance(MINUTE);
    }
    on.clock.advance(DAY * 8);
    assert_eq!(on.requests().purge(kept(), 10).await.unwrap().payloads, 1);
    let outcome = on.requests().act_all(vec![order(job.id, Act::Redrive)]).await.unwrap().remove(0).unwrap();
    assert_eq!(
        (view(&outcome.request, on.clock.now()).status, outcome.refused),
        (Status::Failed, Some(Refused::NotFailed))
    );
    assert_eq!(on.requests().claim(claim(&["default"], 1)).await.unwrap().leased, []);
}
