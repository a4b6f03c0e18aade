//! The kind `self`: tokens that this gateway issued itself, signed with HS256 or ES256, as the issuer is configured, and typed `at+jwt`.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::hmac::{self, HmacKeys};
use super::keys::{JwkSet, KeySet};
use super::rules::{ACCESS_TOKEN, Rules};
use super::table::{self, Table};
use super::{Proof, ScopeMeaning, Setup, Terms, Unverified, UnverifiedJwt, Verifier, VerifierSettings};
use crate::core::BoxFuture;
use crate::core::claim_path::ClaimPath;
use crate::core::claims::{Caller, OwnerClaim, Reading};
use crate::core::error::Misconfiguration;
use crate::core::own_tokens::OwnTokens;
use crate::core::policy::Audience;
use crate::core::verdict::{Reason, Refusal, Verdict};

/// When to ask again while the keys are not read from the store yet.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Our own issuer, as the section `[issuer]` describes it.
pub struct OwnIssuer {
    /// The `iss` of our tokens.
    pub url: String,
    /// Their `aud`; a token for any of them is ours.
    pub audience: Vec<String>,
    /// What they may be signed with by HS256: each one verifies, so that secrets can be changed without a gap. None: they are signed
    /// by ES256, with the keys that `tokens` knows.
    pub secrets: Option<Vec<SecretString>>,
    /// What is known of them.
    pub tokens: Arc<OwnTokens>,
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

/// What a signature is checked with: one or the other, whatever a token says of itself.
enum Keys {
    Secrets(HmacKeys),
    /// The published keys, with their generation; none before the first use.
    Published(RwLock<Option<(u64, Arc<KeySet>)>>),
}

struct SelfIssued {
    issuer: String,
    keys: Keys,
    tokens: Arc<OwnTokens>,
    rules: Rules,
    scope: ClaimPath,
    email: ClaimPath,
}

impl SelfIssued {
    fn new(own: &OwnIssuer) -> Result<Self, Vec<Misconfiguration>> {
        let mistakes_in = |secrets: &Vec<SecretString>| hmac::mistakes("issuer.secrets", secrets);
        let mut mistakes = own.secrets.as_ref().map(mistakes_in).unwrap_or_default();
        if own.audience.is_empty() {
            let remedy = "Name what the tokens are for, like [\"anteroom\"]";
            mistakes.push(Misconfiguration::new("issuer.audience", "is empty", remedy));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let (keys, algorithm) = match &own.secrets {
            Some(secrets) => (Keys::Secrets(HmacKeys::new(secrets)), HmacKeys::ALGORITHM),
            None => (Keys::Published(RwLock::default()), Algorithm::ES256),
        };
        Ok(Self {
            issuer: own.url.clone(),
            keys,
            tokens: Arc::clone(&own.tokens),
            rules: Rules {
                algorithms: vec![algorithm],
                types: vec![ACCESS_TOKEN.to_owned()],
                // It was this gateway's clock that the times were taken from.
                leeway: Duration::ZERO,
                audience: Audience { any: own.audience.clone(), all: Vec::new() },
                audience_claim: "aud".into(),
                owner: OwnerClaim::Subject,
                required_claims: Vec::new(),
            },
            scope: "scope".into(),
            email: "email".into(),
        })
    }

    /// The keys that are published, made ready once.
    fn published(&self, known: &RwLock<Option<(u64, Arc<KeySet>)>>) -> Option<Arc<KeySet>> {
        let published = self.tokens.keys()?;
        let ready = known.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, keys)) = ready.filter(|(generation, _)| *generation == published.generation) {
            return Some(keys);
        }
        let set: JwkSet = serde_json::from_str(&published.jwks).ok()?;
        let keys = Arc::new(KeySet::from_jwks(set));
        *known.write().unwrap_or_else(PoisonError::into_inner) = Some((published.generation, Arc::clone(&keys)));
        Some(keys)
    }

    fn judge(&self, jwt: UnverifiedJwt<'_>, terms: Terms<'_>) -> Result<Verdict, Refusal> {
        self.rules.judge(&jwt, terms)?;
        match &self.keys {
            Keys::Secrets(secrets) => secrets.check(&jwt)?,
            Keys::Published(known) => match self.published(known) {
                Some(keys) => keys.check(&jwt, Algorithm::ES256)?,
                None => return Ok(Verdict::Unavailable { retry_after: RETRY_AFTER }),
            },
        }
        let claims = jwt.unverified_claims;
        if self.tokens.is_revoked(&claims.subject, claims.issued_at, &claims.all) {
            return Err(Reason::TokenRevoked.into());
        }
        let scopes: BTreeSet<_> = self.scope.words(&claims.all).map(str::to_owned).collect();
        let reading = Reading { audience: &self.rules.audience_claim, email: &self.email, owner: self.rules.owner };
        Ok(Verdict::Accepted(Arc::new(claims.into_caller(scopes, reading))))
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
        match &self.keys {
            Keys::Secrets(_) => Some(0),
            Keys::Published(_) => self.tokens.keys().map(|keys| keys.generation),
        }
    }

    fn recall(&self, accepted: &Arc<Caller>, terms: Terms<'_>) -> Verdict {
        if self.tokens.is_revoked(&accepted.subject, accepted.issued_at, &accepted.claims) {
            return Verdict::Rejected(Reason::TokenRevoked.into());
        }
        self.rules.recall(accepted, terms)
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    fn proof(&self) -> Proof {
        match &self.keys {
            Keys::Secrets(_) => Proof::OwnSecret,
            Keys::Published(_) => Proof::Keys,
        }
    }

    fn meanings(&self, claims: &Map<String, Value>) -> Vec<ScopeMeaning> {
        let scopes = ClaimPath::from("scope");
        let itself = |scope: &str| ScopeMeaning { scope: scope.into(), grants: Some(scope.into()) };
        scopes.words(claims).map(itself).collect()
    }
}
