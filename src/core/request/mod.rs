//! A request, and the pure functions that say how it gets on ([`view`]) and what an act makes of it ([`Request::act`]).
//!
//! A row that is written once tells its own future: [`Request::phase`] gives the statuses that follow one another if nobody acts, and
//! everything else is derived from them: the view, its version, the events, and the columns that a store searches by.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::timeline::Timeline;

mod act;
mod event;
mod id;
mod phase;
mod status;
mod view;
mod work;

pub use act::{Act, Acted, Refused};
pub use event::{By, Event, EventKind, Version, history};
pub use id::RequestId;
pub use phase::Phase;
pub use status::Status;
pub use view::{View, view};
pub use work::{Backoff, Output, Progress, Report, Work, WorkState, Worker};

/// Whose a request is: issuer and subject together, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The `iss` of the token that submitted it.
    pub issuer: String,
    /// The `sub` of the token that submitted it.
    pub subject: String,
}

/// A client's own labels on a request.
pub type Tags = BTreeMap<String, String>;

/// A request as the store keeps it, without its payload and its whole result.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its name.
    pub id: RequestId,
    /// Whose it is.
    pub owner: Owner,
    /// The name of its type.
    pub kind: String,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// The HTTP exchange that submitted it.
    pub trace_id: Option<String>,
    /// It does not start before.
    pub not_before: Option<Timestamp>,
    /// It expires unless it is done before.
    pub deadline: Option<Timestamp>,
    /// Another name that its submitter knows it by, unique per owner (the partner prototype's `QR-…`).
    pub alias: Option<String>,
    /// Its owner's labels.
    pub tags: Tags,
    /// What moves it on, and how far it is.
    pub process: Process,
    /// The version that was written last.
    pub version: Version,
    /// When its owner erased it: then it is a tombstone, without payload, result and labels.
    pub erased_at: Option<Timestamp>,
}

/// What moves a request on.
#[derive(Clone, Debug, PartialEq)]
pub enum Process {
    /// The time that passes.
    Timeline(Simulation),
    /// Workers, who take out leases.
    Lease(Box<Work>),
}

/// A request that passes through stages by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// The stages it passes through, as configured when it was submitted.
    pub timeline: Arc<Timeline>,
    /// By how much it was advanced beyond the time that has passed, in milliseconds (development mode).
    pub skipped_millis: i64,
    /// When its owner cancelled it.
    pub cancelled_at: Option<Timestamp>,
}

impl Simulation {
    /// One that has just begun.
    pub fn new(timeline: Arc<Timeline>) -> Self {
        Self { timeline, skipped_millis: 0, cancelled_at: None }
    }
}

impl Request {
    /// The name that the submitter was given.
    pub fn public_name(&self) -> String {
        self.alias.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// When its stages begin to be counted, or its first attempt may begin.
    pub fn begins_at(&self) -> Timestamp {
        self.not_before.map_or(self.submitted_at, |not_before| not_before.max(self.submitted_at))
    }

    /// What workers have made of it; none when none are asked.
    pub fn work(&self) -> Option<&Work> {
        match &self.process {
            Process::Lease(work) => Some(work),
            Process::Timeline(_) => None,
        }
    }

    /// The stages it passes through; none when workers work on it.
    pub fn simulation(&self) -> Option<&Simulation> {
        match &self.process {
            Process::Timeline(simulation) => Some(simulation),
            Process::Lease(_) => None,
        }
    }

    /// Takes what the view shows of its result away: it is no longer kept.
    pub fn forget_result(&mut self) {
        if let Process::Lease(work) = &mut self.process {
            work.result = None;
        }
    }

    /// When its owner asked to cancel it.
    pub fn cancel_requested_at(&self) -> Option<Timestamp> {
        match &self.process {
            Process::Timeline(simulation) => simulation.cancelled_at,
            Process::Lease(work) => work.cancel_requested_at,
        }
    }
}
