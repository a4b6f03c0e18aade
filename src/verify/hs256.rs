//! The kind `hs256`: tokens of another issuer, signed with a secret that it shares with this gateway.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::acceptance::AcceptanceSettings;
use super::hmac::{self, HmacKeys};
use super::rules::Rules;
use super::table::Accepting;
use super::{Proof, ScopeMeaning, Setup, Terms, Unverified, UnverifiedJwt, Verifier, VerifierSettings};
use crate::core::BoxFuture;
use crate::core::error::{Misconfiguration, Mistakes};
use crate::core::verdict::{Reason, Refusal, Verdict};
use crate::secret::Source;

/// The table of the kind `hs256`.
pub(super) type Hs256Settings = Accepting<SharedSecrets>;

/// What its issuer shares with this gateway.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SharedSecrets {
    /// The secrets; any of them verifies.
    secrets: Vec<Source>,
}

impl VerifierSettings for Hs256Settings {
    fn build(&self, name: &str, setup: &Setup<'_>) -> Result<Arc<dyn Verifier>, Vec<Misconfiguration>> {
        let mut mistakes = Mistakes::of("verifiers", name);
        self.acceptance.check(setup, &mut mistakes);
        let secrets = self.own.read(setup, &mut mistakes);
        if let Some(index) = setup.own.as_ref().and_then(|own| common(&secrets, &own.secrets)) {
            let problem = "is a secret of [issuer] as well, and whoever shares it could make tokens of ours";
            mistakes.add(&format!("secrets[{index}]"), problem, "Agree on another secret with that issuer");
        }
        if !mistakes.found.is_empty() {
            return Err(mistakes.found);
        }
        let rules = self.acceptance.rules(vec![HmacKeys::ALGORITHM]);
        Ok(Arc::new(Hs256 {
            keys: HmacKeys::new(&secrets),
            rules,
            acceptance: self.acceptance.knowing(&setup.type_scopes),
        }))
    }

    fn effective(&self) -> serde_json::Value {
        self.effective("hs256")
    }
}

impl SharedSecrets {
    fn read(&self, setup: &Setup<'_>, mistakes: &mut Mistakes<'_>) -> Vec<SecretString> {
        let mut secrets = Vec::new();
        for (index, source) in self.secrets.iter().enumerate() {
            match source.read(setup.base) {
                Ok(secret) => secrets.push(secret),
                Err(problem) => {
                    let remedy = "Write the secret that the issuer shares into that place";
                    mistakes.add(&format!("secrets[{index}]"), problem, remedy);
                }
            }
        }
        if secrets.len() == self.secrets.len() {
            mistakes.found.extend(hmac::mistakes(&format!("verifiers.{}.secrets", mistakes.name), &secrets));
        }
        secrets
    }
}

/// The place of the first secret that is among those of ours.
fn common(secrets: &[SecretString], ours: &[SecretString]) -> Option<usize> {
    secrets.iter().position(|secret| ours.iter().any(|own| own.expose_secret() == secret.expose_secret()))
}

struct Hs256 {
    keys: HmacKeys,
    rules: Rules,
    acceptance: AcceptanceSettings,
}

impl Hs256 {
    fn judge(&self, jwt: UnverifiedJwt<'_>, terms: Terms<'_>) -> Result<Verdict, Refusal> {
        self.rules.judge(&jwt, terms)?;
        self.keys.check(&jwt)?;
        Ok(Verdict::Accepted(self.acceptance.caller(jwt.unverified_claims)))
    }
}

impl Verifier for Hs256 {
    fn issuer(&self) -> &str {
        &self.acceptance.issuer
    }

    fn rules(&self) -> &Rules {
        &self.rules
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

    fn proof(&self) -> Proof {
        Proof::Secret
    }

    fn meanings(&self, claims: &Map<String, Value>) -> Vec<ScopeMeaning> {
        self.acceptance.meanings(claims)
    }
}
