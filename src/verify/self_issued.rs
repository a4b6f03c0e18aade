//! The kind `self`: tokens that this gateway issued itself, signed with HS256 and typed `at+jwt`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::keys::{KeySet, is_signed_by};
use super::rules::{Rules, TokenType};
use super::table::{self, Table};
use super::{Proof, ScopeMeaning, Setup, Step, Terms, Unverified, UnverifiedJwt, Verifier, VerifierSettings};
use crate::core::BoxFuture;
use crate::core::claim_path::ClaimPath;
use crate::core::claims::Caller;
use crate::core::error::Misconfiguration;
use crate::core::policy::Audience;
use crate::core::verdict::{Reason, Refusal, Verdict};

/// Our own issuer, as the section `[issuer]` describes it.
pub struct OwnIssuer {
    /// The `iss` of our tokens.
    pub url: String,
    /// Their `aud`; a token for any of them is ours.
    pub audience: Vec<String>,
    /// What they may be signed with: each one verifies, so that secrets can be changed without a gap.
    pub secrets: Vec<SecretString>,
}

/// The table of the kind `self`: nothing, for `[issuer]` says it all.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SelfSettings {}

impl Table for SelfSettings {
    fn read(name: &str, table: config::Value) -> Result<Self, Misconfiguration> {
        table::read(name, table)
    }
}

impl VerifierSettings for SelfSettings {
    fn build(&self, name: &str, setup: &Setup<'_>) -> Result<Arc<dyn Verifier>, Vec<Misconfiguration>> {
        let Some(own) = &setup.own else {
            let (key, remedy) = (format!("verifiers.{name}.kind"), "Describe the issuer in [issuer]");
            return Err(vec![Misconfiguration::new(key, "is \"self\", and this gateway issues no tokens", remedy)]);
        };
        Ok(Arc::new(SelfIssued::new(own)?))
    }

    fn effective(&self) -> serde_json::Value {
        serde_json::json!({ "kind": "self" })
    }
}

struct SelfIssued {
    issuer: String,
    keys: Vec<DecodingKey>,
    rules: Rules,
}

impl SelfIssued {
    fn new(own: &OwnIssuer) -> Result<Self, Vec<Misconfiguration>> {
        let mut mistakes: Vec<_> = own.secrets.iter().enumerate().filter_map(weakness).collect();
        if own.secrets.is_empty() {
            let problem = "is empty, so that no token could be verified";
            mistakes.push(Misconfiguration::new("issuer.secrets", problem, REMEDY));
        }
        if own.audience.is_empty() {
            let remedy = "Name what the tokens are for, like [\"anteroom\"]";
            mistakes.push(Misconfiguration::new("issuer.audience", "is empty", remedy));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let key = |secret: &SecretString| DecodingKey::from_secret(secret.expose_secret().as_bytes());
        Ok(Self {
            issuer: own.url.clone(),
            keys: own.secrets.iter().map(key).collect(),
            rules: Rules {
                algorithms: vec![Algorithm::HS256],
                token_type: TokenType::AccessToken,
                // It was this gateway's clock that the times were taken from.
                leeway: Duration::ZERO,
                audience: Audience { any: own.audience.clone(), all: Vec::new() },
            },
        })
    }

    fn judge(&self, jwt: UnverifiedJwt<'_>, terms: Terms<'_>) -> Result<Verdict, Refusal> {
        let algorithm = self.rules.judge(&jwt, terms)?;
        if !self.keys.iter().any(|key| is_signed_by(&jwt, key, algorithm)) {
            return Err(Reason::SignatureInvalid.into());
        }
        let claims = jwt.unverified_claims;
        let scopes: BTreeSet<_> = claims.words("scope").map(str::to_owned).collect();
        Ok(Verdict::Accepted(Arc::new(claims.into_caller(scopes, "email"))))
    }
}

impl Verifier for SelfIssued {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn verify<'a>(&'a self, token: Unverified<'a>, terms: Terms<'a>) -> BoxFuture<'a, Verdict> {
        let verdict = match token {
            Unverified::Jwt(jwt) => self.judge(jwt, terms).unwrap_or_else(Verdict::Rejected),
            Unverified::Opaque(_) => Verdict::Rejected(Reason::TokenMalformed.into()),
        };
        Box::pin(std::future::ready(verdict))
    }

    fn generation(&self) -> Option<u64> {
        Some(0)
    }

    fn recall(&self, accepted: &Arc<Caller>, terms: Terms<'_>) -> Verdict {
        self.rules.recall(accepted, terms)
    }

    fn explain(&self, token: &Unverified<'_>, terms: Terms<'_>) -> Vec<Step> {
        self.rules.explain(token, terms)
    }

    fn proof(&self) -> Proof {
        Proof::OwnSecret
    }

    fn meanings(&self, claims: &Map<String, Value>) -> Vec<ScopeMeaning> {
        let scopes = ClaimPath::from("scope");
        let itself = |scope: &str| ScopeMeaning { scope: scope.into(), grants: Some(scope.into()) };
        scopes.words(claims).map(itself).collect()
    }
}

const REMEDY: &str = "Make one with `openssl rand -base64 48 > FILE` and name it as \"file:FILE\"";

/// RFC 7518 section 3.2: a key at least as long as the hash.
const MIN_SECRET_BYTES: usize = 32;

/// Secrets from tutorials and from the documentation of well-known tools, long enough to pass for real ones.
const PUBLISHED: [&str; 5] = [
    "your-256-bit-secret-your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "your-512-bit-secret-your-512-bit-secret",
    "this-is-a-very-secure-secret-key-that-is-at-least-32-characters",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
];

/// What makes the secret at this index unfit to sign with; says nothing of what it is.
fn weakness((index, secret): (usize, &SecretString)) -> Option<Misconfiguration> {
    let secret = secret.expose_secret();
    let problem = if secret.len() < MIN_SECRET_BYTES {
        format!("is {} bytes long, and HS256 needs at least {MIN_SECRET_BYTES}", secret.len())
    } else if is_repetitive(secret) || PUBLISHED.iter().any(|known| known.eq_ignore_ascii_case(secret.trim())) {
        "is a published or repetitive one, which anybody can guess".to_owned()
    } else if is_key_material(secret) {
        "is a key or a certificate, whose public part anybody may know; HS256 needs a secret".to_owned()
    } else {
        return None;
    };
    Some(Misconfiguration::new(format!("issuer.secrets[{index}]"), problem, REMEDY))
}

/// Whether it is one short text over and over: `secretsecretsecret…`, `0000…`.
fn is_repetitive(secret: &str) -> bool {
    let bytes = secret.as_bytes();
    (1..=bytes.len() / 2).any(|period| bytes.iter().zip(&bytes[period..]).all(|(one, other)| one == other))
}

/// Whether it is a PEM text, a JWK, or the base64 of a DER public key, also with its lines stripped.
fn is_key_material(secret: &str) -> bool {
    if secret.contains("-----BEGIN ") || secret.trim_start().starts_with('{') {
        return true;
    }
    let base64: String = secret.chars().filter(|character| !character.is_whitespace()).collect();
    let base64 = base64.trim_end_matches('=');
    let Ok(der) = URL_SAFE_NO_PAD.decode(base64.replace('+', "-").replace('/', "_")) else { return false };
    let wrapped = |label: &str| format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(&der));
    ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"].iter().any(|label| KeySet::from_pem(&wrapped(label)).is_ok())
}
