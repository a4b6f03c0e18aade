//! What quotas count: what was refused, by the limit that was reached. No owner is a label.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::core::quota::Limit;

/// Counts what is refused because an owner's share is used up.
#[derive(Clone, Debug)]
pub struct QuotaMetrics(Arc<[Counter]>);

impl QuotaMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let refusals = Family::<[(&'static str, &'static str); 1], Counter>::default();
        let of = |limit: Limit| refusals.get_or_create_owned(&[("limit", limit.name())]);
        let metrics = Self(Limit::ALL.into_iter().map(of).collect());
        let help = "Calls, and submissions within them, that were refused because their owner's share was used up, by the limit";
        registry.register("quota_refusals", help, refusals);
        metrics
    }

    /// Something was refused.
    pub fn refused(&self, limit: Limit) {
        self.0[limit as usize].inc();
    }
}
