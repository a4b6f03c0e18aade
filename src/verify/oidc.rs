//! The kind `oidc`: JWT access tokens of an OpenID provider or any other issuer that publishes its keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::jwks::{KeySource, RemoteKeys};
use super::keys::KeySet;
use super::rules::{Audience, Rules, TokenType};
use super::table::list;
use super::{Setup, UnverifiedJwt, Verifier, VerifierSettings};
use crate::core::BoxFuture;
use crate::core::claims::{Caller, UnverifiedClaims};
use crate::core::clock::Timestamp;
use crate::core::error::Misconfiguration;
use crate::core::period::Period;
use crate::core::policy::{SCOPES, is_scope};
use crate::core::verdict::Verdict;
use crate::net::{Trust, secure_url};
use crate::secret::Source;

/// The table of the kind `oidc`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OidcSettings {
    /// The `iss` of its tokens, byte for byte.
    issuer: String,
    /// Where its keys are; unset: where its discovery document says.
    jwks_uri: Option<String>,
    /// Its keys themselves, instead of fetching them: a PEM public key or certificate, or a JWK Set.
    keys: Option<Source>,
    /// What its keys sign with.
    algorithms: Vec<String>,
    /// Whom its tokens are for: at least one of these …
    audience: Vec<String>,
    /// … and every one of these.
    audience_all: Vec<String>,
    /// What its scopes mean here; one that is not listed grants nothing.
    scopes: BTreeMap<String, String>,
    /// Scopes that each of its tokens has.
    grants: Vec<String>,
    /// The claims that its scopes are read from.
    grants_from: Vec<String>,
    /// How far its clock may be from ours.
    leeway: Period,
    /// The claim with the e-mail address.
    email_claim: String,
}

impl Default for OidcSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            jwks_uri: None,
            keys: None,
            algorithms: vec!["RS256".into()],
            audience: Vec::new(),
            audience_all: Vec::new(),
            scopes: BTreeMap::new(),
            grants: Vec::new(),
            grants_from: vec!["scope".into(), "scp".into()],
            leeway: Period::seconds(5),
            email_claim: "email".into(),
        }
    }
}

impl VerifierSettings for OidcSettings {
    fn build(&self, name: &str, setup: &Setup<'_>) -> Result<Arc<dyn Verifier>, Vec<Misconfiguration>> {
        let mut mistakes = Mistakes { verifier: name, found: Vec::new() };
        self.check_issuer(&mut mistakes);
        self.check_audience_and_leeway(&mut mistakes);
        self.check_scopes(&mut mistakes);
        let algorithms = self.algorithms(&mut mistakes);
        let keys = self.keys(setup, &algorithms, &mut mistakes);
        let (Some(keys), true) = (keys, mistakes.found.is_empty()) else { return Err(mistakes.found) };
        Ok(Arc::new(Oidc {
            issuer: self.issuer.clone(),
            keys,
            rules: Rules {
                algorithms,
                token_type: TokenType::AccessTokenOrUntyped,
                leeway: self.leeway.duration(),
                audience: Audience { any: self.audience.clone(), all: self.audience_all.clone() },
            },
            scopes: self.scopes.clone(),
            grants: self.grants.iter().cloned().collect(),
            grants_from: self.grants_from.clone(),
            email_claim: self.email_claim.clone(),
        }))
    }

    fn effective(&self) -> serde_json::Value {
        let mut effective = serde_json::json!({ "kind": "oidc" });
        if let (Some(members), Ok(serde_json::Value::Object(settings))) =
            (effective.as_object_mut(), serde_json::to_value(self))
        {
            members.extend(settings);
        }
        effective
    }
}

/// The mistakes found in one table.
struct Mistakes<'a> {
    verifier: &'a str,
    found: Vec<Misconfiguration>,
}

impl Mistakes<'_> {
    fn add(&mut self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.found.push(Misconfiguration::new(format!("verifiers.{}.{key}", self.verifier), problem, remedy));
    }
}

/// The algorithms that can be allowed: those whose keys can be published.
const ALGORITHMS: &[&str] = &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
const MAX_LEEWAY: Period = Period::seconds(60);

impl OidcSettings {
    fn check_issuer(&self, mistakes: &mut Mistakes<'_>) {
        let remedy = "Write the exact `iss` of its tokens, like \"https://TENANT.eu.auth0.com/\"";
        if self.issuer.is_empty() {
            mistakes.add("issuer", "is missing", remedy);
        } else if let Err(problem) = secure_url(&self.issuer, false) {
            mistakes.add("issuer", format!("\"{}\" {problem}", self.issuer), remedy);
        } else if self.issuer.contains(['?', '#']) {
            mistakes.add("issuer", format!("\"{}\" has a query or a fragment", self.issuer), remedy);
        }
    }

    fn check_audience_and_leeway(&self, mistakes: &mut Mistakes<'_>) {
        let names = || self.audience.iter().chain(&self.audience_all);
        if names().next().is_none() || names().any(String::is_empty) {
            let problem = "is missing or empty, so that tokens meant for other services would pass";
            mistakes.add("audience", problem, "Name the `aud` that its tokens for this gateway have");
        }
        if self.leeway > MAX_LEEWAY {
            let problem = format!("{} is more than the {} allowed", self.leeway, MAX_LEEWAY);
            mistakes.add("leeway", problem, "Set the clocks by NTP, and leave it out");
        }
    }

    fn check_scopes(&self, mistakes: &mut Mistakes<'_>) {
        let is_unknown = |scope: &str| !is_scope(scope);
        let remedy = || format!("Write one of {}", list(SCOPES.iter().map(|(name, _)| *name)));
        for (foreign, scope) in self.scopes.iter().filter(|(_, scope)| is_unknown(scope)) {
            mistakes.add(
                &format!("scopes.\"{foreign}\""),
                format!("\"{scope}\" is no scope of this gateway"),
                remedy(),
            );
        }
        for scope in self.grants.iter().filter(|scope| is_unknown(scope)) {
            mistakes.add("grants", format!("\"{scope}\" is no scope of this gateway"), remedy());
        }
    }

    fn algorithms(&self, mistakes: &mut Mistakes<'_>) -> Vec<Algorithm> {
        let remedy = || format!("Allow what its keys sign with: {}", list(ALGORITHMS.iter().copied()));
        if self.algorithms.is_empty() {
            mistakes.add("algorithms", "is empty", remedy());
        }
        let mut allowed = Vec::new();
        for name in &self.algorithms {
            match name.parse::<Algorithm>() {
                Ok(algorithm) if algorithm.family() != AlgorithmFamily::Hmac => allowed.push(algorithm),
                Ok(_) => mistakes.add(
                    "algorithms",
                    format!("{name} needs a shared secret, and published keys are no secret"),
                    remedy(),
                ),
                Err(_) => mistakes.add("algorithms", format!("\"{name}\" can not be allowed"), remedy()),
            }
        }
        allowed
    }

    fn keys(&self, setup: &Setup<'_>, algorithms: &[Algorithm], mistakes: &mut Mistakes<'_>) -> Option<Keys> {
        let source = match (&self.keys, &self.jwks_uri) {
            (Some(_), Some(_)) => {
                mistakes.add("keys", "and jwks_uri are both there", "Keep one of them");
                return None;
            }
            (Some(source), None) => return self.fixed_keys(source, setup, algorithms, mistakes).map(Keys::Fixed),
            (None, Some(address)) => KeySource::Address(address.clone()),
            (None, None) => KeySource::Discovery,
        };
        if let KeySource::Address(address) = &source
            && let Err(problem) = secure_url(address, false)
        {
            let remedy = "Write the address of its JWK Set, or leave it out for discovery";
            mistakes.add("jwks_uri", format!("\"{address}\" {problem}"), remedy);
        }
        let trust = Trust { verifier: mistakes.verifier, ca_file: None, allow_http: false };
        match setup.net.client(trust) {
            Ok(http) => {
                Some(Keys::Remote(RemoteKeys::new(self.issuer.clone(), source, http, Arc::clone(&setup.clock))))
            }
            Err(mistake) => {
                mistakes.found.push(mistake);
                None
            }
        }
    }

    fn fixed_keys(
        &self,
        source: &Source,
        setup: &Setup<'_>,
        algorithms: &[Algorithm],
        mistakes: &mut Mistakes<'_>,
    ) -> Option<KeySet> {
        let remedy = "Name a PEM public key or certificate, or a JWK Set, that fits `algorithms`";
        let read = source.read(setup.base).and_then(|text| {
            let keys = KeySet::from_text(text.expose_secret()).map_err(|problem| format!("{source} {problem}"))?;
            if keys.serves(algorithms) {
                Ok(keys)
            } else {
                Err(format!("{source} holds no key for {}", self.algorithms.join(", ")))
            }
        });
        read.map_err(|problem| mistakes.add("keys", problem, remedy)).ok()
    }
}

enum Keys {
    Fixed(KeySet),
    Remote(Arc<RemoteKeys>),
}

struct Oidc {
    issuer: String,
    keys: Keys,
    rules: Rules,
    scopes: BTreeMap<String, String>,
    grants: BTreeSet<String>,
    grants_from: Vec<String>,
    email_claim: String,
}

impl Oidc {
    async fn judge(&self, jwt: UnverifiedJwt<'_>, now: Timestamp) -> Verdict {
        let algorithm = match self.rules.judge(&jwt, now) {
            Ok(algorithm) => algorithm,
            Err(reason) => return Verdict::Rejected(reason),
        };
        let checked = match &self.keys {
            Keys::Fixed(keys) => keys.check(&jwt, algorithm),
            Keys::Remote(keys) => match keys.get(jwt.unverified_header.key_id.as_deref()).await {
                Ok(keys) => keys.check(&jwt, algorithm),
                Err(unavailable) => return Verdict::Unavailable { retry_after: unavailable.retry_after },
            },
        };
        match checked {
            Ok(()) => {
                let scopes = self.scopes_of(&jwt.unverified_claims);
                Verdict::Accepted(Arc::new(jwt.unverified_claims.into_caller(scopes, &self.email_claim)))
            }
            Err(reason) => Verdict::Rejected(reason),
        }
    }

    fn scopes_of(&self, claims: &UnverifiedClaims) -> BTreeSet<String> {
        let foreign = self.grants_from.iter().flat_map(|claim| claims.words(claim));
        foreign.filter_map(|scope| self.scopes.get(scope)).chain(&self.grants).cloned().collect()
    }
}

impl Verifier for Oidc {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn verify<'a>(&'a self, token: UnverifiedJwt<'a>, now: Timestamp) -> BoxFuture<'a, Verdict> {
        Box::pin(self.judge(token, now))
    }

    fn recall(&self, accepted: &Arc<Caller>, now: Timestamp) -> Option<Verdict> {
        match &self.keys {
            Keys::Fixed(_) => Some(self.rules.recall(accepted, now)),
            Keys::Remote(_) => None,
        }
    }

    fn is_ready(&self) -> bool {
        match &self.keys {
            Keys::Fixed(_) => true,
            Keys::Remote(keys) => keys.is_ready(),
        }
    }
}
