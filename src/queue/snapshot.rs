//! A request as it was seen at one moment, and for how long it looks the same.

use std::sync::Arc;

use crate::core::clock::Timestamp;
use crate::core::request::{Request, View, view};

/// A request as somebody who may see it saw it. Only the queue makes one.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The request.
    pub request: Arc<Request>,
    /// How it got on.
    pub view: View,
    /// When.
    pub now: Timestamp,
}

/// A request that somebody may see, at one moment. Only the queue makes one.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The request.
    pub request: Arc<Request>,
    /// When.
    pub now: Timestamp,
}

impl Seen {
    /// How it gets on.
    pub fn look(self) -> Snapshot {
        Snapshot::of(self.request, self.now)
    }
}

impl Snapshot {
    pub(super) fn of(request: Arc<Request>, now: Timestamp) -> Self {
        let view = view(&request, now);
        Self { request, view, now }
    }

    /// Whether it still looks the same at `seen`: it was not written since, and time has not moved it on.
    pub fn still_holds(&self, seen: &Seen) -> bool {
        let has_moved_on = self.view.next_change_at.is_some_and(|at| seen.now >= at);
        let is_as_written = || Arc::ptr_eq(&self.request, &seen.request) || self.request == seen.request;
        seen.now >= self.now && !has_moved_on && is_as_written()
    }
}
