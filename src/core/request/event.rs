//! What happened to a request, in order: versions that name its states, and the events that led to them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Process, Request, Status};
use crate::core::clock::Timestamp;

/// Names a state of a request. Versions of one request grow, and never come again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// How often somebody changed it.
    pub write: u32,
    /// How often time has changed it since.
    pub step: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.write, self.step)
    }
}

impl FromStr for Version {
    type Err = ();

    /// Reads the one form that `Display` writes.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (write, step) = text.split_once('.').ok_or(())?;
        let version = Self { write: write.parse().map_err(|_| ())?, step: step.parse().map_err(|_| ())? };
        if version.to_string() == text { Ok(version) } else { Err(()) }
    }
}

/// Who acts, and in which HTTP exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct By {
    /// Who: the subject of a token, a worker's name; none for the gateway itself.
    pub actor: Option<String>,
    /// The HTTP exchange.
    pub trace_id: Option<String>,
}

/// What led to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It was submitted.
    Submitted,
    /// Time passed: a stage began, a wait was over, a lease lapsed.
    TimePassed,
    /// A worker took it up.
    Leased,
    /// Its worker told a new stage, or was heard of again after its lease had lapsed.
    Progressed,
    /// Its worker was done.
    Completed,
    /// An attempt failed.
    Failed,
    /// Its worker gave it back.
    Released,
    /// Its owner asked its worker to stop.
    CancelRequested,
    /// It was cancelled.
    Cancelled,
    /// It had failed, and is tried again.
    Redriven,
    /// Its owner erased it.
    Erased,
}

impl EventKind {
    /// Every kind there is.
    pub const ALL: [Self; 11] = [
        Self::Submitted,
        Self::TimePassed,
        Self::Leased,
        Self::Progressed,
        Self::Completed,
        Self::Failed,
        Self::Released,
        Self::CancelRequested,
        Self::Cancelled,
        Self::Redriven,
        Self::Erased,
    ];

    /// The name, as on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::TimePassed => "time_passed",
            Self::Leased => "leased",
            Self::Progressed => "progressed",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::CancelRequested => "cancel_requested",
            Self::Cancelled => "cancelled",
            Self::Redriven => "redriven",
            Self::Erased => "erased",
        }
    }
}

impl FromStr for EventKind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

/// Something that happened to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The state that it led to.
    pub version: Version,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// The status from then on.
    pub status: Status,
    /// The name of the stage from then on.
    pub stage: String,
    /// How many attempts were begun by then.
    pub attempt: u32,
    /// Who did it.
    pub by: By,
}

impl Request {
    /// The event of an act at `at`, which this request is the outcome of.
    pub(super) fn acted_event(&self, kind: EventKind, at: Timestamp, by: &By) -> Event {
        // What workers work on begins anew with each act; a timeline goes on as it was, even when it is erased.
        let number = if self.work().is_some() { 0 } else { self.phase_at(at).0 };
        Event { kind, at, by: by.clone(), ..self.phase_event(number) }
    }

    /// The event with which the phase of that number begins.
    fn phase_event(&self, number: usize) -> Event {
        let (_, first) = self.phase_at(Timestamp::from_millis(i64::MIN));
        let phase = self.phase(number).unwrap_or(first);
        Event {
            version: self.version_at(number),
            kind: EventKind::TimePassed,
            at: phase.at,
            status: phase.status,
            stage: phase.stage.to_owned(),
            attempt: self.work().map_or(0, |work| work.attempt),
            by: By::default(),
        }
    }

    /// What has come about by time alone since it was last written.
    pub fn passed_events(&self, now: Timestamp) -> Vec<Event> {
        let (last, _) = self.phase_at(now);
        (1..=last).map(|number| self.phase_event(number)).collect()
    }

    /// The event of its submission, which a store keeps with it where workers work on it.
    pub fn submitted_event(&self, by: &By) -> Event {
        Event { kind: EventKind::Submitted, at: self.submitted_at, by: by.clone(), ..self.phase_event(0) }
    }
}

/// Everything that has happened to a request by `now`, given what of it is stored: what time alone has brought about is never stored
/// until somebody acts, and for a timeline it is not stored at all.
pub fn history(request: &Request, stored: &[Event], now: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    if let Process::Timeline(simulation) = &request.process {
        let (uncancelled, until) = (request.uncancelled(), simulation.cancelled_at.unwrap_or(now));
        let by = By { actor: Some(request.owner.subject.clone()), trace_id: request.trace_id.clone() };
        events.push(uncancelled.submitted_event(&by));
        // What was cancelled had not ended, also when the clock went back for it.
        let is_cancelled = simulation.cancelled_at.is_some();
        let passed = uncancelled.passed_events(until).into_iter();
        events.extend(passed.filter(|event| !is_cancelled || !event.status.is_terminal()));
    }
    events.extend_from_slice(stored);
    if request.work().is_some() {
        // What is stored may be newer than the request that was read.
        let told = stored.last().map(|event| event.version);
        events.extend(
            request.passed_events(now).into_iter().filter(|event| told.is_none_or(|told| event.version > told)),
        );
    }
    events
}
