//! What is asked over HTTP: exchanges by method, path template and status, and how long they took.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Labels;
use super::histogram::Histogram;

/// The methods that have a label of their own; the last one stands for all others, since a caller can make up any.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];

/// The statuses that have a label of their own, ascending; any other is shown as "other".
const STATUSES: [u16; 34] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413,
    414, 415, 422, 428, 429, 431, 500, 501, 502, 503, 504,
];

/// Counts the exchanges of one route. What was counted once is found without a lock, an allocation or a hash from then on.
#[derive(Debug)]
pub struct RouteMetrics {
    path: Box<str>,
    families: Families,
    methods: [OnceLock<Box<MethodMetrics>>; METHODS.len()],
}

#[derive(Debug)]
struct MethodMetrics {
    seconds: Histogram,
    /// One more than there are statuses with a label: the last is for the others.
    statuses: [OnceLock<Counter>; STATUSES.len() + 1],
}

impl RouteMetrics {
    /// The path, as a template.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// An exchange has ended.
    pub fn answered(&self, method: &str, status: u16, took: Duration) {
        let at = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
        let labels = || [("method", METHODS[at].to_owned()), ("path", self.path.to_string())];
        let of_method = self.methods[at].get_or_init(|| {
            let seconds = self.families.seconds.get_or_create_owned(&labels());
            Box::new(MethodMetrics { seconds, statuses: std::array::from_fn(|_| OnceLock::new()) })
        });
        let slot = STATUSES.binary_search(&status).unwrap_or(STATUSES.len());
        let counter = of_method.statuses[slot].get_or_init(|| {
            let status = STATUSES.get(slot).map_or_else(|| "other".into(), u16::to_string);
            let [method, path] = labels();
            self.families.requests.get_or_create_owned(&[method, path, ("status", status)])
        });
        counter.inc();
        of_method.seconds.took(took);
    }
}

/// Counts the exchanges that are held until something happens.
#[derive(Clone, Debug)]
pub struct HeldMetrics(Gauge);

impl HeldMetrics {
    /// None is held yet.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauge = Gauge::default();
        registry.register("http_held", "Exchanges that are held until something happens", gauge.clone());
        Self(gauge)
    }

    /// One more; answers how many there were.
    pub fn enter(&self) -> usize {
        usize::try_from(self.0.inc()).unwrap_or(0)
    }

    /// One less.
    pub fn leave(&self) {
        self.0.dec();
    }
}

/// The families of the series of all routes.
#[derive(Clone, Debug)]
pub(super) struct Families {
    requests: Family<Labels<3>, Counter>,
    seconds: Family<Labels<2>, Histogram, fn() -> Histogram>,
}

impl Families {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let families = Self { requests: Family::default(), seconds: Family::new_with_constructor(Histogram::quick) };
        registry.register("http_requests", "Exchanges, by the template of their path", families.requests.clone());
        let help = "How long an exchange took, from its head until its answer was ready to be sent";
        registry.register_with_unit("http_request", help, Unit::Seconds, families.seconds.clone());
        families
    }

    pub(super) fn of(&self, path: &str) -> RouteMetrics {
        RouteMetrics { path: path.into(), families: self.clone(), methods: std::array::from_fn(|_| OnceLock::new()) }
    }
}
