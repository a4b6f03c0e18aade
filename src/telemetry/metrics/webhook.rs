//! What webhooks count: attempts by what came of them, how long they took, and endpoints that were given up.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::closed;
use super::histogram::Histogram;

closed! {
    /// What came of telling an endpoint.
    Told {
        Taken "taken" "It was answered 2xx."
        Refused "refused" "It was answered something else."
        Unreachable "unreachable" "There was no answer."
    }
}

/// Counts what webhooks do.
#[derive(Clone, Debug)]
pub struct WebhookMetrics {
    attempts: Arc<[Counter]>,
    seconds: Histogram,
    disabled: Counter,
}

impl WebhookMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let attempts = Family::<[(&'static str, &'static str); 1], Counter>::default();
        let of = |result: &Told| attempts.get_or_create_owned(&[("result", result.label())]);
        let metrics = Self {
            attempts: Told::ALL.iter().map(of).collect(),
            seconds: Histogram::slow(),
            disabled: Counter::default(),
        };
        registry.register("webhook_attempts", "Attempts to tell a webhook endpoint, by what came of them", attempts);
        let help = "How long an attempt to tell a webhook endpoint took";
        registry.register_with_unit("webhook_attempt", help, Unit::Seconds, metrics.seconds.clone());
        let help = "Webhook endpoints that were disabled, because they were gone or failed for too long";
        registry.register("webhook_endpoints_disabled", help, metrics.disabled.clone());
        metrics
    }

    /// An attempt has ended.
    pub fn told(&self, result: Told, took: Duration) {
        self.attempts[result as usize].inc();
        self.seconds.took(took);
    }

    /// An endpoint was disabled.
    pub fn disabled(&self) {
        self.disabled.inc();
    }
}
