//! Verifiers decide whether a token is genuine. They return a verdict and never touch a response.
//!
//! To add a kind: one file here that has its settings and its [`Verifier`], and its row in [`KINDS`].

use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::core::BoxFuture;
use crate::core::claims::Caller;
use crate::core::clock::{Clock, Timestamp};
use crate::core::error::Misconfiguration;
use crate::core::verdict::Verdict;
use crate::net::Net;

mod chain;
mod jwks;
mod keys;
mod oidc;
mod report;
mod rules;
mod self_issued;
mod table;
mod token;
mod verified;

pub use chain::{Chain, Readiness};
pub use report::{FetchErrorClass, KeyReport, KeySetReport, KeySetState};
pub use self_issued::OwnIssuer;
pub use token::{MAX_TOKEN_BYTES, UnverifiedHeader, UnverifiedJwt, UnverifiedToken};

/// Decides whether tokens of one issuer are genuine.
pub trait Verifier: Send + Sync {
    /// The `iss` of the tokens that it decides about, byte for byte.
    fn issuer(&self) -> &str;

    /// Decides about a token that names this issuer.
    fn verify<'a>(&'a self, token: UnverifiedJwt<'a>, now: Timestamp) -> BoxFuture<'a, Verdict>;

    /// Judges anew a token that it accepted before, by what changes with time alone. None: its keys may have changed since, so the
    /// token has to be looked at whole.
    fn recall(&self, accepted: &Arc<Caller>, now: Timestamp) -> Option<Verdict>;

    /// Whether it has what it needs. May begin to fetch that, within a runtime; so it is also what warms a verifier up at start.
    fn is_ready(&self) -> bool;
}

/// The settings of one verifier, read and not yet judged.
pub trait VerifierSettings: Send + Sync {
    /// Checks the settings and makes the verifier called `name`. Fetches nothing.
    ///
    /// # Errors
    /// Every mistake that there is in them.
    fn build(&self, name: &str, setup: &Setup<'_>) -> Result<Arc<dyn Verifier>, Vec<Misconfiguration>>;

    /// What holds, defaults too. Secrets are not part of it, only the places that they are in.
    fn effective(&self) -> serde_json::Value;
}

/// What verifiers are made with.
pub struct Setup<'a> {
    /// The folder that the paths in the configuration are relative to.
    pub base: &'a Path,
    /// What the clients that ask providers are made with.
    pub net: Net,
    /// The clock that caches keep time by.
    pub clock: Arc<dyn Clock>,
    /// Our own issuer, for the kind `self`.
    pub own: Option<OwnIssuer>,
}

/// The section `[verify]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VerifySettings {
    /// The names of the verifiers that guard the API; each is a table `[verifiers.NAME]`. Unset: all that there are.
    pub chain: Option<Vec<String>>,
}

/// A way to verify tokens.
pub struct Kind {
    /// Its name, as in `kind = "…"`.
    pub name: &'static str,
    /// Reads the table of the verifier called by the first argument; the second is the table without `kind`.
    pub parse: fn(&str, config::Value) -> ParsedSettings,
}

/// The settings of a verifier of some kind, or the mistake in its table.
pub type ParsedSettings = Result<Box<dyn VerifierSettings>, Misconfiguration>;

/// Every kind of verifier.
pub const KINDS: &[Kind] = &[
    Kind { name: "self", parse: settings::<self_issued::SelfSettings> },
    Kind { name: "oidc", parse: settings::<oidc::OidcSettings> },
];

fn settings<S: VerifierSettings + DeserializeOwned + 'static>(name: &str, table: config::Value) -> ParsedSettings {
    Ok(Box::new(table::read::<S>(name, table)?))
}

/// Reads the table `[verifiers.NAME]` by its `kind`.
pub fn parse_table(name: &str, table: config::Value) -> ParsedSettings {
    let (kind, rest) = table::split_kind(name, table)?;
    (kind.parse)(name, rest)
}
