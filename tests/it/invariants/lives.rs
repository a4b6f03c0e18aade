//! Random requests, and what is done to them: acts with the time that passes between them.

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::clock::Timestamp;
use anteroom::core::request::{Act, Backoff, By, Event, Output, Refused, Report, Request, Status, Version, View, view};
use anteroom::core::timeline::{Failure, Stage, Timeline};
use proptest::prelude::*;
use serde_json::json;

use crate::stores::{START, on_timeline, owner, request, stage, worked_on, worker};

/// No life lasts longer, in milliseconds.
pub(crate) const LONGEST: i64 = 120;

fn statuses() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![Status::Scheduled, Status::Queued, Status::Running, Status::Retrying])
}

fn stages() -> impl Strategy<Value = Vec<Stage>> {
    let last = prop::sample::select(vec![Status::Succeeded, Status::Failed]);
    (prop::collection::vec((1_i64..6, statuses()), 0..4), last).prop_map(|(early, last)| {
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

/// A process for a request that begins at some time: one of both processors.
#[derive(Clone, Debug)]
pub(crate) enum Processor {
    /// Stages that pass by themselves.
    Timeline(Arc<Timeline>),
    /// Workers, with so many attempts.
    Lease(u32),
}

pub(crate) fn processors() -> impl Strategy<Value = Processor> {
    let timelines = stages().prop_map(|stages| {
        Processor::Timeline(Timeline::new(stages, Some(json!("{request_id}")), None).unwrap().into())
    });
    prop_oneof![1 => timelines, 2 => (1_u32..4).prop_map(Processor::Lease)]
}

/// Times after the submission; none more often than not.
pub(crate) fn later() -> impl Strategy<Value = Option<i64>> {
    prop::option::weighted(0.3, 0_i64..30)
}

/// The request with its processor, and with the times (after its submission) between which it is to be done.
pub(crate) fn begun(
    request: Request,
    processor: &Processor,
    not_before: Option<i64>,
    deadline: Option<i64>,
) -> Request {
    let at = |millis: i64| request.submitted_at.plus_millis(millis);
    let (not_before, deadline) = (not_before.map(at), deadline.map(at));
    let request = Request { not_before, deadline, ..request };
    match processor {
        Processor::Timeline(timeline) => on_timeline(Arc::clone(timeline), request),
        Processor::Lease(most) => worked_on(*most, request),
    }
}

pub(crate) fn requests() -> impl Strategy<Value = Request> {
    (processors(), later(), later()).prop_map(|(processor, not_before, deadline)| {
        begun(request(&owner("anna"), START, 1), &processor, not_before, deadline)
    })
}

fn durations() -> impl Strategy<Value = Duration> {
    (0_u64..8).prop_map(Duration::from_millis)
}

/// How many leases ago the worker got the one it names: mostly the newest.
fn staleness() -> impl Strategy<Value = u32> {
    prop_oneof![8 => Just(0), 1 => Just(1), 1 => Just(u32::MAX)]
}

fn failures() -> impl Strategy<Value = Failure> {
    prop::bool::weighted(0.8).prop_map(|retryable| Failure {
        code: "no_stock".into(),
        title: "No stock".into(),
        detail: String::new(),
        retryable,
    })
}

fn reports() -> impl Strategy<Value = Option<Report>> {
    let stage = prop::option::of(prop::sample::select(vec!["packing", "shipping"]));
    let report = (prop::option::of(0_u8..=100), stage).prop_map(|(percent, stage)| Report {
        percent: percent.map(f64::from),
        message: None,
        stage: stage.map(str::to_owned),
    });
    prop::option::of(report)
}

fn outputs() -> impl Strategy<Value = Output> {
    let json = Output { content_type: Output::JSON.into(), body: br#"{"done":true}"#.to_vec() };
    let other = Output { content_type: "application/pdf".into(), body: vec![0, 255, 13] };
    prop::sample::select(vec![json, other])
}

/// Any act. What stands for the epoch says how many leases ago it was given ([`by_epoch`]).
pub(crate) fn acts() -> impl Strategy<Value = Act> {
    let backoff = Backoff { first: Duration::from_millis(2), most: Duration::from_millis(5) };
    let lease =
        (durations(), durations()).prop_map(|(lease, run)| Act::Lease { worker: worker("wendy"), lease, run: run * 2 });
    let heartbeat = (staleness(), durations(), reports()).prop_map(|(epoch, lease, report)| Act::Heartbeat {
        epoch,
        lease,
        report,
    });
    let fail = (staleness(), failures(), prop::option::of(durations()), any::<u16>())
        .prop_map(move |(epoch, error, retry_after, chance)| Act::Fail { epoch, error, retry_after, backoff, chance });
    prop_oneof![
        5 => lease,
        3 => heartbeat,
        2 => (staleness(), outputs()).prop_map(|(epoch, output)| Act::Complete { epoch, output }),
        3 => fail,
        2 => (staleness(), durations()).prop_map(|(epoch, delay)| Act::Release { epoch, delay }),
        1 => Just(Act::Cancel),
        1 => (0_u32..4, 0_u32..2).prop_map(|(write, step)| Act::CancelAt(vec![Version { write, step }])),
        2 => Just(Act::Redrive),
        1 => Just(Act::Advance),
        1 => Just(Act::Erase),
        1 => Just(Act::Settle),
    ]
}

/// The act by the worker that got its lease so many leases before the newest.
pub(crate) fn by_epoch(mut act: Act, newest: u32) -> Act {
    if let Act::Heartbeat { epoch, .. }
    | Act::Complete { epoch, .. }
    | Act::Fail { epoch, .. }
    | Act::Release { epoch, .. } = &mut act
    {
        *epoch = newest.wrapping_sub(*epoch);
    }
    act
}

/// Something that is done, so many milliseconds after what was done before.
pub(crate) type Step = (i64, Act);

pub(crate) fn steps(passes: std::ops::Range<i64>) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((passes, acts()), 0..12)
}

/// A request in the middle of its life, as a store keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) request: Request,
    pub(crate) stored: Vec<Event>,
    pub(crate) now: Timestamp,
}

/// What one step did.
pub(crate) struct Done {
    pub(crate) act: Act,
    pub(crate) before: View,
    pub(crate) refused: Option<Refused>,
    pub(crate) events: Vec<Event>,
}

impl Life {
    pub(crate) fn of(request: Request) -> Self {
        let stored = if request.work().is_some() { vec![request.submitted_event(&By::default())] } else { vec![] };
        Self { now: request.submitted_at, request, stored }
    }

    /// Does what a store does.
    pub(crate) fn step(&mut self, (millis, act): Step) -> Done {
        self.now = self.now.plus_millis(millis);
        let act = by_epoch(act, self.request.work().map_or(0, |work| work.epoch));
        let before = view(&self.request, self.now);
        let acted = self.request.act(&act, &By::default(), self.now);
        self.request = acted.written.unwrap_or_else(|| self.request.clone());
        self.stored.extend(acted.events.clone());
        Done { act, before, refused: acted.refused, events: acted.events }
    }
}
