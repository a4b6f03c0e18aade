//! The invariants of the state machine, on the pure functions: whatever is done to a request, and whenever.

use std::collections::HashMap;

use anteroom::core::clock::Timestamp;
use anteroom::core::request::{Act, Event, EventKind, Refused, Request, Status, View, history, view};
use proptest::prelude::*;

use crate::stores::START;

mod cases;
pub(crate) mod lives;

use lives::{Done, LONGEST, Life, requests, steps};

/// The view without what a heartbeat puts off, and nobody reads.
fn shown(view: View) -> View {
    View { next_change_at: None, ..view }
}

/// From then on, and now and again until everything is over.
fn moments(from: Timestamp) -> impl Iterator<Item = Timestamp> {
    (0..40).chain([LONGEST, LONGEST * 10, i64::MAX / 4]).map(move |millis| from.plus_millis(millis))
}

fn check_phases(request: &Request) {
    let phases: Vec<_> = (0..).map_while(|number| request.phase(number)).collect();
    assert!(!phases.is_empty());
    assert!(phases.is_sorted_by_key(|phase| phase.at), "{phases:?}");
    let terminal = phases.iter().position(|phase| phase.status.is_terminal());
    assert!(terminal.is_none_or(|terminal| terminal == phases.len() - 1), "{phases:?}");
    assert_eq!(request.ends_at(), terminal.map(|terminal| phases[terminal].at));
    if request.work().is_some() {
        assert!(phases.len() <= 3, "{phases:?}");
        assert_eq!(request.lease_ends_at(), (phases[0].status == Status::Running).then(|| phases[1].at));
    } else {
        assert!(terminal.is_some(), "{phases:?}");
    }
}

/// What has happened leads to what is seen; its versions grow, and it never goes back in time.
fn check_history(life: &Life, now: Timestamp) {
    let (events, seen) = (history(&life.request, &life.stored, now), view(&life.request, now));
    assert_eq!(events[0].kind, EventKind::Submitted);
    assert!(events.is_sorted_by(|one, next| one.version < next.version && one.at <= next.at), "{events:#?}");
    let last = events.last().unwrap();
    assert_eq!((last.status, &last.stage), (seen.status, &seen.stage), "{events:#?} {seen:#?}");
    // Nobody reads when a tombstone last changed.
    let is_seen = last.at <= seen.updated_at || last.kind == EventKind::Erased;
    assert!(last.version <= seen.version && is_seen, "{events:#?} {seen:#?}");
    assert_eq!(last.attempt, life.request.work().map_or(0, |work| work.attempt));
    check_ends(&events);
}

/// One event for each end (I11), after which only a redrive goes on (I2); and a completion for each success (I3).
fn check_ends(events: &[Event]) {
    for pair in events.windows(2).filter(|pair| pair[0].status.is_terminal()) {
        let follows = matches!(pair[1].kind, EventKind::Redriven | EventKind::Erased);
        assert!(follows && pair[0].kind != EventKind::Erased, "{events:#?}");
        let stays = pair[1].kind == EventKind::Redriven || pair[1].status == pair[0].status;
        assert!(stays && (pair[1].kind == EventKind::Erased || pair[0].status == Status::Failed), "{events:#?}");
    }
    let completed = events.iter().filter(|event| event.kind == EventKind::Completed);
    assert!(completed.clone().count() <= 1 && completed.clone().all(|event| event.status == Status::Succeeded));
}

/// Who may do what: one lease at a time (I1), never too many attempts (I5), none on what has ended (I8), and an end is the end (I2).
fn check_rights(before: &Request, life: &Life, done: &Done) {
    let (Some(earlier), Some(work)) = (before.work(), life.request.work()) else {
        assert!(!matches!(done.act, Act::Lease { .. } | Act::Complete { .. }) || done.refused.is_some());
        return;
    };
    assert!(work.attempt <= work.most_attempts);
    let leased = done.events.iter().filter(|event| event.kind == EventKind::Leased).count();
    assert_eq!(u32::try_from(leased).unwrap(), work.epoch - earlier.epoch);
    let is_carried_out = done.refused.is_none();
    match &done.act {
        Act::Lease { .. } => assert_eq!(is_carried_out, done.before.status == Status::Queued),
        Act::Heartbeat { epoch, .. } | Act::Fail { epoch, .. } | Act::Release { epoch, .. } if is_carried_out => {
            assert!(*epoch == earlier.epoch && !done.before.status.is_terminal());
        }
        Act::Complete { epoch, .. } if is_carried_out => {
            assert!(*epoch == earlier.epoch);
            assert!(!done.before.status.is_terminal() || done.before.status == Status::Succeeded);
            assert_eq!(view(&life.request, life.now).status, Status::Succeeded);
        }
        _ => {}
    }
    if done.before.status.is_terminal() && !matches!(done.act, Act::Redrive | Act::Erase) {
        assert_eq!(view(&life.request, life.now), done.before);
    }
    let is_expected = done.refused != Some(Refused::NotEnded) || !done.before.status.is_terminal();
    assert!(is_expected && !matches!((&done.act, done.refused), (Act::Settle, Some(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_life_keeps_the_invariants(request in requests(), steps in steps(0..9)) {
        let mut life = Life::of(request);
        let mut seen: HashMap<_, View> = HashMap::new();
        let mut newest = view(&life.request, START).version;
        for step in steps {
            let before = life.request.clone();
            // Time passes; somebody looks at each moment of it.
            for now in (0..=step.0).map(|millis| life.now.plus_millis(millis)) {
                let view = shown(view(&before, now));
                prop_assert!(view.version >= newest);
                newest = view.version;
                prop_assert_eq!(seen.entry(view.version).or_insert_with(|| view.clone()), &view);
            }
            let done = life.step(step);
            check_phases(&life.request);
            check_rights(&before, &life, &done);
            moments(life.now).for_each(|now| check_history(&life, now));
            if life.request.erased_at.is_some() {
                break;
            }
        }
    }

    #[test]
    fn a_life_under_a_clock_that_goes_back_keeps_its_order(request in requests(), steps in steps(-6..9)) {
        let mut life = Life::of(request);
        for step in steps {
            let before = life.clone();
            let done = life.step(step);
            check_phases(&life.request);
            check_rights(&before.request, &life, &done);
            prop_assert!(life.request.version >= before.request.version);
            prop_assert!(done.events.is_sorted_by_key(|event| (event.version, event.at)));
            if life.request != before.request {
                prop_assert!(view(&life.request, life.now).updated_at >= view(&before.request, life.now).updated_at);
            }
            for now in moments(life.now).filter(|now| life.stored.iter().all(|event| event.at <= *now)) {
                check_history(&life, now);
            }
            if life.request.erased_at.is_some() {
                break;
            }
        }
    }

    /// I7, with everything that delays or ends a timeline: the later, the further.
    #[test]
    fn nobody_sees_a_request_go_back(request in requests(), steps in steps(0..9)) {
        let mut life = Life::of(request);
        for step in steps {
            life.step(step);
            if life.request.erased_at.is_some() {
                break;
            }
        }
        let views: Vec<_> = moments(life.now).map(|now| (now, view(&life.request, now))).collect();
        for pair in views.windows(2) {
            let ((_, one), (_, next)) = (&pair[0], &pair[1]);
            prop_assert!(one.version <= next.version && one.updated_at <= next.updated_at);
            prop_assert!(one.started_at.is_none() || one.started_at == next.started_at);
            prop_assert!(!one.status.is_terminal() || one == next);
        }
        for (now, seen) in views {
            let Some(next) = seen.next_change_at else {
                prop_assert_eq!(&seen, &view(&life.request, Timestamp::from_millis(i64::MAX)));
                continue;
            };
            prop_assert!(next > now);
            prop_assert_eq!(&seen, &view(&life.request, next.plus_millis(-1)));
            prop_assert_ne!(seen.version, view(&life.request, next).version);
        }
    }
}
