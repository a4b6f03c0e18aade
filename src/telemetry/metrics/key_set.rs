//! What happens to the keys of providers: fetches and refusals as counters, and how each key set stands at the time of a scrape.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::histogram::Histogram;
use super::{Labels, closed, counters};
use crate::net::FetchErrorClass;

closed! {
    /// What a fetch brought.
    Fetched {
        KeySet "ok" "A key set."
        NotModified "not_modified" "The key set that was there holds."
    }
}

closed! {
    /// What a token's key that is not in the key set led to.
    UnknownKey {
        NegativeCache "negative_cache" "It was not there a moment ago either."
        Cooldown "cooldown" "It is too early to ask again."
        RefreshedFound "refreshed_found" "The provider was asked, and has it now."
        RefreshedAbsent "refreshed_absent" "The provider was asked, and does not have it."
    }
}

/// Counts what happens to one key set.
#[derive(Clone, Debug)]
pub struct KeySetMetrics {
    fetches: Arc<[Counter]>,
    fetch_seconds: Histogram,
    stale_served: Counter,
    unknown_keys: Arc<[Counter]>,
}

impl KeySetMetrics {
    /// A fetch has ended.
    pub fn fetched(&self, result: Result<Fetched, FetchErrorClass>, took: Duration) {
        let at = result.map_or_else(|class| Fetched::ALL.len() + class as usize, |result| result as usize);
        self.fetches[at].inc();
        self.fetch_seconds.took(took);
    }

    /// A token was accepted by keys past their lifetime.
    pub fn stale_served(&self) {
        self.stale_served.inc();
    }

    /// A token named a key that is not in the key set.
    pub fn unknown_key(&self, outcome: UnknownKey) {
        self.unknown_keys[outcome as usize].inc();
    }
}

/// The families of the series of all key sets.
#[derive(Debug)]
pub(super) struct Families {
    fetches: Family<Labels<2>, Counter>,
    fetch_seconds: Family<Labels<1>, Histogram, fn() -> Histogram>,
    stale_served: Family<Labels<1>, Counter>,
    unknown_keys: Family<Labels<2>, Counter>,
}

impl Families {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let families = Self {
            fetches: Family::default(),
            fetch_seconds: Family::new_with_constructor(Histogram::slow),
            stale_served: Family::default(),
            unknown_keys: Family::default(),
        };
        registry.register("jwks_fetch", "Fetches of a key set, by what came of them", families.fetches.clone());
        let help = "How long a fetch of a key set took";
        registry.register_with_unit("jwks_fetch", help, Unit::Seconds, families.fetch_seconds.clone());
        let help = "Tokens that were accepted by keys past their lifetime";
        registry.register("jwks_stale_served", help, families.stale_served.clone());
        let help = "Tokens whose key was not in the key set, by what came of it";
        registry.register("jwks_unknown_kid", help, families.unknown_keys.clone());
        families
    }

    pub(super) fn of(&self, verifier: &str) -> KeySetMetrics {
        let issuer = ("issuer", verifier);
        let labels = [(issuer.0, verifier.to_owned())];
        let results = Fetched::ALL.iter().map(|it| it.label()).chain(FetchErrorClass::ALL.map(FetchErrorClass::name));
        let outcomes = UnknownKey::ALL.iter().map(|outcome| outcome.label());
        KeySetMetrics {
            fetches: counters(&self.fetches, issuer, "result", results),
            fetch_seconds: self.fetch_seconds.get_or_create_owned(&labels),
            stale_served: self.stale_served.get_or_create_owned(&labels),
            unknown_keys: counters(&self.unknown_keys, issuer, "outcome", outcomes),
        }
    }
}

/// How a key set stands.
#[derive(Clone, Debug)]
pub struct KeySetGauges<'a> {
    /// The name of its verifier, the label `issuer`.
    pub verifier: &'a str,
    /// How long ago it was confirmed; none while there is none.
    pub age: Option<Duration>,
    /// How many keys it has.
    pub keys: u32,
    /// Every state that there is, and whether it is the one.
    pub states: Vec<(&'a str, bool)>,
    /// Fetches that failed since the last one that did not.
    pub consecutive_failures: u32,
}

/// The gauges of a scrape.
pub(super) fn registry(prefix: &str, key_sets: &[KeySetGauges<'_>]) -> Registry {
    let mut registry = Registry::with_prefix(prefix);
    let age = Family::<Labels<1>, Gauge<f64, AtomicU64>>::default();
    let keys = Family::<Labels<1>, Gauge>::default();
    let state = Family::<Labels<2>, Gauge>::default();
    let failures = Family::<Labels<1>, Gauge>::default();
    registry.register_with_unit("jwks_age", "Time since the keys were last confirmed", Unit::Seconds, age.clone());
    registry.register("jwks_keys", "Keys that tokens are verified by", keys.clone());
    registry.register("jwks_state", "1 for the state that the key set is in, else 0", state.clone());
    let help = "Fetches that failed since the last one that did not";
    registry.register("jwks_consecutive_failures", help, failures.clone());
    for set in key_sets {
        let issuer = ("issuer", set.verifier.to_owned());
        let labels = [issuer.clone()];
        if let Some(known) = set.age {
            age.get_or_create(&labels).set(known.as_secs_f64());
        }
        keys.get_or_create(&labels).set(set.keys.into());
        failures.get_or_create(&labels).set(set.consecutive_failures.into());
        for (name, is_it) in &set.states {
            state.get_or_create(&[issuer.clone(), ("state", (*name).to_owned())]).set((*is_it).into());
        }
    }
    registry
}
