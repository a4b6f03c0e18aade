//! The state of a request that workers work on, as it was last written.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Status;
use crate::core::clock::Timestamp;
use crate::core::timeline::Failure;

/// What workers have made of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// Where it stands.
    pub state: WorkState,
    /// Since when it stands there.
    pub since: Timestamp,
    /// The fencing number: it grows with each lease, and only the worker that has the newest may write.
    pub epoch: u32,
    /// How many attempts were begun. Counted when the lease is given, so that a worker that dies has used one up.
    pub attempt: u32,
    /// How many attempts there may be.
    pub most_attempts: u32,
    /// When it first ran.
    pub started_at: Option<Timestamp>,
    /// When its owner asked to cancel it.
    pub cancel_requested_at: Option<Timestamp>,
    /// How far its worker says it is.
    pub progress: Option<Progress>,
    /// What went wrong with the last attempt that failed.
    pub error: Option<Failure>,
    /// Who works on it, or was the last to.
    pub worker: Option<Worker>,
    /// What it gave, where that is JSON and small ([`Output::inline`]).
    pub result: Option<Value>,
}

/// Where a request stands that workers work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkState {
    /// It may be leased from then on.
    Waiting {
        /// When.
        until: Timestamp,
    },
    /// A worker has a lease on it.
    Running {
        /// The lease ends then, unless the worker is heard of.
        lease_until: Timestamp,
        /// The attempt ends then, whatever the worker says.
        run_until: Timestamp,
    },
    /// It has reached its end.
    Ended(Status),
}

/// Who works on a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// The `iss` of its token.
    pub issuer: String,
    /// The `sub` of its token.
    pub subject: String,
    /// What it calls itself.
    pub id: String,
}

/// How far a request is, as its worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// In percent, 0 to 100.
    pub percent: Option<f64>,
    /// In words.
    pub message: Option<String>,
    /// The name of the stage it is in.
    pub stage: Option<String>,
    /// When the worker said so, in milliseconds since 1970.
    pub at: i64,
}

/// What a worker says about how far it is; what it leaves out stays as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// In percent, 0 to 100.
    pub percent: Option<f64>,
    /// In words.
    pub message: Option<String>,
    /// The name of the stage it is in.
    pub stage: Option<String>,
}

/// What a request gave, with its media type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The media type.
    pub content_type: String,
    /// The bytes.
    pub body: Vec<u8>,
}

impl Output {
    /// The media type of JSON.
    pub const JSON: &'static str = "application/json";
    /// So many bytes of JSON are shown in the view itself.
    pub const INLINE_BYTES: usize = 4096;

    /// What of it the view shows: JSON of up to 4 KiB.
    pub fn inline(&self) -> Option<Value> {
        let is_small_json = self.content_type == Self::JSON && self.body.len() <= Self::INLINE_BYTES;
        is_small_json.then(|| serde_json::from_slice(&self.body).ok()).flatten()
    }
}

/// How long to wait between attempts: twice as long after each, up to a limit, and by chance up to half of that less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first attempt.
    pub first: Duration,
    /// At most.
    pub most: Duration,
}

impl Backoff {
    /// The wait after so many attempts; `chance` of 0 to 65535 says how much is taken off.
    pub fn after(&self, attempts: u32, chance: u16) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let whole = self.first.saturating_mul(doubled).min(self.most);
        // Divided first: no length that is configured overflows.
        whole.saturating_sub(whole / (1 << 17) * u32::from(chance))
    }
}

impl Work {
    /// Work that waits until `begins_at`, submitted at `submitted_at`.
    pub fn new(submitted_at: Timestamp, begins_at: Timestamp, most_attempts: u32) -> Self {
        Self {
            state: WorkState::Waiting { until: begins_at },
            since: submitted_at,
            epoch: 0,
            attempt: 0,
            most_attempts,
            started_at: None,
            cancel_requested_at: None,
            progress: None,
            error: None,
            worker: None,
            result: None,
        }
    }

    /// Leased to a worker.
    pub(super) fn leased(&self, worker: &Worker, lease: Duration, run: Duration, at: Timestamp) -> Self {
        Self {
            state: WorkState::Running { lease_until: at.plus(lease), run_until: at.plus(run) },
            since: at,
            epoch: self.epoch.saturating_add(1),
            attempt: self.attempt.saturating_add(1),
            started_at: self.started_at.or(Some(at)),
            worker: Some(worker.clone()),
            progress: None,
            ..self.clone()
        }
    }

    /// Waiting for its next attempt.
    pub(super) fn waiting(&self, wait: Duration, at: Timestamp) -> Self {
        Self { state: WorkState::Waiting { until: at.plus(wait) }, since: at, progress: None, ..self.clone() }
    }

    /// At its end.
    pub(super) fn ended(&self, status: Status, at: Timestamp) -> Self {
        Self { state: WorkState::Ended(status), since: at, ..self.clone() }
    }

    /// With all its attempts before it again. The epoch goes on: no lease of before comes back to life.
    pub(super) fn fresh(&self, at: Timestamp) -> Self {
        let (epoch, started_at, worker) = (self.epoch, self.started_at, self.worker.clone());
        Self { epoch, started_at, worker, ..Self::new(at, at, self.most_attempts) }
    }

    /// How far it is, after what the worker has just said.
    pub(super) fn progressed(&self, report: &Report, now: Timestamp) -> Progress {
        let before = self.progress.as_ref();
        Progress {
            percent: report.percent.or_else(|| before?.percent),
            message: report.message.clone().or_else(|| before?.message.clone()),
            stage: report.stage.clone().or_else(|| before?.stage.clone()),
            at: now.millis(),
        }
    }
}

/// What an owner reads of a request whose workers were lost.
pub(super) fn worker_lost(attempts: u32) -> Failure {
    Failure {
        code: "worker_lost".into(),
        title: "The workers were lost".into(),
        detail: format!(
            "{attempts} attempts were begun, and in the last one the worker was not heard of again before its lease ended. \
             The request may be what ends the workers; the Provider can look at it and let it be tried again."
        ),
        retryable: true,
    }
}
