//! What an act makes of a request: pure, so that every store does the same.

use std::time::Duration;

use super::work::worker_lost;
use super::{
    Backoff, By, Event, EventKind, Output, Process, Report, Request, Simulation, Status, Tags, Version, Work,
    WorkState, Worker,
};
use crate::core::clock::Timestamp;
use crate::core::timeline::Failure;

/// A request that was changed so often has told enough stages.
const MOST_STAGES_KEPT: u32 = 1_000;

/// What somebody does to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Its owner cancels it; a worker that is at it is asked to stop.
    Cancel,
    /// The same, if one of these versions is its state.
    CancelAt(Vec<Version>),
    /// A worker takes it up.
    Lease {
        /// Who.
        worker: Worker,
        /// How long the lease lasts.
        lease: Duration,
        /// How long the attempt may take, heartbeats or not.
        run: Duration,
    },
    /// Its worker is alive.
    Heartbeat {
        /// The lease that it has.
        epoch: u32,
        /// How long the lease lasts from now on.
        lease: Duration,
        /// How far it is.
        report: Option<Report>,
    },
    /// Its worker is done.
    Complete {
        /// The lease that it has.
        epoch: u32,
        /// What it gives.
        output: Output,
    },
    /// The attempt has failed.
    Fail {
        /// The lease that it has.
        epoch: u32,
        /// Why; whether it is worth another attempt is said there.
        error: Failure,
        /// How long to wait before the next attempt, when the worker says.
        retry_after: Option<Duration>,
        /// How long otherwise.
        backoff: Backoff,
        /// What decides by how much the wait is shortened.
        chance: u16,
    },
    /// Its worker gives it back, and the attempt does not count.
    Release {
        /// The lease that it has.
        epoch: u32,
        /// How long to wait before the next attempt.
        delay: Duration,
    },
    /// It has failed, and is to be tried again, with all its attempts.
    Redrive,
    /// Its timeline is to move to the next stage now.
    Advance,
    /// Its owner erases it, all but its name.
    Erase,
    /// What time has brought about is to be written down, if that is its end.
    Settle,
}

impl Act {
    /// The lease that a worker says it has.
    const fn epoch(&self) -> Option<u32> {
        match self {
            Self::Heartbeat { epoch, .. }
            | Self::Complete { epoch, .. }
            | Self::Fail { epoch, .. }
            | Self::Release { epoch, .. } => Some(*epoch),
            _ => None,
        }
    }
}

/// A heartbeat: how long the lease and the attempt last from then on.
struct Beat {
    lease_until: Timestamp,
    run_until: Timestamp,
    at: Timestamp,
    had_lapsed: bool,
}

/// Why an act was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It has reached its end.
    Ended,
    /// The worker has no lease on it any more, or never had.
    LeaseLost,
    /// It has not reached its end.
    NotEnded,
    /// It has not failed, or no worker was at it, or there is no payload left to work on.
    NotFailed,
    /// Its stages do not pass by themselves.
    NotSimulated,
    /// It can not be leased now.
    NotReady,
    /// It is in another state than the one that was meant.
    Changed,
}

/// What became of an act. What is to be written is to be written also when the act was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Acted {
    /// The request as it is to be written; none when it stays.
    pub written: Option<Request>,
    /// What happened, in order; to be written with it.
    pub events: Vec<Event>,
    /// Why it was not carried out.
    pub refused: Option<Refused>,
}

impl Request {
    /// What `act` makes of it at `now`. Pure and total.
    ///
    /// A clock that goes back does not lead a request back: what is written bears no earlier time than what a reader may have seen.
    pub fn act(&self, act: &Act, by: &By, now: Timestamp) -> Acted {
        let settled = self.settled(now);
        let mut events = if settled.is_some() { self.passed_events(now) } else { Vec::new() };
        let current = settled.as_ref().unwrap_or(self);
        let at = now.max(current.updated_at(now));
        match current.change(act, now, at) {
            Ok(Some((changed, kind))) => {
                // Those of a timeline are told from its table, and never stored.
                if settled.is_none() && kind.is_some() && self.work().is_some() {
                    events.extend(self.passed_events(now));
                }
                events.extend(kind.map(|kind| changed.acted_event(kind, at, by)));
                Acted { written: Some(changed), events, refused: None }
            }
            Ok(None) => Acted { written: settled, events, refused: None },
            Err(refused) => Acted { written: settled, events, refused: Some(refused) },
        }
    }

    /// What becomes of it when it is to be tried again, and its payload is no longer kept: nothing, as of one that has not failed.
    pub fn act_without_payload(&self, by: &By, now: Timestamp) -> Acted {
        Acted { refused: Some(Refused::NotFailed), ..self.act(&Act::Settle, by, now) }
    }

    /// This request with its end written down, when time alone has brought it about and workers were at it. The version stays: it is
    /// the same state.
    fn settled(&self, now: Timestamp) -> Option<Self> {
        let work = self.work()?;
        let (number, phase) = self.phase_at(now);
        if number == 0 || !phase.status.is_terminal() {
            return None;
        }
        let error = if phase.status == Status::Failed { Some(worker_lost(work.attempt)) } else { work.error.clone() };
        let work = Work { state: WorkState::Ended(phase.status), since: phase.at, error, ..work.clone() };
        Some(Self { process: Process::Lease(Box::new(work)), version: self.version_at(number), ..self.clone() })
    }

    /// The request after the act, with the kind of event that it is; none when there is nothing to change, no kind when it is no event.
    /// Judged at `now`, and written as of `at`.
    fn change(&self, act: &Act, now: Timestamp, at: Timestamp) -> Result<Option<(Self, Option<EventKind>)>, Refused> {
        let (number, phase) = self.phase_at(now);
        let status = phase.status;
        match (act, &self.process) {
            (Act::CancelAt(versions), _) if !versions.contains(&self.version_at(number)) => Err(Refused::Changed),
            (Act::CancelAt(_), _) => self.change(&Act::Cancel, now, at),
            (Act::Settle, _) => Ok(None),
            (Act::Erase, _) if status.is_terminal() => Ok(Some((self.erased(at), Some(EventKind::Erased)))),
            (Act::Erase, _) => Err(Refused::NotEnded),
            (Act::Cancel, _) | (Act::Advance, Process::Timeline(_)) if status.is_terminal() => Err(Refused::Ended),
            (Act::Cancel, Process::Timeline(simulation)) => {
                let cancelled = Simulation { cancelled_at: Some(at), ..simulation.clone() };
                Ok(Some((self.next(Process::Timeline(cancelled)), Some(EventKind::Cancelled))))
            }
            (Act::Advance, Process::Timeline(simulation)) => Ok(Some((self.advanced(simulation, number, at), None))),
            (Act::Cancel, Process::Lease(work)) => Ok(self.cancel_work(work, status, at)),
            (Act::Advance, Process::Lease(_)) => Err(Refused::NotSimulated),
            (Act::Redrive, Process::Lease(work)) if work.state == WorkState::Ended(Status::Failed) => {
                // Whoever has it tried again wants it done: its deadline may be long over.
                let (request, kind) = self.work_on(work.fresh(at), EventKind::Redriven);
                Ok(Some((Self { deadline: None, ..request }, kind)))
            }
            (Act::Redrive, _) => Err(Refused::NotFailed),
            (Act::Lease { worker, lease, run }, Process::Lease(work)) if status == Status::Queued => {
                Ok(Some(self.work_on(work.leased(worker, *lease, *run, at), EventKind::Leased)))
            }
            (Act::Lease { .. }, _) => Err(Refused::NotReady),
            (_, Process::Lease(work)) => self.change_work(work, act, now, at),
            (_, Process::Timeline(_)) => Err(Refused::LeaseLost),
        }
    }

    /// A timeline moved on to its next stage.
    fn advanced(&self, simulation: &Simulation, number: usize, at: Timestamp) -> Self {
        let next = self.stage_begins(simulation, number + 1).unwrap_or(at);
        let skipped_millis = simulation.skipped_millis.saturating_add(next.millis_since(at).max(0));
        Self { process: Process::Timeline(Simulation { skipped_millis, ..simulation.clone() }), ..self.clone() }
    }

    fn cancel_work(&self, work: &Work, status: Status, at: Timestamp) -> Option<(Self, Option<EventKind>)> {
        if status != Status::Running {
            let cancelled = Work { cancel_requested_at: Some(at), ..work.ended(Status::Cancelled, at) };
            return Some(self.work_on(cancelled, EventKind::Cancelled));
        }
        work.cancel_requested_at
            .is_none()
            .then(|| self.work_on(Work { cancel_requested_at: Some(at), ..work.clone() }, EventKind::CancelRequested))
    }

    /// What its worker does. Only the newest lease counts; one that has lapsed counts until another is given, but an attempt that has
    /// lasted too long can only be ended.
    fn change_work(
        &self,
        work: &Work,
        act: &Act,
        now: Timestamp,
        at: Timestamp,
    ) -> Result<Option<(Self, Option<EventKind>)>, Refused> {
        let WorkState::Running { run_until, .. } = work.state else {
            // The same completion again: the worker did not hear that it was done.
            let is_repeated = matches!(act, Act::Complete { epoch, .. } if *epoch == work.epoch)
                && work.state == WorkState::Ended(Status::Succeeded);
            return if is_repeated { Ok(None) } else { Err(Refused::LeaseLost) };
        };
        let (number, phase) = self.phase_at(now);
        if act.epoch() != Some(work.epoch) || phase.status.is_terminal() {
            return Err(Refused::LeaseLost);
        }
        let stops = work.cancel_requested_at.is_some();
        let (next, kind) = match act {
            Act::Heartbeat { .. } if number > 0 && now >= run_until => return Err(Refused::LeaseLost),
            Act::Heartbeat { lease, report, .. } => {
                let beat = Beat { lease_until: at.plus(*lease), run_until, at, had_lapsed: number > 0 };
                return Ok(Some(self.heard_of(work, beat, report.as_ref())));
            }
            Act::Complete { output, .. } => {
                let done = Work { result: output.inline(), error: None, ..work.ended(Status::Succeeded, at) };
                (done, EventKind::Completed)
            }
            Act::Fail { .. } | Act::Release { .. } if stops => {
                (work.ended(Status::Cancelled, at), EventKind::Cancelled)
            }
            Act::Fail { error, .. } if !error.retryable || work.attempt >= work.most_attempts => {
                (Work { error: Some(error.clone()), ..work.ended(Status::Failed, at) }, EventKind::Failed)
            }
            Act::Fail { error, retry_after, backoff, chance, .. } => {
                let wait = retry_after.unwrap_or_else(|| backoff.after(work.attempt, *chance));
                (Work { error: Some(error.clone()), ..work.waiting(wait, at) }, EventKind::Failed)
            }
            Act::Release { delay, .. } => {
                (Work { attempt: work.attempt.saturating_sub(1), ..work.waiting(*delay, at) }, EventKind::Released)
            }
            _ => return Err(Refused::LeaseLost),
        };
        Ok(Some(self.work_on(next, kind)))
    }

    /// After a heartbeat. It is an event when the stage is another, or when the lease had lapsed; the stages of a worker that tells new
    /// ones without end are shown, and not kept.
    fn heard_of(&self, work: &Work, beat: Beat, report: Option<&Report>) -> (Self, Option<EventKind>) {
        let Beat { lease_until, run_until, at, had_lapsed } = beat;
        let progress = report.map(|report| work.progressed(report, at)).or_else(|| work.progress.clone());
        let stage = |work: &Work| work.progress.as_ref().and_then(|progress| progress.stage.clone());
        let since = if had_lapsed { at } else { work.since };
        let next = Work { state: WorkState::Running { lease_until, run_until }, since, progress, ..work.clone() };
        let is_told = self.version.write < MOST_STAGES_KEPT && stage(&next) != stage(work);
        let is_event = had_lapsed || is_told;
        let is_seen = is_event || report.is_some();
        let process = Process::Lease(Box::new(next));
        let request = if is_seen { self.next(process) } else { Self { process, ..self.clone() } };
        (request, is_event.then_some(EventKind::Progressed))
    }

    fn work_on(&self, work: Work, kind: EventKind) -> (Self, Option<EventKind>) {
        (self.next(Process::Lease(Box::new(work))), Some(kind))
    }

    /// This request with another state, under the next version.
    fn next(&self, process: Process) -> Self {
        Self { process, version: Version { write: self.version.write.saturating_add(1), step: 0 }, ..self.clone() }
    }

    fn erased(&self, at: Timestamp) -> Self {
        let process = match &self.process {
            Process::Lease(work) => {
                Process::Lease(Box::new(Work { progress: None, error: None, result: None, ..(**work).clone() }))
            }
            timeline @ Process::Timeline(_) => timeline.clone(),
        };
        Self { alias: None, tags: Tags::new(), erased_at: Some(at), ..self.next(process) }
    }
}
