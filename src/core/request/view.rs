//! `view`: the one pure function that says how a request gets on at a given time.

use serde_json::Value;

use super::work::worker_lost;
use super::{Process, Request, Status, Version, WorkState};
use crate::core::clock::Timestamp;
use crate::core::timeline::Failure;

/// How a request gets on at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The status.
    pub status: Status,
    /// The name of the stage.
    pub stage: String,
    /// When it first ran.
    pub started_at: Option<Timestamp>,
    /// When it reached its end.
    pub finished_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it will change next; none when terminal, and when only a worker changes it.
    pub next_change_at: Option<Timestamp>,
    /// Why it failed, or why its last attempt did.
    pub error: Option<Failure>,
    /// What it gave; none where that is large, or no JSON.
    pub result: Option<Value>,
    /// Names this state of the request: equal versions of one request are equal views.
    pub version: Version,
}

/// How `request` gets on at `now`. Pure and total: every reader asks this function and no other.
pub fn view(request: &Request, now: Timestamp) -> View {
    let (number, phase) = request.phase_at(now);
    let updated_at = request.updated_at(now);
    View {
        status: phase.status,
        stage: phase.stage.to_owned(),
        started_at: request.started_at(number),
        finished_at: phase.status.is_terminal().then_some(updated_at),
        updated_at,
        next_change_at: request.phase(number + 1).map(|next| next.at),
        error: request.error(number, phase.status),
        result: if phase.status == Status::Succeeded { request.result() } else { None },
        version: request.version_at(number),
    }
}

impl Request {
    /// When a reader at `now` sees that it last changed.
    pub(super) fn updated_at(&self, now: Timestamp) -> Timestamp {
        let (number, phase) = self.phase_at(now);
        phase.at.max(self.said_at(number))
    }

    /// When, since the phase was written, something was said that does not change the status.
    fn said_at(&self, number: usize) -> Timestamp {
        let earliest = Timestamp::from_millis(i64::MIN);
        match self.work() {
            Some(work) if number == 0 && matches!(work.state, WorkState::Running { .. }) => {
                let progress = work.progress.as_ref().map(|progress| Timestamp::from_millis(progress.at));
                progress.into_iter().chain(work.cancel_requested_at).max().unwrap_or(earliest)
            }
            _ => earliest,
        }
    }

    fn started_at(&self, number: usize) -> Option<Timestamp> {
        match &self.process {
            Process::Lease(work) => work.started_at,
            Process::Timeline(simulation) => match simulation.cancelled_at {
                None => self.began_to_run(number),
                Some(at) => {
                    let uncancelled = self.uncancelled();
                    let (number, _) = uncancelled.phase_at(at);
                    uncancelled.began_to_run(number)
                }
            },
        }
    }

    fn began_to_run(&self, number: usize) -> Option<Timestamp> {
        let mut phases = (0..=number).map_while(|number| self.phase(number));
        phases.find(|phase| phase.status == Status::Running).map(|phase| phase.at)
    }

    /// This timeline request as it would have gone on.
    pub(super) fn uncancelled(&self) -> Self {
        let mut request = self.clone();
        if let Process::Timeline(simulation) = &mut request.process {
            simulation.cancelled_at = None;
            request.version = Version::default();
        }
        request
    }

    fn error(&self, number: usize, status: Status) -> Option<Failure> {
        match (&self.process, status) {
            (Process::Timeline(simulation), Status::Failed) => simulation.timeline.error().cloned(),
            (Process::Lease(work), Status::Failed) if number > 0 => Some(worker_lost(work.attempt)),
            (Process::Lease(work), Status::Failed | Status::Retrying) => work.error.clone(),
            _ => None,
        }
    }

    fn result(&self) -> Option<Value> {
        match &self.process {
            Process::Timeline(simulation) => simulation.timeline.result(&self.public_name()),
            Process::Lease(work) => work.result.clone(),
        }
    }
}
