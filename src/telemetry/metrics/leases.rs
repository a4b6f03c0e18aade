//! What becomes of leases, by type: the backlog tells how much there is to do, and this how it goes.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Labels, closed};

closed! {
    /// What became of a lease.
    Lease {
        Given "given" "A worker took a request up."
        Completed "completed" "Its worker was done."
        Retried "retried" "The attempt failed, and there will be another."
        Failed "failed" "The attempt failed, and there will be none."
        Cancelled "cancelled" "Its worker stopped as it was asked."
        Released "released" "Its worker gave it back."
        Lapsed "lapsed" "Its worker was not heard of, and another took the request up."
        Late "late" "A worker came with a lease that it had lost."
    }
}

/// Counts what becomes of leases.
#[derive(Clone, Debug)]
pub struct LeaseMetrics(Family<Labels<2>, Counter>);

impl LeaseMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let leases = Family::default();
        registry.register("leases", "Leases of workers, by what became of them", leases.clone());
        Self(leases)
    }

    /// The type's name is that of a configured one, or of a stored request's: nobody from outside can make one up.
    pub fn count(&self, kind: &str, outcome: Lease) {
        let labels = [("type", kind.to_owned()), ("outcome", outcome.label().to_owned())];
        self.0.get_or_create_owned(&labels).inc();
    }
}
