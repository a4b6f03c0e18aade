//! How the queue gets on: what workers have before them, as gauges at the time of a scrape, and what the gateway settles and removes.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Labels, closed};
use crate::core::clock::Timestamp;
use crate::core::ports::requests::Backlog;
use crate::core::request::Status;

closed! {
    /// What is removed once it has been kept for long enough.
    Purge {
        Request "request" "A request, with all that belongs to it."
        Payload "payload" "The payload and the result of a request that is kept."
    }
}

/// Counts what the queue does by itself.
#[derive(Clone, Debug)]
pub struct KeeperMetrics {
    settled: Family<Labels<1>, Counter>,
    purged: Family<Labels<1>, Counter>,
}

impl KeeperMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self { settled: Family::default(), purged: Family::default() };
        for status in [Status::Expired, Status::Failed, Status::Cancelled] {
            metrics.of_status(status);
        }
        for what in Purge::ALL {
            metrics.of_purge(*what);
        }
        let help = "Requests of workers that reached their end by the time that passed, by what they ended as";
        registry.register("settled_requests", help, metrics.settled.clone());
        let help = "What was removed because it had been kept for long enough, or there was too much of it";
        registry.register("purged", help, metrics.purged.clone());
        metrics
    }

    fn of_status(&self, status: Status) -> Counter {
        self.settled.get_or_create_owned(&[("status", status.name().to_owned())])
    }

    fn of_purge(&self, what: Purge) -> Counter {
        self.purged.get_or_create_owned(&[("what", what.label().to_owned())])
    }

    /// The end of a request was written down.
    pub fn settled(&self, status: Status) {
        self.of_status(status).inc();
    }

    /// So many requests were removed, and of so many others payload and result.
    pub fn purged(&self, requests: usize, payloads: usize) {
        for (what, count) in [(Purge::Request, requests), (Purge::Payload, payloads)] {
            self.of_purge(what).inc_by(count.try_into().unwrap_or(u64::MAX));
        }
    }
}

/// The gauges of a scrape at `now`.
pub(super) fn registry(prefix: &str, backlogs: &[Backlog], now: Timestamp) -> Registry {
    let mut registry = Registry::with_prefix(prefix);
    let depth = Family::<Labels<2>, Gauge>::default();
    let oldest = Family::<Labels<1>, Gauge<f64, AtomicU64>>::default();
    registry.register("queue_depth", "Requests that workers have not finished, by where they stand", depth.clone());
    let help = "How long the request has waited that could be leased for the longest time; 0 when none can";
    registry.register_with_unit("queue_oldest_ready_age", help, Unit::Seconds, oldest.clone());
    for backlog in backlogs {
        let kind = ("type", backlog.kind.clone());
        let states = [("ready", backlog.ready), ("waiting", backlog.waiting), ("in_flight", backlog.in_flight)];
        for (state, count) in states {
            let labels = [kind.clone(), ("state", state.to_owned())];
            depth.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let millis = backlog.oldest_ready.map_or(0, |since| now.millis_since(since));
        let age = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        oldest.get_or_create(&[kind]).set(age.as_secs_f64());
    }
    registry
}
