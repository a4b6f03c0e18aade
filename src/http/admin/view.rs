//! How an issuer gets on, as operators see it.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::core::clock::Timestamp;
use crate::verify::{FetchErrorClass, IntrospectionReport, KeyReport, KeySetReport, KeySetState, Readiness};

/// A verifier, and the issuer whose tokens it decides about.
#[derive(Serialize, ToSchema)]
#[schema(as = Issuer, example = json!({
    "name": "auth0", "issuer": "https://tenant.eu.auth0.com/", "ready": true, "keys": {
        "state": "fresh", "age_seconds": 12, "next_refresh_seconds": 468, "last_error": null, "consecutive_failures": 0,
        "keys": [{ "id": "2026-11", "algorithms": ["RS256"], "first_seen": "2026-11-22T06:12:03.482Z" }],
    }, "introspection": null,
}))]
pub(in crate::http) struct IssuerView {
    /// The name of its verifier in the configuration.
    name: String,
    /// The `iss` of its tokens.
    issuer: String,
    /// Whether its tokens can be decided about. The gateway is ready without, unless `startup` says that it waits for this issuer.
    ready: bool,
    /// Its keys; `null` where none are fetched.
    #[schema(required)]
    keys: Option<KeySetView>,
    /// How the calls get on by which it is asked about tokens; `null` where it is not.
    #[schema(required)]
    introspection: Option<IntrospectionView>,
}

/// How the keys of one issuer get on.
#[derive(Serialize, ToSchema)]
#[schema(as = KeySet)]
struct KeySetView {
    /// Whether there are keys, and whether they may be used.
    #[schema(value_type = StateName)]
    state: &'static str,
    /// Since when the keys are known to be the issuer's own; none while there are none.
    #[schema(required)]
    age_seconds: Option<u64>,
    /// How long until they are fetched again; none before the first time.
    #[schema(required)]
    next_refresh_seconds: Option<u64>,
    /// How many fetches failed since the last that did not.
    consecutive_failures: u32,
    /// Why the last fetch failed; none when it did not.
    #[schema(required, value_type = Option<ErrorClassName>)]
    last_error: Option<&'static str>,
    /// The keys, in the order in which they are published.
    keys: Vec<KeyView>,
}

/// How the calls to an issuer get on that is asked about tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = Introspection)]
struct IntrospectionView {
    /// How long ago the last call ended; none before the first time.
    #[schema(required)]
    last_call_seconds: Option<u64>,
    /// How many calls failed since the last that did not.
    consecutive_failures: u32,
    /// Why the last call failed; none when it did not.
    #[schema(required, value_type = Option<ErrorClassName>)]
    last_error: Option<&'static str>,
}

/// One key of a set.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyView {
    /// Its `kid`, if it has one.
    #[schema(required)]
    id: Option<String>,
    /// What it can be used with.
    algorithms: Vec<String>,
    /// When it was fetched for the first time.
    #[schema(value_type = String, format = DateTime)]
    first_seen: Timestamp,
}

/// What is wrong with an issuer, in a sentence.
pub(in crate::http) fn problem(verifier: &Readiness) -> Option<String> {
    let Readiness { name, issuer, keys, introspection, .. } = verifier;
    if let Some(class) = introspection.and_then(|calls| calls.last_error) {
        let class = class.name();
        return Some(format!(
            "{name}: {issuer} can not be asked about tokens ({class}): those that are not known are answered 503."
        ));
    }
    let keys = keys.as_ref()?;
    let error = keys.last_error.map(|class| format!(" ({})", class.name())).unwrap_or_default();
    match keys.state {
        KeySetState::Fresh => None,
        KeySetState::Empty | KeySetState::Loading => {
            Some(format!("{name}: there are no keys of {issuer} yet{error}: its tokens are answered 503."))
        }
        KeySetState::Stale => {
            Some(format!("{name}: the keys of {issuer} are past their lifetime, and new ones can not be had{error}."))
        }
        KeySetState::Expired => {
            Some(format!("{name}: the keys of {issuer} are too old to be used{error}: its tokens are answered 503."))
        }
    }
}

impl From<Readiness> for IssuerView {
    fn from(verifier: Readiness) -> Self {
        let Readiness { name, issuer, is_ready, keys, introspection } = verifier;
        let usable = |keys: &KeySetReport| matches!(keys.state, KeySetState::Fresh | KeySetState::Stale);
        let answers = introspection.is_none_or(|calls| calls.last_error.is_none());
        let ready = is_ready && answers && keys.as_ref().is_none_or(usable);
        let introspection = introspection.map(IntrospectionView::from);
        Self { name, issuer, ready, keys: keys.map(KeySetView::from), introspection }
    }
}

impl From<KeySetReport> for KeySetView {
    fn from(report: KeySetReport) -> Self {
        let KeySetReport { state, age, next_refresh, consecutive_failures, last_error, keys } = report;
        Self {
            state: state.name(),
            age_seconds: age.map(|age| age.as_secs()),
            next_refresh_seconds: next_refresh.map(|left| left.as_secs()),
            consecutive_failures,
            last_error: last_error.map(FetchErrorClass::name),
            keys: keys.into_iter().map(KeyView::from).collect(),
        }
    }
}

impl From<IntrospectionReport> for IntrospectionView {
    fn from(report: IntrospectionReport) -> Self {
        let IntrospectionReport { last_call, consecutive_failures, last_error } = report;
        let last_call_seconds = last_call.map(|ago| ago.as_secs());
        Self { last_call_seconds, consecutive_failures, last_error: last_error.map(FetchErrorClass::name) }
    }
}

impl From<KeyReport> for KeyView {
    fn from(report: KeyReport) -> Self {
        let KeyReport { id, algorithms, first_seen } = report;
        Self { id, algorithms, first_seen }
    }
}

/// The closed list of states where the contract wants a type.
enum StateName {}

impl PartialSchema for StateName {
    fn schema() -> RefOr<Schema> {
        closed("What can be done with a set of keys.", KeySetState::ALL.map(KeySetState::name))
    }
}

impl ToSchema for StateName {
    fn name() -> Cow<'static, str> {
        "KeySetState".into()
    }
}

/// The closed list of what can go wrong where the contract wants a type.
enum ErrorClassName {}

impl PartialSchema for ErrorClassName {
    fn schema() -> RefOr<Schema> {
        closed("What went wrong when a provider was asked.", FetchErrorClass::ALL.map(FetchErrorClass::name))
    }
}

impl ToSchema for ErrorClassName {
    fn name() -> Cow<'static, str> {
        "FetchErrorClass".into()
    }
}

fn closed<const N: usize>(description: &str, values: [&'static str; N]) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values));
    object.description(Some(description)).build().into()
}
