//! What of a request no column is searched by: one JSON document.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::clock::Timestamp;
use crate::core::request::{By, Event, EventKind, Progress, Status, Version, Work, WorkState, Worker};
use crate::core::timeline::Failure;

/// The rest of a request.
#[derive(Serialize, Deserialize)]
pub(super) struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trace_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_before: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deadline: Option<i64>,
    /// `write` and `step`.
    pub(super) version: (u32, u32),
    #[serde(default)]
    pub(super) skipped_millis: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cancelled_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) work: Option<WorkDocument>,
}

/// What workers have made of it.
#[derive(Serialize, Deserialize)]
pub(super) struct WorkDocument {
    state: State,
    since: i64,
    epoch: u32,
    attempt: u32,
    most_attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancel_requested_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worker: Option<Worker>,
    /// One or none: `null` is a result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    result: Vec<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Waiting { until: i64 },
    Running { lease_until: i64, run_until: i64 },
    Ended(Status),
}

impl From<&Work> for WorkDocument {
    fn from(work: &Work) -> Self {
        let state = match work.state {
            WorkState::Waiting { until } => State::Waiting { until: until.millis() },
            WorkState::Running { lease_until, run_until } => {
                State::Running { lease_until: lease_until.millis(), run_until: run_until.millis() }
            }
            WorkState::Ended(status) => State::Ended(status),
        };
        Self {
            state,
            since: work.since.millis(),
            epoch: work.epoch,
            attempt: work.attempt,
            most_attempts: work.most_attempts,
            started_at: work.started_at.map(Timestamp::millis),
            cancel_requested_at: work.cancel_requested_at.map(Timestamp::millis),
            progress: work.progress.clone(),
            error: work.error.clone(),
            worker: work.worker.clone(),
            result: work.result.iter().cloned().collect(),
        }
    }
}

impl From<WorkDocument> for Work {
    fn from(work: WorkDocument) -> Self {
        let at = Timestamp::from_millis;
        Self {
            state: match work.state {
                State::Waiting { until } => WorkState::Waiting { until: at(until) },
                State::Running { lease_until, run_until } => {
                    WorkState::Running { lease_until: at(lease_until), run_until: at(run_until) }
                }
                State::Ended(status) => WorkState::Ended(status),
            },
            since: at(work.since),
            epoch: work.epoch,
            attempt: work.attempt,
            most_attempts: work.most_attempts,
            started_at: work.started_at.map(at),
            cancel_requested_at: work.cancel_requested_at.map(at),
            progress: work.progress,
            error: work.error,
            worker: work.worker,
            result: work.result.into_iter().next(),
        }
    }
}

/// Something that happened.
#[derive(Serialize, Deserialize)]
struct EventDocument {
    version: (u32, u32),
    kind: String,
    at: i64,
    status: Status,
    stage: String,
    attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

/// The document of an event.
pub(super) fn write_event(event: &Event) -> String {
    json(&EventDocument {
        version: (event.version.write, event.version.step),
        kind: event.kind.name().to_owned(),
        at: event.at.millis(),
        status: event.status,
        stage: event.stage.clone(),
        attempt: event.attempt,
        actor: event.by.actor.clone(),
        trace_id: event.by.trace_id.clone(),
    })
}

/// The event of a document; none when it can not be read.
pub(super) fn read_event(document: &str) -> Option<Event> {
    let event: EventDocument = serde_json::from_str(document).ok()?;
    let kind: EventKind = event.kind.parse().ok()?;
    Some(Event {
        version: version(event.version),
        kind,
        at: Timestamp::from_millis(event.at),
        status: event.status,
        stage: event.stage,
        attempt: event.attempt,
        by: By { actor: event.actor, trace_id: event.trace_id },
    })
}

pub(super) fn version((write, step): (u32, u32)) -> Version {
    Version { write, step }
}

/// The JSON text of what has string keys and finite numbers only.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
