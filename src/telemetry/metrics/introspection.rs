//! What is asked about opaque tokens: the cache, the calls to providers, and those that were not made.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::histogram::Histogram;
use super::{Labels, closed, counters};
use crate::net::FetchErrorClass;

closed! {
    /// What a provider said of a token.
    Introspected {
        Active "active" "The token is active."
        Inactive "inactive" "The token is not active."
    }
}

const HIT: usize = 0;
const MISS: usize = 1;

/// Counts what one verifier asks about tokens.
#[derive(Clone, Debug)]
pub struct IntrospectionMetrics {
    cache: Arc<[Counter]>,
    calls: Arc<[Counter]>,
    call_seconds: Histogram,
    limited: Counter,
}

impl IntrospectionMetrics {
    /// The answer about a token was known.
    pub fn hit(&self) {
        self.cache[HIT].inc();
    }

    /// The answer about a token was not known.
    pub fn miss(&self) {
        self.cache[MISS].inc();
    }

    /// A call to the provider has ended.
    pub fn asked(&self, result: Result<Introspected, FetchErrorClass>, took: Duration) {
        let at = result.map_or_else(|class| Introspected::ALL.len() + class as usize, |result| result as usize);
        self.calls[at].inc();
        self.call_seconds.took(took);
    }

    /// A call was not made, because there were too many.
    pub fn limited(&self) {
        self.limited.inc();
    }
}

/// The families of the series of all verifiers that introspect.
#[derive(Debug)]
pub(super) struct Families {
    cache: Family<Labels<2>, Counter>,
    calls: Family<Labels<2>, Counter>,
    call_seconds: Family<Labels<1>, Histogram, fn() -> Histogram>,
    limited: Family<Labels<1>, Counter>,
}

impl Families {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let families = Self {
            cache: Family::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(Histogram::slow),
            limited: Family::default(),
        };
        let help = "Tokens that were looked up in the cache of introspections";
        registry.register("introspection_cache", help, families.cache.clone());
        registry.register("introspection_calls", "Introspections, by what came of them", families.calls.clone());
        let help = "How long an introspection took";
        registry.register_with_unit("introspection_call", help, Unit::Seconds, families.call_seconds.clone());
        let help = "Introspections that were not made, because there were too many";
        registry.register("introspection_limited", help, families.limited.clone());
        families
    }

    pub(super) fn of(&self, verifier: &str) -> IntrospectionMetrics {
        let owner = ("verifier", verifier);
        let results =
            Introspected::ALL.iter().map(|it| it.label()).chain(FetchErrorClass::ALL.map(FetchErrorClass::name));
        let labels = [(owner.0, verifier.to_owned())];
        IntrospectionMetrics {
            cache: counters(&self.cache, owner, "outcome", ["hit", "miss"].into_iter()),
            calls: counters(&self.calls, owner, "result", results),
            call_seconds: self.call_seconds.get_or_create_owned(&labels),
            limited: self.limited.get_or_create_owned(&labels),
        }
    }
}
