//! What every store promises workers: each gets what nobody else has, and owners and types take turns.

use std::time::Duration;

use anteroom::core::ports::requests::Backlog;
use anteroom::core::request::{Act, EventKind, Owner, Request, RequestId, Status, view};
use futures_util::future::join_all;

use super::{MINUTE, claim, complete, job, lease};
use crate::stores::{Opened, START, by, new, owner, request, worker};

impl Opened {
    /// The ids that a claim gets.
    async fn claimed(&self, kinds: &[&str], most: usize) -> Vec<RequestId> {
        let claimed = self.requests().claim(claim(kinds, most)).await.unwrap();
        claimed.leased.iter().map(|(request, _)| request.id).collect()
    }

    async fn submit_jobs(&self, owner: &Owner, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.submit(new(job(owner, number))).await;
        }
    }
}

pub(super) async fn a_claim_takes_what_is_ready_longest(on: Opened) {
    let anna = owner("anna");
    let at = |millis| START.plus_millis(millis);
    // Submitted in another order than the one in which they are ready; and what is not to be leased at all.
    for (number, begins) in [(1, 30), (2, 10), (3, 0), (4, 20), (5, 40)] {
        on.submit(new(job_from(Request { not_before: Some(at(begins)), ..request(&anna, START, number) }))).await;
    }
    let other_type = Request { kind: "print".into(), ..job(&anna, 6) };
    for sent in [request(&anna, START, 7), other_type, Request { deadline: Some(at(20)), ..job(&anna, 8) }] {
        on.submit(new(sent)).await;
    }
    on.clock.set(at(30));
    let claimed = on.requests().claim(claim(&["default"], 3)).await.unwrap();
    let ids: Vec<_> = claimed.leased.iter().map(|(request, _)| request.id).collect();
    assert_eq!(ids, [3, 2, 4].map(|number| job(&anna, number).id));
    for (request, payload) in &claimed.leased {
        let (work, seen) = (request.work().unwrap(), view(request, at(30)));
        assert_eq!((work.epoch, work.attempt, &work.worker), (1, 1, &Some(worker("wendy"))));
        assert_eq!(
            (seen.status, seen.started_at, payload.as_str()),
            (Status::Running, Some(at(30)), r#"{"amount": 1.50}"#)
        );
        assert_eq!(request.lease_ends_at(), Some(at(30).plus(MINUTE)));
        assert_eq!(on.requests().find_any(request.id).await.unwrap().as_ref(), Some(request));
        let leased = on.requests().events(request.id).await.unwrap().pop().unwrap();
        assert_eq!((leased.kind, leased.at, leased.by), (EventKind::Leased, at(30), by("wendy")));
    }
    assert_eq!(on.claimed(&["default"], 3).await, [job(&anna, 1).id]);
    assert_eq!(on.claimed(&["default"], 3).await, []);
    assert_eq!(on.claimed(&[], 3).await, []);
    assert_eq!(on.claimed(&["print"], 0).await, []);
}

/// A request that workers work on, from the time on that it names.
fn job_from(request: Request) -> Request {
    crate::stores::worked_on(2, request)
}

pub(super) async fn owners_take_turns(on: Opened) {
    let owners = ["anna", "bob", "carl"].map(owner);
    on.submit_jobs(&owners[0], 0..12).await;
    on.submit_jobs(&owners[1], 20..23).await;
    on.submit_jobs(&owners[2], 30..33).await;
    let mut turns = Vec::new();
    for most in [1, 1, 2, 3, 2] {
        let claimed = on.requests().claim(claim(&["default"], most)).await.unwrap();
        assert_eq!(claimed.leased.len(), most);
        turns.extend(claimed.leased.into_iter().map(|(request, _)| request));
    }
    // Whoever begins: everybody has a turn before anybody has the next, over all claims.
    for turn in turns.chunks(3) {
        let mut served: Vec<_> = turn.iter().map(|request| request.owner.clone()).collect();
        served.sort();
        assert_eq!(served, owners);
    }
    // Of each owner in order; and when there is only one owner left, it gets everything.
    let of_anna: Vec<_> = turns.iter().filter(|request| request.owner == owners[0]).map(|request| request.id).collect();
    assert_eq!(of_anna, [0, 1, 2].map(|number| job(&owners[0], number).id));
    let rest: Vec<_> = (3..12).map(|number| job(&owners[0], number).id).collect();
    assert_eq!(on.claimed(&["default"], 100).await, rest);
}

pub(super) async fn types_take_turns(on: Opened) {
    let anna = owner("anna");
    on.submit_jobs(&anna, 0..9).await;
    for number in 10..13 {
        on.submit(new(Request { kind: "print".into(), ..job(&anna, number) })).await;
    }
    let claimed = on.requests().claim(claim(&["default", "print", "unheard-of"], 6)).await.unwrap();
    let printed = claimed.leased.iter().filter(|(request, _)| request.kind == "print").count();
    assert_eq!((claimed.leased.len(), printed), (6, 3));
}

pub(super) async fn a_claim_says_when_there_is_more(on: Opened) {
    let anna = owner("anna");
    let next = async |kinds: &[&str]| on.requests().claim(claim(kinds, 10)).await.unwrap().next_ready_at;
    assert_eq!(next(&["default"]).await, None);
    let timed = job_from(Request { not_before: Some(START.plus(MINUTE * 3)), ..request(&anna, START, 1) });
    on.submit(new(timed)).await;
    on.submit(new(Request { kind: "print".into(), ..job(&anna, 2) })).await;
    assert_eq!(next(&["default"]).await, Some(START.plus(MINUTE * 3)));
    // What was leased may be there again when the lease lapses.
    assert_eq!(next(&["default", "print"]).await, Some(START.plus(MINUTE)));
    assert_eq!(next(&["print"]).await, Some(START.plus(MINUTE)));
    on.clock.advance(Duration::from_secs(10));
    on.act(job(&anna, 2).id, Act::Heartbeat { epoch: 1, lease: MINUTE, report: None }).await;
    assert_eq!(next(&["print"]).await, Some(START.plus_millis(70_000)));
    on.act(job(&anna, 2).id, complete(1)).await;
    assert_eq!(next(&["print"]).await, None);
}

pub(super) async fn a_lease_that_lapses_is_given_again(on: Opened) {
    let sent = job(&owner("anna"), 1);
    on.submit(new(sent.clone())).await;
    assert_eq!(on.claimed(&["default"], 9).await, [sent.id]);
    on.clock.advance(MINUTE.checked_sub(Duration::from_millis(1)).unwrap());
    assert_eq!(on.claimed(&["default"], 9).await, []);
    on.clock.advance(Duration::from_millis(1));
    let claimed = on.requests().claim(claim(&["default"], 9)).await.unwrap();
    let (request, _) = &claimed.leased[0];
    assert_eq!((request.work().unwrap().epoch, request.work().unwrap().attempt), (2, 2));
    // There is no third attempt.
    assert_eq!(claimed.next_ready_at, None);
    on.clock.advance(MINUTE);
    assert_eq!(on.claimed(&["default"], 9).await, []);
    assert_eq!(on.told(sent.id).await, ["submitted", "leased", "time_passed", "leased"]);
}

pub(super) async fn concurrent_claims_share_nothing(on: Opened) {
    on.submit_jobs(&owner("anna"), 0..40).await;
    on.submit_jobs(&owner("bob"), 50..70).await;
    let requests = on.requests();
    let claims = join_all((0..16).map(|_| requests.claim(claim(&["default"], 5)))).await;
    let mut ids: Vec<_> =
        claims.into_iter().flat_map(|claimed| claimed.unwrap().leased).map(|(request, _)| request.id).collect();
    assert_eq!(ids.len(), 60);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 60);
}

pub(super) async fn backlogs_count_what_workers_have_before_them(on: Opened) {
    let (anna, at) = (owner("anna"), |millis| START.plus_millis(millis));
    assert_eq!(on.requests().backlogs().await.unwrap(), []);
    on.submit_jobs(&anna, 0..4).await;
    on.submit(new(request(&anna, START, 10))).await;
    on.submit(new(job_from(Request { not_before: Some(at(90_000)), ..request(&anna, START, 11) }))).await;
    on.submit(new(Request { kind: "print".into(), ..job(&owner("bob"), 12) })).await;
    on.act(job(&anna, 0).id, lease()).await;
    on.act(job(&anna, 1).id, lease()).await;
    on.act(job(&anna, 1).id, complete(1)).await;
    let backlog = |kind: &str, (ready, waiting, in_flight), oldest_ready| Backlog {
        kind: kind.into(),
        ready,
        waiting,
        in_flight,
        oldest_ready,
    };
    let print = backlog("print", (1, 0, 0), Some(START));
    let expected = [backlog("default", (2, 1, 1), Some(START)), print.clone()];
    assert_eq!(on.requests().backlogs().await.unwrap(), expected);
    // The lease lapses, and the others are gone.
    on.clock.set(at(60_000));
    for number in [2, 3] {
        on.act(job(&anna, number).id, Act::Cancel).await;
    }
    let expected = [backlog("default", (1, 1, 0), Some(at(60_000))), print];
    assert_eq!(on.requests().backlogs().await.unwrap(), expected);
}
