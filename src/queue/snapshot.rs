//! A request as it was seen at one moment.

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

impl Snapshot {
    pub(super) fn of(request: Arc<Request>, now: Timestamp) -> Self {
        let view = view(&request, now);
        Self { request, view, now }
    }
}
