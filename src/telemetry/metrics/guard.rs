//! What guards decide, counted by guard and result.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::{Labels, closed, counters};

closed! {
    /// What a guard decided about a call.
    Decided {
        Allowed "allowed" "It may pass."
        Unauthenticated "unauthenticated" "There is no genuine token."
        Denied "denied" "The token is genuine and not enough."
        Unavailable "unavailable" "It could not be told."
    }
}

/// Counts the decisions of one guard.
#[derive(Clone, Debug)]
pub struct GuardMetrics(Arc<[Counter]>);

impl GuardMetrics {
    pub(super) fn of(family: &Family<Labels<2>, Counter>, name: &str) -> Self {
        Self(counters(family, ("guard", name), "result", Decided::ALL.iter().map(|result| result.label())))
    }

    /// A call was decided about.
    pub fn decided(&self, result: Decided) {
        self.0[result as usize].inc();
    }
}
