//! Properties of `core::request::view`, the one function that says how a request gets on.

use std::sync::Arc;

use anteroom::core::clock::Timestamp;
use anteroom::core::request::{Request, Status, view};
use anteroom::core::timeline::{Stage, Timeline};
use proptest::prelude::*;
use serde_json::json;

use crate::stores::{START, cancelled, failing, on_timeline, owner, request, stage, timeline, timeline_of};

/// Times of which differences do not overflow: a hundred million years to either side.
const AGES: i64 = 1 << 61;

fn stages() -> impl Strategy<Value = Vec<Stage>> {
    let early = prop::sample::select(vec![Status::Scheduled, Status::Queued, Status::Running, Status::Retrying]);
    let last = prop::sample::select(vec![Status::Succeeded, Status::Failed]);
    let length = prop_oneof![1_i64..4, 1_i64..100_000_000, Just(AGES / 8)];
    (prop::collection::vec((length, early), 0..5), last).prop_map(|(early, last)| {
        let mut after = 0;
        let mut stages = Vec::new();
        for (number, (length, status)) in early.into_iter().enumerate() {
            stages.push(stage(after, &format!("stage-{number}"), status));
            after += length;
        }
        stages.push(stage(after, "last", last));
        stages
    })
}

fn requests(submitted: impl Strategy<Value = i64>) -> impl Strategy<Value = Request> {
    (stages(), submitted).prop_map(|(stages, submitted_at)| {
        let timeline = Arc::new(Timeline::new(stages, Some(json!("{request_id}")), None).unwrap());
        let submitted_at = Timestamp::from_millis(submitted_at);
        on_timeline(timeline, Request { submitted_at, ..request(&owner("anna"), START, 1) })
    })
}

/// Any time, and often one close to where a stage of the request begins.
fn moments() -> impl Strategy<Value = (prop::sample::Index, i64, Option<i64>)> {
    (any::<prop::sample::Index>(), -2_i64..3, prop::option::weighted(0.3, -AGES..AGES))
}

fn moment(request: &Request, (index, offset, any): (prop::sample::Index, i64, Option<i64>)) -> Timestamp {
    let begins = timeline_of(request).begins(index.index(timeline_of(request).stages().len()), request.submitted_at);
    any.map_or_else(|| begins.unwrap().plus_millis(offset), Timestamp::from_millis)
}

fn index(request: &Request, now: Timestamp) -> usize {
    let shown = view(request, now).stage;
    timeline_of(request).stages().iter().position(|stage| stage.stage == shown).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_total_and_whole(request in requests(any::<i64>()), now in any::<i64>(), cancelled_at in any::<Option<i64>>()) {
        let cancelled_at = cancelled_at.map(Timestamp::from_millis);
        let request = match cancelled_at {
            Some(at) => cancelled(at, request),
            None => request,
        };
        let seen = view(&request, Timestamp::from_millis(now));
        prop_assert_eq!(seen.status == Status::Cancelled, cancelled_at.is_some());
        prop_assert_eq!(seen.finished_at.is_some(), seen.status.is_terminal());
        prop_assert_eq!(seen.finished_at.unwrap_or(seen.updated_at), seen.updated_at);
        prop_assert!(seen.next_change_at.is_none() || !seen.status.is_terminal());
        prop_assert_eq!(seen.result.is_some(), seen.status == Status::Succeeded);
    }

    #[test]
    fn the_stage_never_goes_back(request in requests(-AGES..AGES), one in moments(), other in moments()) {
        let (one, other) = (moment(&request, one), moment(&request, other));
        let (earlier, later) = (one.min(other), one.max(other));
        prop_assert!(index(&request, earlier) <= index(&request, later));
        let (before, after) = (view(&request, earlier), view(&request, later));
        prop_assert!(before.updated_at <= after.updated_at);
        prop_assert!(before.started_at.is_none() || before.started_at == after.started_at);
        prop_assert!(!before.status.is_terminal() || before == after);
    }

    #[test]
    fn the_filter_is_the_function(request in requests(-AGES..AGES), now in moments()) {
        let now = moment(&request, now);
        for status in Status::ALL {
            let within = timeline_of(&request).submitted_within(status, now);
            let fits = within.iter().filter(|within| within.contains(request.submitted_at)).count();
            prop_assert_eq!(fits, usize::from(view(&request, now).status == status), "{}", status);
        }
    }

    #[test]
    fn the_next_change_is_the_next_change(request in requests(-AGES..AGES), now in moments()) {
        let now = moment(&request, now);
        let seen = view(&request, now);
        let Some(next) = seen.next_change_at else {
            // Nothing ever changes again.
            prop_assert_eq!(&seen, &view(&request, Timestamp::from_millis(i64::MAX)));
            return Ok(());
        };
        prop_assert!(next > now);
        prop_assert_eq!(&seen, &view(&request, next.plus_millis(-1)));
        let after = view(&request, next);
        prop_assert_ne!(&seen.version, &after.version);
        prop_assert_eq!(after.updated_at, next);
    }

    #[test]
    fn a_cancelled_request_stays_as_it_was(request in requests(-AGES..AGES), at in moments(), now in any::<i64>()) {
        let at = moment(&request, at);
        let before = view(&request, at);
        let cancelled = cancelled(at, request);
        let seen = view(&cancelled, Timestamp::from_millis(now));
        prop_assert_eq!(seen.status, Status::Cancelled);
        prop_assert_eq!((&seen.stage, seen.started_at), (&before.stage, before.started_at));
        prop_assert_eq!((seen.updated_at, seen.finished_at, seen.next_change_at), (at, Some(at), None));
        prop_assert_eq!(&seen, &view(&cancelled, at));
        prop_assert_ne!(seen.version, before.version);
    }

    #[test]
    fn equal_versions_are_equal_views(request in requests(-AGES..AGES), one in moments(), other in moments()) {
        let (one, other) = (view(&request, moment(&request, one)), view(&request, moment(&request, other)));
        prop_assert_eq!(one.version == other.version, one == other);
    }
}

#[test]
fn a_request_shows_what_its_own_timeline_says() {
    let sent = request(&owner("anna"), START, 1);
    let seen = |millis| view(&sent, START.plus_millis(millis));
    assert_eq!((seen(4_999).status, seen(5_000).status), (Status::Queued, Status::Running));
    let done = seen(15_000);
    assert_eq!(done.result, Some(json!({ "message": format!("processed {}", sent.id) })));
    assert_eq!(done.started_at, Some(START.plus_millis(5_000)));
    assert_eq!((done.finished_at, done.error), (Some(START.plus_millis(15_000)), None));
    // What is configured now concerns later requests only.
    let later = on_timeline(failing(), sent.clone());
    assert_eq!(view(&later, START.plus_millis(5_000)).error.as_ref(), failing().error());
    assert_eq!(seen(5_000).status, Status::Running);
    assert_eq!(**timeline_of(&sent), *timeline());
}

#[test]
fn a_result_names_the_request_as_its_submitter_does() {
    let sent = Request { alias: Some("QR-0001".into()), ..request(&owner("anna"), START, 1) };
    assert_eq!(view(&sent, START.plus_millis(15_000)).result, Some(json!({ "message": "processed QR-0001" })));
}
