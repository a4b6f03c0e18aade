//! What follows if nobody acts: the phases of a request as it was last written.

use super::{Process, Request, Simulation, Status, Version, Work, WorkState};
use crate::core::clock::Timestamp;

/// A stretch of a request's life: it begins, and lasts until the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase<'a> {
    /// When it begins. The first phase counts before that too.
    pub at: Timestamp,
    /// The status in it.
    pub status: Status,
    /// The name of the stage.
    pub stage: &'a str,
}

impl Phase<'_> {
    /// A phase of which the status is all there is to say.
    fn plain(at: Timestamp, status: Status) -> Self {
        Self { at, status, stage: status.name() }
    }
}

impl Request {
    /// The phase of that number, counted from what was last written; none after the last. Their beginnings never go back, and a
    /// terminal one is the last.
    pub fn phase(&self, number: usize) -> Option<Phase<'_>> {
        match &self.process {
            Process::Timeline(simulation) => self.simulated_phase(simulation, number),
            Process::Lease(work) => self.worked_phase(work, number),
        }
    }

    /// How many phases have begun after the first by `now`, and the one that lasts.
    pub fn phase_at(&self, now: Timestamp) -> (usize, Phase<'_>) {
        let mut found = (0, self.first_phase());
        while let Some(phase) = self.phase(found.0 + 1).filter(|phase| phase.at <= now) {
            found = (found.0 + 1, phase);
        }
        found
    }

    /// The version that a reader sees at the phase of that number.
    pub(super) fn version_at(&self, number: usize) -> Version {
        Version { step: self.version.step.saturating_add(u32::try_from(number).unwrap_or(u32::MAX)), ..self.version }
    }

    /// When it reaches its end if nobody acts; none when it does not by itself.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.find_phase(|phase| phase.status.is_terminal())
    }

    /// When it can be leased if nobody acts before.
    pub fn ready_at(&self) -> Option<Timestamp> {
        self.work()?;
        self.find_phase(|phase| phase.status == Status::Queued)
    }

    fn find_phase(&self, is_it: impl Fn(&Phase<'_>) -> bool) -> Option<Timestamp> {
        let mut phases = (0..).map_while(|number| self.phase(number));
        phases.find(is_it).map(|phase| phase.at)
    }

    fn first_phase(&self) -> Phase<'_> {
        self.phase(0).unwrap_or(Phase::plain(self.submitted_at, Status::Queued))
    }

    /// Stages from the table; before them the wait for `not_before`; and nothing after the deadline.
    fn simulated_phase<'a>(&self, simulation: &'a Simulation, number: usize) -> Option<Phase<'a>> {
        if let Some(at) = simulation.cancelled_at {
            let stage = self.last_stage(simulation, at);
            return (number == 0).then_some(Phase { at, status: Status::Cancelled, stage });
        }
        let natural = |number| self.natural_phase(simulation, number);
        let Some(deadline) = self.deadline else { return natural(number) };
        let in_time = |phase: &Phase<'_>| phase.at < deadline;
        match natural(number) {
            Some(phase) if number == 0 || in_time(&phase) => Some(phase),
            Some(_) => {
                let is_next = natural(number - 1).is_some_and(|before| number == 1 || in_time(&before));
                is_next.then_some(Phase::plain(deadline.max(self.submitted_at), Status::Expired))
            }
            None => None,
        }
    }

    /// The phases of a timeline that nobody cancels and that has no deadline.
    fn natural_phase<'a>(&self, simulation: &'a Simulation, number: usize) -> Option<Phase<'a>> {
        let begins_at = self.begins_at();
        let waits = usize::from(begins_at > self.submitted_at);
        if number < waits {
            return Some(Phase::plain(self.submitted_at, Status::Scheduled));
        }
        let stage = simulation.timeline.stages().get(number - waits)?;
        let origin = begins_at.plus_millis(-simulation.skipped_millis);
        let at = origin.plus_millis(stage.after_millis).max(self.submitted_at);
        Some(Phase { at, status: stage.status, stage: &stage.stage })
    }

    /// When the stage of that number begins if it is in time for the deadline.
    pub(super) fn stage_begins(&self, simulation: &Simulation, number: usize) -> Option<Timestamp> {
        self.natural_phase(simulation, number).map(|phase| phase.at)
    }

    /// The name of the stage in which a timeline was cancelled.
    fn last_stage<'a>(&self, simulation: &'a Simulation, at: Timestamp) -> &'a str {
        let phases = (0..).map_while(|number| self.natural_phase(simulation, number));
        let begun = phases.enumerate().take_while(|(number, phase)| *number == 0 || phase.at <= at);
        begun.last().map_or(Status::Cancelled.name(), |(_, phase)| phase.stage)
    }

    fn worked_phase<'a>(&self, work: &'a Work, number: usize) -> Option<Phase<'a>> {
        let expiry = |after: Timestamp| self.deadline.map(|at| Phase::plain(at.max(after), Status::Expired));
        match work.state {
            WorkState::Ended(status) => (number == 0).then_some(Phase::plain(work.since, status)),
            WorkState::Waiting { until } => {
                let waits = until > work.since;
                let waiting = if work.attempt == 0 { Status::Scheduled } else { Status::Retrying };
                let is_queued_in_time = self.deadline.is_none_or(|deadline| until < deadline);
                match (number, waits) {
                    (0, true) => Some(Phase::plain(work.since, waiting)),
                    (0, false) => Some(Phase::plain(work.since, Status::Queued)),
                    (1, true) if is_queued_in_time => Some(Phase::plain(until, Status::Queued)),
                    (1, _) => expiry(work.since),
                    (2, true) if is_queued_in_time => expiry(until),
                    _ => None,
                }
            }
            WorkState::Running { lease_until, run_until } => {
                let lapses_at = lease_until.min(run_until).max(work.since);
                let cancelled_at = expiry(work.since).map_or(lapses_at, |expired| expired.at.min(lapses_at));
                let expired = expiry(work.since).filter(|expired| expired.at <= lapses_at);
                let lapsed = Phase::plain(lapses_at, work.lapsed());
                match number {
                    0 => Some(Phase { at: work.since, status: Status::Running, stage: work.stage() }),
                    1 if work.cancel_requested_at.is_some() => Some(Phase { at: cancelled_at, ..lapsed }),
                    1 => Some(expired.unwrap_or(lapsed)),
                    2 if expired.is_none() && lapsed.status == Status::Queued => expiry(lapses_at),
                    _ => None,
                }
            }
        }
    }

    /// When the lease ends, if a worker has one: the sooner of lease, attempt and deadline.
    pub fn lease_ends_at(&self) -> Option<Timestamp> {
        let work = self.work()?;
        matches!(work.state, WorkState::Running { .. }).then(|| self.phase(1).map(|lapsed| lapsed.at)).flatten()
    }
}

impl Work {
    /// What becomes of it when the lease lapses.
    fn lapsed(&self) -> Status {
        if self.cancel_requested_at.is_some() {
            Status::Cancelled
        } else if self.attempt >= self.most_attempts {
            Status::Failed
        } else {
            Status::Queued
        }
    }

    /// The name of the stage while a worker works on it.
    fn stage(&self) -> &str {
        self.progress.as_ref().and_then(|progress| progress.stage.as_deref()).unwrap_or(Status::Running.name())
    }
}
