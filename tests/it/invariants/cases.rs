//! Single cases of the state machine that are easily got wrong.

use std::time::Duration;

use anteroom::core::request::{Act, By, EventKind, Output, Refused, Report, Request, Status, history, view};

use crate::stores::{START, owner, request, worked_on, worker};

fn sent() -> Request {
    request(&owner("anna"), START, 1)
}

fn after(request: &Request, act: &Act, millis: i64) -> Request {
    let acted = request.act(act, &By::default(), START.plus_millis(millis));
    assert_eq!(acted.refused, None);
    acted.written.unwrap()
}

fn refused(request: &Request, act: &Act, millis: i64) -> Option<Refused> {
    request.act(act, &By::default(), START.plus_millis(millis)).refused
}

fn lease(lease: u64, run: u64) -> Act {
    Act::Lease { worker: worker("wendy"), lease: Duration::from_millis(lease), run: Duration::from_millis(run) }
}

fn heartbeat(epoch: u32) -> Act {
    Act::Heartbeat { epoch, lease: Duration::from_millis(10), report: None }
}

fn complete(epoch: u32) -> Act {
    Act::Complete { epoch, output: Output { content_type: Output::JSON.into(), body: b"1".to_vec() } }
}

#[test]
fn what_is_cancelled_before_it_begins_was_scheduled() {
    let sent = Request { not_before: Some(START.plus_millis(100)), ..request(&owner("anna"), START, 1) };
    let cancelled = after(&sent, &Act::Cancel, 50);
    let seen = view(&cancelled, START.plus_millis(20_000));
    assert_eq!((seen.status, seen.stage.as_str(), seen.started_at), (Status::Cancelled, "scheduled", None));
}

#[test]
fn an_advance_does_not_wait_for_the_deadline() {
    let sent = Request { deadline: Some(START.plus_millis(10_000)), ..request(&owner("anna"), START, 1) };
    let running = START.plus_millis(6_000);
    let advanced = after(&sent, &Act::Advance, 6_000);
    let (before, seen) = (view(&sent, running), view(&advanced, running));
    assert_eq!((before.status, before.next_change_at), (Status::Running, Some(START.plus_millis(10_000))));
    assert_eq!((seen.status, seen.finished_at), (Status::Succeeded, Some(running)));
    assert!(seen.version > before.version);
    assert_eq!(refused(&sent, &Act::Advance, 10_000), Some(Refused::Ended));
}

#[test]
fn an_attempt_that_lasted_too_long_is_not_prolonged_and_may_yet_be_completed() {
    let leased = after(&worked_on(2, sent()), &lease(10, 30), 0);
    // The lease has lapsed, the attempt has not, and nobody else has taken it.
    let heard_of = after(&leased, &heartbeat(1), 25);
    assert_eq!(heard_of.lease_ends_at(), Some(START.plus_millis(30)));
    assert_eq!(view(&heard_of, START.plus_millis(30)).status, Status::Queued);
    assert_eq!(refused(&heard_of, &heartbeat(1), 30), Some(Refused::LeaseLost));
    assert_eq!(view(&after(&heard_of, &complete(1), 40), START.plus_millis(40)).status, Status::Succeeded);
}

#[test]
fn the_last_attempt_that_is_lost_is_the_end_also_for_its_worker() {
    let leased = after(&worked_on(1, sent()), &lease(10, 30), 0);
    let acted = leased.act(&complete(1), &By::default(), START.plus_millis(10));
    assert_eq!(acted.refused, Some(Refused::LeaseLost));
    // What had come about is written, in the version that it was seen in.
    let (written, seen) = (acted.written.unwrap(), view(&leased, START.plus_millis(10)));
    assert_eq!(view(&written, START), seen);
    assert_eq!((seen.status, seen.error.unwrap().code.as_str()), (Status::Failed, "worker_lost"));
    assert_eq!(acted.events.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::TimePassed]);
}

#[test]
fn a_completion_that_is_told_twice_is_one() {
    let leased = after(&worked_on(1, sent()), &lease(10, 30), 0);
    let done = after(&leased, &complete(1), 5);
    let again = done.act(&complete(1), &By::default(), START.plus_millis(100));
    assert_eq!((again.refused, again.written, again.events), (None, None, vec![]));
    assert_eq!(refused(&done, &complete(0), 6), Some(Refused::LeaseLost));
}

#[test]
fn a_timeline_tells_each_stage_once() {
    let sent = request(&owner("anna"), START, 1);
    let acted = sent.act(&Act::Cancel, &By::default(), START.plus_millis(6_000));
    let told = history(&acted.written.unwrap(), &acted.events, START.plus_millis(60_000));
    let told: Vec<_> = told.iter().map(|event| (event.kind, event.stage.as_str())).collect();
    let passed = (EventKind::TimePassed, "processing");
    assert_eq!(told, [(EventKind::Submitted, "received"), passed, (EventKind::Cancelled, "processing")]);
}

#[test]
fn a_clock_that_goes_back_does_not_end_a_request_before_it_began() {
    let leased = after(&worked_on(1, sent()), &lease(10, 30), 100);
    let done = view(&after(&leased, &complete(1), 90), START.plus_millis(90));
    assert_eq!((done.started_at, done.finished_at), (Some(START.plus_millis(100)), Some(START.plus_millis(100))));
}

#[test]
fn what_is_redriven_has_all_its_attempts_and_no_deadline() {
    let sent = Request { deadline: Some(START.plus_millis(50)), ..worked_on(1, sent()) };
    let leased = after(&sent, &lease(10, 30), 0);
    let redriven = after(&leased, &Act::Redrive, 60);
    assert_eq!((redriven.deadline, redriven.work().unwrap().attempt), (None, 0));
    let again = after(&redriven, &lease(10, 30), 70);
    assert_eq!((again.work().unwrap().epoch, again.work().unwrap().attempt), (2, 1));
    assert_eq!(refused(&again, &complete(1), 71), Some(Refused::LeaseLost));
    assert_eq!(refused(&sent, &Act::Redrive, 60), Some(Refused::NotFailed), "expired");
}

#[test]
fn a_worker_that_tells_stages_without_end_fills_no_history() {
    let mut request = after(&worked_on(1, sent()), &lease(60_000, 3_600_000), 0);
    let mut events = 0;
    for number in 0..1_500 {
        let report = Some(Report { stage: Some(format!("stage-{number}")), ..Report::default() });
        let acted =
            request.act(&Act::Heartbeat { epoch: 1, lease: Duration::from_mins(1), report }, &By::default(), START);
        events += acted.events.len();
        request = acted.written.unwrap();
        assert_eq!(view(&request, START).stage, format!("stage-{number}"));
    }
    assert_eq!(events, 999, "the lease was the first change");
}
