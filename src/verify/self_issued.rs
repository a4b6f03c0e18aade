//! The kind `self`: tokens that this gateway issued itself, signed with HS256 and typed `at+jwt`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::hmac::{self, HmacKeys};
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

/// Our own issuer, as the section `[issuer]` describes it.
pub struct OwnIssuer {
    /// The `iss` of our tokens.
    pub url: String,
    /// Their `aud`; a token for any of them is ours.
    pub audience: Vec<String>,
    /// What they may be signed with: each one verifies, so that secrets can be changed without a gap.
    pub secrets: Vec<SecretString>,
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

struct SelfIssued {
    issuer: String,
    keys: HmacKeys,
    tokens: Arc<OwnTokens>,
    rules: Rules,
    scope: ClaimPath,
    email: ClaimPath,
}

impl SelfIssued {
    fn new(own: &OwnIssuer) -> Result<Self, Vec<Misconfiguration>> {
        let mut mistakes = hmac::mistakes("issuer.secrets", &own.secrets);
        if own.audience.is_empty() {
            let remedy = "Name what the tokens are for, like [\"anteroom\"]";
            mistakes.push(Misconfiguration::new("issuer.audience", "is empty", remedy));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Self {
            issuer: own.url.clone(),
            keys: HmacKeys::new(&own.secrets),
            tokens: Arc::clone(&own.tokens),
            rules: Rules {
                algorithms: vec![HmacKeys::ALGORITHM],
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

    fn judge(&self, jwt: UnverifiedJwt<'_>, terms: Terms<'_>) -> Result<Verdict, Refusal> {
        self.rules.judge(&jwt, terms)?;
        self.keys.check(&jwt)?;
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
        Some(0)
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
        Proof::OwnSecret
    }

    fn meanings(&self, claims: &Map<String, Value>) -> Vec<ScopeMeaning> {
        let scopes = ClaimPath::from("scope");
        let itself = |scope: &str| ScopeMeaning { scope: scope.into(), grants: Some(scope.into()) };
        scopes.words(claims).map(itself).collect()
    }
}
