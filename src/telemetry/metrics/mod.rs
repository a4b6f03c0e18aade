//! Metrics: handles that are resolved once and count by an atomic addition, and the text that a scrape reads.

use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::core::clock::Timestamp;
use crate::core::ports::requests::Backlog;

mod backlog;
mod closed;
mod guard;
mod histogram;
mod http;
mod introspection;
mod key_set;
mod leases;
mod quota;
mod store;
mod verifier;
mod webhook;

use closed::closed;

pub use backlog::{KeeperMetrics, Purge};
pub use guard::{Decided, GuardMetrics};
pub use http::{HeldMetrics, RouteMetrics};
pub use introspection::{Introspected, IntrospectionMetrics};
pub use key_set::{Fetched, KeySetGauges, KeySetMetrics, UnknownKey};
pub use leases::{Lease, LeaseMetrics};
pub use quota::QuotaMetrics;
pub use store::{Commit, StoreMetrics};
pub use verifier::{VerifiedCacheMetrics, VerifierMetrics};
pub use webhook::{Told, WebhookMetrics};

/// What the text of [`Metrics::encode`] is.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The prefix of every series.
const PREFIX: &str = "anteroom";

/// The metrics of one gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    verifications: Family<Labels<2>, Counter>,
    verified_cache: Family<Labels<2>, Counter>,
    guards: Family<Labels<2>, Counter>,
    key_sets: key_set::Families,
    introspection: introspection::Families,
    http: http::Families,
    held: HeldMetrics,
    store: StoreMetrics,
    leases: LeaseMetrics,
    keeper: KeeperMetrics,
    quotas: QuotaMetrics,
    webhooks: WebhookMetrics,
}

impl Metrics {
    /// Metrics that have counted nothing yet.
    #[expect(clippy::new_without_default, reason = "there is one for each gateway, made where that is")]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that runs", build);
        let verifications = Family::default();
        let help = "Tokens that a verifier decided about: accepted, the reason of the refusal, or unavailable";
        registry.register("verifications", help, verifications.clone());
        let verified_cache = Family::default();
        let help = "Tokens that were looked up among those found genuine before";
        registry.register("verified_cache", help, verified_cache.clone());
        let guards = Family::default();
        registry.register("guard_decisions", "Calls that a guard decided about, by result", guards.clone());
        let key_sets = key_set::Families::register(&mut registry);
        let introspection = introspection::Families::register(&mut registry);
        let http = http::Families::register(&mut registry);
        let holding = HeldMetrics::register(&mut registry);
        let store = StoreMetrics::register(&mut registry);
        let leases = LeaseMetrics::register(&mut registry);
        let keeper = KeeperMetrics::register(&mut registry);
        let quotas = QuotaMetrics::register(&mut registry);
        let webhooks = WebhookMetrics::register(&mut registry);
        Self {
            registry,
            verifications,
            verified_cache,
            guards,
            key_sets,
            introspection,
            http,
            held: holding,
            store,
            leases,
            keeper,
            quotas,
            webhooks,
        }
    }

    /// What the verifier of this name counts. Where no verifier is known yet, that name is "none".
    pub fn verifier(&self, name: &str) -> VerifierMetrics {
        VerifierMetrics::of(&self.verifications, name)
    }

    /// What the tokens count that the verifier of this name found genuine before.
    pub fn verified_cache(&self, verifier: &str) -> VerifiedCacheMetrics {
        VerifiedCacheMetrics::of(&self.verified_cache, verifier)
    }

    /// What the guard of this name counts.
    pub fn guard(&self, name: &str) -> GuardMetrics {
        GuardMetrics::of(&self.guards, name)
    }

    /// What the key set of the verifier of this name counts; the name is the label `issuer`.
    pub fn key_set(&self, verifier: &str) -> KeySetMetrics {
        self.key_sets.of(verifier)
    }

    /// What the introspection of the verifier of this name counts.
    pub fn introspection(&self, verifier: &str) -> IntrospectionMetrics {
        self.introspection.of(verifier)
    }

    /// What the store counts.
    pub fn store(&self) -> StoreMetrics {
        self.store.clone()
    }

    /// The exchanges that are held.
    pub fn held(&self) -> HeldMetrics {
        self.held.clone()
    }

    /// What the leases of workers count.
    pub fn leases(&self) -> LeaseMetrics {
        self.leases.clone()
    }

    /// What the queue counts of what it does by itself.
    pub fn keeper(&self) -> KeeperMetrics {
        self.keeper.clone()
    }

    /// What quotas count.
    pub fn quotas(&self) -> QuotaMetrics {
        self.quotas.clone()
    }

    /// What webhooks count.
    pub fn webhooks(&self) -> WebhookMetrics {
        self.webhooks.clone()
    }

    /// What the route of this path counts; the path is a template, so that no id is a label.
    pub fn route(&self, path: &str) -> Arc<RouteMetrics> {
        Arc::new(self.http.of(path))
    }

    /// Everything as `OpenMetrics` text, [`MEDIA_TYPE`]; how the key sets and the work of workers stand at `now` is told by the caller.
    pub fn encode(&self, key_sets: &[KeySetGauges<'_>], backlogs: &[Backlog], now: Timestamp) -> String {
        let mut out = String::with_capacity(16 << 10);
        // Writing to a string does not fail.
        let _ = text::encode_registry(&mut out, &self.registry)
            .and_then(|()| text::encode_registry(&mut out, &key_set::registry(PREFIX, key_sets)))
            .and_then(|()| text::encode_registry(&mut out, &backlog::registry(PREFIX, backlogs, now)))
            .and_then(|()| text::encode_eof(&mut out));
        out
    }
}

/// The labels of a series.
type Labels<const N: usize> = [(&'static str, String); N];

/// A counter for each value of a closed set, made at once so that one that never counted shows 0.
fn counters(
    family: &Family<Labels<2>, Counter>,
    owner: (&'static str, &str),
    label: &'static str,
    values: impl Iterator<Item = &'static str>,
) -> Arc<[Counter]> {
    let of = |value: &str| family.get_or_create_owned(&[(owner.0, owner.1.to_owned()), (label, value.to_owned())]);
    values.map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Commit, Decided, Fetched, Introspected, KeySetGauges, Lease, Metrics, Told, UnknownKey};
    use crate::core::clock::Timestamp;
    use crate::core::verdict::Reason;
    use crate::net::FetchErrorClass;

    const NOW: Timestamp = Timestamp::from_millis(0);
    const MOMENT: Duration = Duration::from_micros(2_500);

    /// The samples that are not 0, in order, without their prefix.
    fn counted(text: &str) -> Vec<&str> {
        let samples =
            text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0") && !line.ends_with(" 0.0"));
        // A bucket says no more than the sum and the count.
        let mut samples: Vec<_> = samples.filter(|line| !line.contains("_bucket{")).collect();
        samples.sort_unstable();
        samples.into_iter().map(|line| line.strip_prefix("anteroom_").unwrap()).collect()
    }

    /// Counts one of everything but HTTP.
    fn count(metrics: &Metrics) {
        let verifier = metrics.verifier("auth0");
        verifier.accepted();
        verifier.unavailable();
        verifier.repeated();
        metrics.verified_cache("auth0").hit();
        metrics.verified_cache("auth0").miss();
        for reason in Reason::ALL {
            verifier.rejected(*reason);
        }
        for result in Decided::ALL {
            metrics.guard("billing").decided(*result);
        }
        let key_set = metrics.key_set("auth0");
        for result in Fetched::ALL {
            key_set.fetched(Ok(*result), MOMENT);
        }
        for outcome in UnknownKey::ALL {
            key_set.unknown_key(*outcome);
        }
        key_set.stale_served();
        let introspection = metrics.introspection("keycloak");
        introspection.hit();
        introspection.miss();
        introspection.limited();
        for result in Introspected::ALL {
            introspection.asked(Ok(*result), MOMENT);
        }
        for class in FetchErrorClass::ALL {
            key_set.fetched(Err(class), MOMENT);
            introspection.asked(Err(class), MOMENT);
        }
        for result in Commit::ALL {
            metrics.store().committed(*result, 3, MOMENT);
        }
        metrics.store().synced(MOMENT);
        metrics.store().waiting(2);
        for outcome in Lease::ALL {
            metrics.leases().count("render", *outcome);
        }
        for result in Told::ALL {
            metrics.webhooks().told(*result, MOMENT);
        }
        metrics.webhooks().disabled();
    }

    #[test]
    fn what_was_counted_is_shown_under_its_labels() {
        let metrics = Metrics::new();
        count(&metrics);
        let states = vec![("fresh", true), ("stale", false)];
        let gauges = KeySetGauges { verifier: "auth0", age: Some(MOMENT), keys: 2, states, consecutive_failures: 4 };
        let text = metrics.encode(&[gauges], &[], NOW);

        let version = env!("CARGO_PKG_VERSION");
        let mut expected = vec![
            format!("build_info{{version=\"{version}\"}} 1"),
            "jwks_fetch_seconds_count{issuer=\"auth0\"} 11".into(),
            "jwks_fetch_seconds_sum{issuer=\"auth0\"} 0.0275".into(),
            "jwks_stale_served_total{issuer=\"auth0\"} 1".into(),
            "verified_cache_total{verifier=\"auth0\",outcome=\"hit\"} 1".into(),
            "verified_cache_total{verifier=\"auth0\",outcome=\"miss\"} 1".into(),
            "introspection_cache_total{verifier=\"keycloak\",outcome=\"hit\"} 1".into(),
            "introspection_cache_total{verifier=\"keycloak\",outcome=\"miss\"} 1".into(),
            "introspection_limited_total{verifier=\"keycloak\"} 1".into(),
            "introspection_call_seconds_count{verifier=\"keycloak\"} 11".into(),
            "introspection_call_seconds_sum{verifier=\"keycloak\"} 0.0275".into(),
            "store_commit_seconds_count 4".into(),
            "store_commit_seconds_sum 0.01".into(),
            "store_commit_batch_size_count 4".into(),
            "store_commit_batch_size_sum 12.0".into(),
            "store_sync_seconds_count 1".into(),
            "store_sync_seconds_sum 0.0025".into(),
            "store_queue_depth 2".into(),
            "webhook_attempt_seconds_count 3".into(),
            "webhook_attempt_seconds_sum 0.0075".into(),
            "webhook_endpoints_disabled_total 1".into(),
            "jwks_age_seconds{issuer=\"auth0\"} 0.0025".into(),
            "jwks_keys{issuer=\"auth0\"} 2".into(),
            "jwks_state{issuer=\"auth0\",state=\"fresh\"} 1".into(),
            "jwks_consecutive_failures{issuer=\"auth0\"} 4".into(),
        ];
        let results =
            Reason::ALL.iter().map(|reason| reason.code()).chain(["accepted", "unavailable", "token_repeated"]);
        expected
            .extend(results.map(|result| format!("verifications_total{{verifier=\"auth0\",result=\"{result}\"}} 1")));
        let of = |name: &str, label: &str, value: &str| format!("{name}_total{{{label}=\"{value}\"}} 1");
        let failures = || FetchErrorClass::ALL.into_iter().map(FetchErrorClass::name);
        let fetches = Fetched::ALL.iter().map(|it| it.label()).chain(failures());
        expected.extend(fetches.map(|it| of("jwks_fetch", "issuer=\"auth0\",result", it)));
        expected
            .extend(UnknownKey::ALL.iter().map(|it| of("jwks_unknown_kid", "issuer=\"auth0\",outcome", it.label())));
        let calls = Introspected::ALL.iter().map(|it| it.label()).chain(failures());
        expected.extend(calls.map(|it| of("introspection_calls", "verifier=\"keycloak\",result", it)));
        expected.extend(Decided::ALL.iter().map(|it| of("guard_decisions", "guard=\"billing\",result", it.label())));
        expected.extend(Commit::ALL.iter().map(|it| of("store_commits", "result", it.label())));
        expected.extend(Lease::ALL.iter().map(|it| of("leases", "type=\"render\",outcome", it.label())));
        expected.extend(Told::ALL.iter().map(|it| of("webhook_attempts", "result", it.label())));
        expected.sort_unstable();
        assert_eq!(counted(&text), expected);
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn an_exchange_is_counted_by_what_can_not_be_made_up() {
        let metrics = Metrics::new();
        let route = metrics.route("/v1/requests/{request_id}");
        for (method, status) in [("GET", 200), ("GET", 200), ("BREW", 418), ("POST", 299)] {
            route.answered(method, status, MOMENT);
        }
        // A second handle of the same route counts on.
        metrics.route("/v1/requests/{request_id}").answered("GET", 200, MOMENT);
        let text = metrics.encode(&[], &[], NOW);
        let path = "path=\"/v1/requests/{request_id}\"";
        assert_eq!(
            counted(&text)[1..],
            [
                format!("http_request_seconds_count{{method=\"GET\",{path}}} 3"),
                format!("http_request_seconds_count{{method=\"POST\",{path}}} 1"),
                format!("http_request_seconds_count{{method=\"other\",{path}}} 1"),
                format!("http_request_seconds_sum{{method=\"GET\",{path}}} 0.0075"),
                format!("http_request_seconds_sum{{method=\"POST\",{path}}} 0.0025"),
                format!("http_request_seconds_sum{{method=\"other\",{path}}} 0.0025"),
                format!("http_requests_total{{method=\"GET\",{path},status=\"200\"}} 3"),
                format!("http_requests_total{{method=\"POST\",{path},status=\"other\"}} 1"),
                format!("http_requests_total{{method=\"other\",{path},status=\"other\"}} 1"),
            ]
        );
        let bucket = |le: &str, count| {
            let line = format!("anteroom_http_request_seconds_bucket{{le=\"{le}\",method=\"GET\",{path}}} {count}");
            assert!(text.contains(&line), "{line}");
        };
        bucket("0.001", 0);
        bucket("0.0025", 3);
        bucket("+Inf", 3);
    }
}
