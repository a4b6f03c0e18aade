//! What an act makes of a request: pure, so that every store does the same.

use std::time::Duration;

use super::work::worker_lost;
use super::{
    Backoff, By, Event, EventKind, Output, Process, Report, Request, Status, Tags, Version, Work, WorkState, Worker,
};
use crate::core::clock::Timestamp;
use crate::core::timeline::Failure;

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

/// Why an act was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It has reached its end.
    Ended,
    /// The worker has no lease on it any more, or never had.
    LeaseLost,
    /// It has not reached its end.
    NotEnded,
    /// It has not failed, or no worker was at it.
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
    pub fn act(&self, act: &Act, by: &By, now: Timestamp) -> Acted {
        let settled = self.settled(now);
        let mut events = if settled.is_some() { self.passed_events(now) } else { Vec::new() };
        let current = settled.as_ref().unwrap_or(self);
        match current.change(act, now) {
            Ok(Some((changed, kind))) => {
                if settled.is_none() && kind.is_some() {
                    events.extend(self.passed_events(now));
                }
                events.extend(kind.map(|kind| changed.acted_event(kind, now.max(self.submitted_at), by)));
                Acted { written: Some(changed), events, refused: None }
            }
            Ok(None) => Acted { written: settled, events, refused: None },
            Err(refused) => Acted { written: settled, events, refused: Some(refused) },
        }
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
    fn change(&self, act: &Act, now: Timestamp) -> Result<Option<(Self, Option<EventKind>)>, Refused> {
        let (number, phase) = self.phase_at(now);
        let status = phase.status;
        match (act, &self.process) {
            (Act::CancelAt(versions), _) if !versions.contains(&self.version_at(number)) => Err(Refused::Changed),
            (Act::CancelAt(_), _) => self.change(&Act::Cancel, now),
            (Act::Settle, _) => Ok(None),
            (Act::Erase, _) if status.is_terminal() => Ok(Some((self.erased(now), Some(EventKind::Erased)))),
            (Act::Erase, _) => Err(Refused::NotEnded),
            (Act::Cancel, _) if status.is_terminal() => Err(Refused::Ended),
            (Act::Cancel, Process::Timeline(simulation)) => {
                let mut cancelled = simulation.clone();
                // A clock that went back does not make a request end before it was submitted.
                cancelled.cancelled_at = Some(now.max(self.submitted_at));
                Ok(Some((self.next(Process::Timeline(cancelled)), Some(EventKind::Cancelled))))
            }
            (Act::Cancel, Process::Lease(work)) => Ok(self.cancel_work(work, status, now)),
            (Act::Advance, Process::Timeline(simulation)) => {
                let next = self.phase(number + 1).ok_or(Refused::Ended)?;
                let mut advanced = simulation.clone();
                advanced.skipped_millis = advanced.skipped_millis.saturating_add(next.at.millis_since(now).max(0));
                Ok(Some((Self { process: Process::Timeline(advanced), ..self.clone() }, None)))
            }
            (Act::Advance, Process::Lease(_)) => Err(Refused::NotSimulated),
            (Act::Redrive, Process::Lease(work)) if work.state == WorkState::Ended(Status::Failed) => {
                let fresh = Work {
                    epoch: work.epoch,
                    started_at: work.started_at,
                    worker: work.worker.clone(),
                    ..Work::new(now, now, work.most_attempts)
                };
                // Whoever has it tried again wants it done: its deadline may be long over.
                let request = self.next(Process::Lease(Box::new(fresh)));
                Ok(Some((Self { deadline: None, ..request }, Some(EventKind::Redriven))))
            }
            (Act::Redrive, _) => Err(Refused::NotFailed),
            (Act::Lease { .. }, Process::Lease(_)) if status != Status::Queued => Err(Refused::NotReady),
            (Act::Lease { worker, lease, run }, Process::Lease(work)) => {
                Ok(Some(self.work_on(work.leased(worker, *lease, *run, now), EventKind::Leased)))
            }
            (
                Act::Heartbeat { .. } | Act::Complete { .. } | Act::Fail { .. } | Act::Release { .. },
                Process::Lease(work),
            ) => self.change_work(work, act, status, now),
            (_, Process::Timeline(_)) => Err(Refused::LeaseLost),
        }
    }

    fn cancel_work(&self, work: &Work, status: Status, now: Timestamp) -> Option<(Self, Option<EventKind>)> {
        if status != Status::Running {
            let cancelled = Work { cancel_requested_at: Some(now), ..work.ended(Status::Cancelled, now) };
            return Some(self.work_on(cancelled, EventKind::Cancelled));
        }
        work.cancel_requested_at
            .is_none()
            .then(|| self.work_on(Work { cancel_requested_at: Some(now), ..work.clone() }, EventKind::CancelRequested))
    }

    /// What its worker does. Only the newest lease counts; one that has lapsed counts until another is given.
    fn change_work(
        &self,
        work: &Work,
        act: &Act,
        status: Status,
        now: Timestamp,
    ) -> Result<Option<(Self, Option<EventKind>)>, Refused> {
        let WorkState::Running { run_until, .. } = work.state else {
            // The same completion again: the worker did not hear that it was done.
            let is_repeated = matches!(act, Act::Complete { epoch, .. } if *epoch == work.epoch)
                && work.state == WorkState::Ended(Status::Succeeded);
            return if is_repeated { Ok(None) } else { Err(Refused::LeaseLost) };
        };
        let (Act::Heartbeat { epoch, .. }
        | Act::Complete { epoch, .. }
        | Act::Fail { epoch, .. }
        | Act::Release { epoch, .. }) = act
        else {
            return Ok(None);
        };
        if *epoch != work.epoch || status.is_terminal() {
            return Err(Refused::LeaseLost);
        }
        let stops = work.cancel_requested_at.is_some();
        let (next, kind) = match act {
            Act::Heartbeat { lease, report, .. } => {
                return Ok(Some(self.heard_of(work, (now.plus(*lease), run_until), report.as_ref(), now)));
            }
            Act::Complete { output, .. } => {
                let done = Work { result: output.inline(), error: None, ..work.ended(Status::Succeeded, now) };
                (done, EventKind::Completed)
            }
            Act::Fail { .. } | Act::Release { .. } if stops => {
                (work.ended(Status::Cancelled, now), EventKind::Cancelled)
            }
            Act::Fail { error, .. } if !error.retryable || work.attempt >= work.most_attempts => {
                (Work { error: Some(error.clone()), ..work.ended(Status::Failed, now) }, EventKind::Failed)
            }
            Act::Fail { error, retry_after, backoff, chance, .. } => {
                let wait = retry_after.unwrap_or_else(|| backoff.after(work.attempt, *chance));
                (Work { error: Some(error.clone()), ..work.waiting(wait, now) }, EventKind::Failed)
            }
            Act::Release { delay, .. } => {
                (Work { attempt: work.attempt.saturating_sub(1), ..work.waiting(*delay, now) }, EventKind::Released)
            }
            _ => return Ok(None),
        };
        Ok(Some(self.work_on(next, kind)))
    }

    /// After a heartbeat. It is an event when the stage is another, or when the lease had lapsed.
    fn heard_of(
        &self,
        work: &Work,
        (lease_until, run_until): (Timestamp, Timestamp),
        report: Option<&Report>,
        now: Timestamp,
    ) -> (Self, Option<EventKind>) {
        let had_lapsed = self.phase_at(now).0 > 0;
        let progress = report.map(|report| work.progressed(report, now)).or_else(|| work.progress.clone());
        let stage = |work: &Work| work.progress.as_ref().and_then(|progress| progress.stage.clone());
        let since = if had_lapsed { now } else { work.since };
        let next = Work { state: WorkState::Running { lease_until, run_until }, since, progress, ..work.clone() };
        let is_event = had_lapsed || stage(&next) != stage(work);
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
        Self { process, version: Version { write: self.version.write + 1, step: 0 }, ..self.clone() }
    }

    fn erased(&self, now: Timestamp) -> Self {
        let process = match &self.process {
            Process::Lease(work) => {
                Process::Lease(Box::new(Work { progress: None, error: None, result: None, ..(**work).clone() }))
            }
            timeline @ Process::Timeline(_) => timeline.clone(),
        };
        Self { alias: None, tags: Tags::new(), erased_at: Some(now), ..self.next(process) }
    }
}

impl Work {
    fn leased(&self, worker: &Worker, lease: Duration, run: Duration, now: Timestamp) -> Self {
        Self {
            state: WorkState::Running { lease_until: now.plus(lease), run_until: now.plus(run) },
            since: now,
            epoch: self.epoch + 1,
            attempt: self.attempt + 1,
            started_at: self.started_at.or(Some(now)),
            worker: Some(worker.clone()),
            progress: None,
            ..self.clone()
        }
    }

    fn waiting(&self, wait: Duration, now: Timestamp) -> Self {
        Self { state: WorkState::Waiting { until: now.plus(wait) }, since: now, progress: None, ..self.clone() }
    }

    fn ended(&self, status: Status, now: Timestamp) -> Self {
        Self { state: WorkState::Ended(status), since: now, ..self.clone() }
    }
}
