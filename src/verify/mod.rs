//! Verifiers decide whether a token is genuine. They return a verdict and never touch a response.
//!
//! To add a kind: one file here that has its settings and its [`Verifier`], and its row in [`KINDS`].

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::core::BoxFuture;
use crate::core::claims::Caller;
use crate::core::clock::{Clock, Timestamp};
use crate::core::entropy::Entropy;
use crate::core::error::Misconfiguration;
use crate::core::policy::Audience;
use crate::core::type_scopes::TypeScopes;
use crate::core::verdict::Verdict;
use crate::net::Net;
use crate::telemetry::metrics::Metrics;

mod acceptance;
mod browser_login;
mod chain;
mod discovery;
mod explain;
mod hmac;
mod hs256;
mod introspection;
mod jwks;
mod keys;
mod oidc;
mod peek;
mod report;
mod rules;
mod self_issued;
mod table;
mod token;
mod verified;
mod waiting;

pub use crate::net::FetchErrorClass;
pub use browser_login::{BrowserLogin, LoginOffer};
pub use chain::{AtHand, Chain, Mention, NotRefreshed, Readiness, Trust};
pub use explain::{Explanation, Means, Outcome, Proof, ScopeMeaning, Step};
pub use peek::{is_own, issuer_in, own_table};
pub use report::{IntrospectionReport, KeyReport, KeySetReport, KeySetState};
pub use rules::Rules;
pub use self_issued::OwnIssuer;
pub use token::{MAX_TOKEN_BYTES, UnverifiedHeader, UnverifiedJwt, UnverifiedToken};
pub use waiting::Waiting;

/// Decides whether tokens of one issuer are genuine.
pub trait Verifier: Send + Sync {
    /// The `iss` of the tokens that it decides about, byte for byte. Of an opaque token it is the issuer that is asked about it.
    fn issuer(&self) -> &str;

    /// Which tokens it decides about.
    fn takes(&self) -> Tokens {
        Tokens::Jwts
    }

    /// What the tokens that it accepts have to be like.
    fn rules(&self) -> &Rules;

    /// Decides about a token: one that names this issuer, or an opaque one.
    fn verify<'a>(&'a self, token: Unverified<'a>, terms: Terms<'a>) -> BoxFuture<'a, Verdict>;

    /// Numbers the keys that it verifies with, anew when they change, so that a token can be remembered for as long as its key is
    /// good. None: nothing may be remembered or recalled now.
    fn generation(&self) -> Option<u64>;

    /// Judges anew a token that it accepted before under the same generation, by what the terms ask for.
    fn recall(&self, accepted: &Arc<Caller>, terms: Terms<'_>) -> Verdict {
        self.rules().recall(accepted, terms)
    }

    /// The checks of a token that need no proof, each with how it goes: those that [`verify`](Self::verify) makes, in its order.
    fn explain(&self, token: &Unverified<'_>, terms: Terms<'_>) -> Vec<Step> {
        match token {
            Unverified::Jwt(jwt) => self.rules().explain(&Rules::CHECKS, jwt, terms),
            Unverified::Opaque(_) => Vec::new(),
        }
    }

    /// What proves a token that passes these checks.
    fn proof(&self) -> Proof;

    /// What each scope in the claims of a genuine token grants here.
    fn meanings(&self, claims: &Map<String, Value>) -> Vec<ScopeMeaning>;

    /// Begins to fetch what it needs, and keeps it fresh from then on. To be called within a runtime.
    fn warm_up(&self) {}

    /// Whether the gateway should be sent traffic, as far as this verifier has a say in it.
    fn is_ready(&self) -> bool {
        true
    }

    /// How the keys that it fetches get on; none when it fetches none.
    fn report(&self) -> Option<KeySetReport> {
        None
    }

    /// How the calls to its issuer get on; none when it asks about no token.
    fn calls(&self) -> Option<IntrospectionReport> {
        None
    }

    /// How people log in at its issuer from the page of the API; none where that is not configured.
    fn browser_login(&self) -> Option<&BrowserLogin> {
        None
    }

    /// Fetches its keys at once, because an operator wants it; none when it fetches none.
    fn refresh(&self) -> Option<BoxFuture<'_, Result<(), FetchErrorClass>>> {
        None
    }
}

/// What a token has to meet each time that it is used, wherever the verdict about its signature comes from.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Whom it has to be meant for; none: whom its verifier is configured with.
    pub audience: Option<&'a Audience>,
    /// The time that it is judged at.
    pub now: Timestamp,
}

/// Which tokens a verifier decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// Those that name its issuer.
    Jwts,
    /// Those that say nothing of themselves.
    Opaque,
    /// Both.
    All,
}

/// A token that nobody has vouched for yet.
#[expect(clippy::large_enum_variant, reason = "there is one for a request, on its way into one call")]
pub enum Unverified<'t> {
    /// One that says of itself who issued it.
    Jwt(UnverifiedJwt<'t>),
    /// One that says nothing of itself.
    Opaque(UnverifiedToken<'t>),
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
    /// The source of the jitter that keeps many gateways from asking a provider at once.
    pub entropy: Arc<dyn Entropy>,
    /// What counts what happens to them.
    pub metrics: Arc<Metrics>,
    /// Where requests wait for issuers.
    pub waiting: Waiting,
    /// The scopes that request types name, besides those of our own operations.
    pub type_scopes: TypeScopes,
    /// Our own issuer, for the kind `self`.
    pub own: Option<OwnIssuer>,
}

/// The section `[verify]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VerifySettings {
    /// The names of the verifiers that guard the API; each is a table `[verifiers.NAME]`. Unset: all that there are.
    pub chain: Option<Vec<String>>,
    /// A header that may carry a token, bare, beside `Authorization: Bearer`.
    pub token_header: Option<String>,
    /// Whether the query may carry a token, as `access_token`.
    pub token_in_query: bool,
    /// Whether a form may carry a token, as `access_token`.
    pub token_in_form: bool,
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
    Kind { name: "introspection", parse: settings::<introspection::IntrospectionSettings> },
    Kind { name: "hs256", parse: settings::<hs256::Hs256Settings> },
];

fn settings<S: VerifierSettings + table::Table + 'static>(name: &str, table: config::Value) -> ParsedSettings {
    Ok(Box::new(S::read(name, table)?))
}

/// Reads the table `[verifiers.NAME]` by its `kind`.
pub fn parse_table(name: &str, table: config::Value) -> ParsedSettings {
    let (kind, rest) = table::split_kind(name, table)?;
    (kind.parse)(name, rest)
}
