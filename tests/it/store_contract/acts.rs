//! What every store promises about acts: what they write, and what they refuse.

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::request::{Act, Backoff, Refused, Report, Request, Status, Version, view};
use anteroom::core::timeline::Failure;

use super::{MINUTE, complete, done, job, lease, output, too_late};
use crate::stores::{Opened, START, cancel, cancelled, new, order, owner, request, worked_on};

pub(super) async fn a_request_is_cancelled_until_its_end(on: Opened) {
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

pub(super) async fn a_cancelled_request_is_not_cancelled_again(on: Opened) {
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

pub(super) async fn a_clock_that_went_back_cancels_at_the_submission(on: Opened) {
    let anna = owner("anna");
    let sent = request(&anna, START, 1);
    on.submit(new(sent.clone())).await;
    on.clock.set(START.plus_millis(-3_600_000));
    let cancelled = Arc::new(cancelled(START, sent));
    let answer = on.cancel(&anna, cancelled.id).await;
    assert_eq!(answer, Some(done(cancelled)));
}

fn fail(epoch: u32, retryable: bool) -> Act {
    let error = Failure { code: "no_stock".into(), title: "No stock".into(), detail: String::new(), retryable };
    let backoff = Backoff { first: Duration::from_secs(2), most: MINUTE };
    Act::Fail { epoch, error, retry_after: None, backoff, chance: 0 }
}

impl Opened {
    /// The status of the request as it is stored, now.
    async fn status(&self, sent: &Request) -> Status {
        let found = self.requests().find_any(sent.id).await.unwrap().unwrap();
        view(&found, anteroom::core::clock::Clock::now(&self.clock)).status
    }

    /// Submits a request that workers work on, in at most two attempts, and leases it.
    async fn leased(&self) -> Request {
        let sent = job(&owner("anna"), 1);
        self.submit(new(sent.clone())).await;
        assert_eq!(self.act(sent.id, lease()).await, None);
        sent
    }
}

pub(super) async fn an_attempt_is_leased_reported_and_completed(on: Opened) {
    let sent = on.leased().await;
    let heartbeat = |stage: Option<&str>| {
        let stage = stage.map(str::to_owned);
        Act::Heartbeat { epoch: 1, lease: MINUTE, report: Some(Report { percent: Some(12.5), message: None, stage }) }
    };
    for stage in [Some("packing"), None, Some("packing"), Some("shipping")] {
        on.clock.advance(Duration::from_secs(1));
        assert_eq!(on.act(sent.id, heartbeat(stage)).await, None);
    }
    assert_eq!(on.act(sent.id, Act::Heartbeat { epoch: 1, lease: MINUTE, report: None }).await, None);
    assert_eq!(on.act(sent.id, complete(1)).await, None);
    assert_eq!(on.requests().output(sent.id).await.unwrap(), Some(output()));
    // The worker did not hear it, and says so again.
    assert_eq!(on.act(sent.id, complete(1)).await, None);
    assert_eq!(on.told(sent.id).await, ["submitted", "leased", "progressed", "progressed", "completed"]);
}

pub(super) async fn an_attempt_that_fails_is_tried_again_until_there_are_no_more(on: Opened) {
    let sent = on.leased().await;
    assert_eq!(on.act(sent.id, fail(1, true)).await, None);
    assert_eq!(on.status(&sent).await, Status::Retrying);
    assert_eq!(on.act(sent.id, lease()).await, Some(Refused::NotReady));
    on.clock.advance(Duration::from_secs(2));
    assert_eq!(on.act(sent.id, lease()).await, None);
    assert_eq!(on.act(sent.id, fail(2, true)).await, None);
    assert_eq!(on.status(&sent).await, Status::Failed);
    assert_eq!(on.act(sent.id, lease()).await, Some(Refused::NotReady));
    assert_eq!(on.act(sent.id, Act::Redrive).await, None);
    assert_eq!(on.act(sent.id, lease()).await, None);
    assert_eq!(on.act(sent.id, fail(3, false)).await, None);
    assert_eq!(on.status(&sent).await, Status::Failed);
    assert_eq!(on.requests().output(sent.id).await.unwrap(), None);
}

pub(super) async fn a_lease_that_is_given_back_costs_no_attempt(on: Opened) {
    let sent = on.leased().await;
    for epoch in 1..5 {
        assert_eq!(on.act(sent.id, Act::Release { epoch, delay: MINUTE }).await, None);
        assert_eq!(on.status(&sent).await, Status::Scheduled);
        on.clock.advance(MINUTE);
        assert_eq!(on.act(sent.id, lease()).await, None);
    }
    let work = on.requests().find_any(sent.id).await.unwrap().unwrap().work().unwrap().clone();
    assert_eq!((work.epoch, work.attempt), (5, 1));
}

pub(super) async fn a_worker_is_asked_to_stop_and_stops(on: Opened) {
    let sent = on.leased().await;
    assert_eq!(on.act(sent.id, Act::Cancel).await, None);
    assert_eq!(on.status(&sent).await, Status::Running);
    assert_eq!(on.act(sent.id, Act::Cancel).await, None);
    assert_eq!(on.act(sent.id, fail(1, true)).await, None);
    assert_eq!(on.status(&sent).await, Status::Cancelled);
    assert_eq!(on.act(sent.id, Act::Cancel).await, Some(Refused::Ended));
    assert_eq!(on.told(sent.id).await, ["submitted", "leased", "cancel_requested", "cancelled"]);
}

pub(super) async fn a_state_that_is_over_is_not_cancelled(on: Opened) {
    let sent = on.leased().await;
    let seen = |write, step| Version { write, step };
    assert_eq!(on.act(sent.id, Act::CancelAt(vec![])).await, Some(Refused::Changed));
    assert_eq!(on.act(sent.id, Act::CancelAt(vec![seen(0, 0), seen(1, 1)])).await, Some(Refused::Changed));
    on.clock.advance(MINUTE);
    // Its lease has lapsed, and nobody has written that.
    assert_eq!(on.act(sent.id, Act::CancelAt(vec![seen(1, 0)])).await, Some(Refused::Changed));
    assert_eq!(on.act(sent.id, Act::CancelAt(vec![seen(0, 0), seen(1, 1)])).await, None);
    assert_eq!(on.status(&sent).await, Status::Cancelled);
    assert_eq!(on.act(sent.id, Act::CancelAt(vec![seen(2, 0)])).await, Some(Refused::Ended));
}

pub(super) async fn a_completion_wins_over_the_wish_to_cancel(on: Opened) {
    let sent = on.leased().await;
    assert_eq!(on.act(sent.id, Act::Cancel).await, None);
    assert_eq!(on.act(sent.id, complete(1)).await, None);
    assert_eq!(on.status(&sent).await, Status::Succeeded);
    let stored = on.requests().find_any(sent.id).await.unwrap().unwrap();
    assert_eq!(stored.cancel_requested_at(), Some(START));
}

pub(super) async fn the_worker_of_an_older_lease_is_refused(on: Opened) {
    let sent = on.leased().await;
    on.clock.advance(MINUTE);
    assert_eq!(on.act(sent.id, lease()).await, None);
    let heartbeat = |epoch| Act::Heartbeat { epoch, lease: MINUTE, report: None };
    let release = |epoch| Act::Release { epoch, delay: MINUTE };
    for epoch in [0, 1, 3] {
        for act in [heartbeat(epoch), release(epoch), fail(epoch, false), complete(epoch)] {
            assert_eq!(on.act(sent.id, act).await, Some(Refused::LeaseLost));
        }
    }
    assert_eq!(on.requests().output(sent.id).await.unwrap(), None);
    assert_eq!(on.act(sent.id, complete(2)).await, None);
}

pub(super) async fn acts_are_carried_out_in_their_order(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    let (one, other) = (job(&anna, 1), job(&anna, 2));
    on.submit(new(one.clone())).await;
    on.submit(new(other.clone())).await;
    let missing = order(job(&anna, 3).id, Act::Cancel);
    let not_his = cancel(&owner("bob"), one.id);
    let orders = vec![
        order(one.id, lease()),
        missing,
        not_his,
        order(other.id, lease()),
        order(one.id, complete(1)),
        cancel(&anna, one.id),
        order(other.id, fail(1, false)),
        order(other.id, Act::Redrive),
    ];
    let outcomes = requests.act_all(orders).await.unwrap();
    let refused: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().map(|outcome| outcome.refused)).collect();
    let carried_out = Some(None);
    let expected =
        [carried_out, None, None, carried_out, carried_out, Some(Some(Refused::Ended)), carried_out, carried_out];
    assert_eq!(refused, expected);
    assert_eq!((on.status(&one).await, on.status(&other).await), (Status::Succeeded, Status::Queued));
    assert_eq!(on.told(other.id).await, ["submitted", "leased", "failed", "redriven"]);
}

pub(super) async fn a_timeline_is_advanced_in_one_commit(on: Opened) {
    let sent = request(&owner("anna"), START, 1);
    on.submit(new(sent.clone())).await;
    assert_eq!(on.act(sent.id, Act::Advance).await, None);
    assert_eq!(on.status(&sent).await, Status::Running);
    assert_eq!(on.act(sent.id, Act::Advance).await, None);
    assert_eq!(on.status(&sent).await, Status::Succeeded);
    assert_eq!(on.act(sent.id, Act::Advance).await, Some(Refused::Ended));
    assert_eq!(on.act(sent.id, Act::Cancel).await, Some(Refused::Ended));
    let worked_on = job(&owner("anna"), 2);
    on.submit(new(worked_on.clone())).await;
    assert_eq!(on.act(worked_on.id, Act::Advance).await, Some(Refused::NotSimulated));
}

pub(super) async fn what_is_refused_writes_the_end_that_was_there(on: Opened) {
    let sent = worked_on(1, request(&owner("anna"), START, 1));
    on.submit(new(sent.clone())).await;
    on.act(sent.id, lease()).await;
    on.clock.advance(MINUTE);
    assert_eq!(on.act(sent.id, complete(1)).await, Some(Refused::LeaseLost));
    assert_eq!(on.requests().output(sent.id).await.unwrap(), None);
    assert_eq!(on.told(sent.id).await, ["submitted", "leased", "time_passed"]);
    // It stays so when the clock goes back.
    on.clock.set(START);
    assert_eq!(on.status(&sent).await, Status::Failed);
    assert_eq!(on.act(sent.id, complete(1)).await, Some(Refused::LeaseLost));
}
