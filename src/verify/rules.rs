//! The rules that an access token has to keep besides being signed: algorithm, type, times, audience and claims.
//!
//! They cost next to nothing and are judged before a key is looked for, so that what fails them can cause no work elsewhere.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;

use super::token::UnverifiedJwt;
use super::{Step, Terms};
use crate::core::claim_path::ClaimPath;
use crate::core::claim_rule::ClaimRule;
use crate::core::claims::{Caller, OwnerClaim, UnverifiedClaims};
use crate::core::clock::Timestamp;
use crate::core::policy::Audience;
use crate::core::verdict::{Reason, Refusal, Verdict};

/// What one issuer's tokens have to be like. All of it comes from the configuration.
#[derive(Debug)]
pub struct Rules {
    /// The algorithms that its keys sign with.
    pub(super) algorithms: Vec<Algorithm>,
    /// The names of the `typ` that its access tokens have; [`UNTYPED`] among them stands for none.
    pub(super) types: Vec<String>,
    /// How far its clock may be from ours.
    pub(super) leeway: Duration,
    /// Whom its tokens must be meant for.
    pub(super) audience: Audience,
    /// Where they say whom they are meant for.
    pub(super) audience_claim: ClaimPath,
    /// What names the owner of their requests.
    pub(super) owner: OwnerClaim,
    /// What their claims have to say.
    pub(super) required_claims: Vec<ClaimRule>,
}

/// RFC 9068 section 2.1.
pub(super) const ACCESS_TOKEN: &str = "at+jwt";
/// Stands for a token without `typ`.
pub(super) const UNTYPED: &str = "none";

/// A check of a token that needs no key, with what it is about.
pub(super) type NamedCheck = (&'static str, Check);
type Check = fn(&Rules, &UnverifiedJwt<'_>, Terms<'_>) -> Result<(), Refusal>;

impl Rules {
    const ALGORITHM: NamedCheck = ("algorithm", |rules, jwt, _| rules.algorithm(jwt).map(drop));
    const TYPE: NamedCheck = ("type", |rules, jwt, _| rules.judge_type(jwt));
    const TIMES: NamedCheck =
        ("times", |rules, jwt, terms| rules.judge_times(Times::from(&jwt.unverified_claims), terms.now));
    const AUDIENCE: NamedCheck =
        ("audience", |rules, jwt, terms| rules.judge_unverified_audience(&jwt.unverified_claims, terms));
    const CLAIMS: NamedCheck = ("claims", |rules, jwt, _| rules.judge_claims(&jwt.unverified_claims));

    /// Every check, in the order in which they are made.
    pub(super) const CHECKS: [NamedCheck; 5] = [Self::ALGORITHM, Self::TYPE, Self::TIMES, Self::AUDIENCE, Self::CLAIMS];
    /// Those that come after the algorithm.
    const CHECKS_AFTER_ALGORITHM: [NamedCheck; 4] = [Self::TYPE, Self::TIMES, Self::AUDIENCE, Self::CLAIMS];
    /// Those of a token whose issuer is asked about it: what fails them will not become good by asking. The algorithm is for the issuer
    /// to check, and the claims are those of its answer.
    pub(super) const CHECKS_BEFORE_ASKING: [NamedCheck; 3] = [Self::TYPE, Self::TIMES, Self::AUDIENCE];

    /// Judges a token by everything but its signature; gives the algorithm that the signature is to be checked with.
    pub(super) fn judge(&self, jwt: &UnverifiedJwt<'_>, terms: Terms<'_>) -> Result<Algorithm, Refusal> {
        let algorithm = self.algorithm(jwt)?;
        Self::CHECKS_AFTER_ALGORITHM.iter().try_for_each(|(_, check)| check(self, jwt, terms))?;
        Ok(algorithm)
    }

    /// How each check of a token goes.
    pub(super) fn explain(&self, checks: &[NamedCheck], jwt: &UnverifiedJwt<'_>, terms: Terms<'_>) -> Vec<Step> {
        checks.iter().map(|(name, check)| Step::of(name, check(self, jwt, terms))).collect()
    }

    fn algorithm(&self, jwt: &UnverifiedJwt<'_>) -> Result<Algorithm, Refusal> {
        let name = &jwt.unverified_header.algorithm;
        let allowed = name.parse().ok().filter(|algorithm| self.algorithms.contains(algorithm));
        allowed
            .ok_or_else(|| Refusal::because(Reason::AlgorithmNotAllowed, format!("one of {:?}", self.algorithms), name))
    }

    fn judge_type(&self, jwt: &UnverifiedJwt<'_>) -> Result<(), Refusal> {
        let token_type = jwt.unverified_header.token_type.as_deref();
        if !self.allows_type(token_type) {
            let expected = format!("typ to be one of {:?}", self.types);
            return Err(Refusal::because(Reason::TypeMismatch, expected, &token_type));
        }
        judge_kind(&jwt.unverified_claims)
    }

    fn allows_type(&self, unverified_type: Option<&str>) -> bool {
        let mut types = self.types.iter();
        match unverified_type {
            None => types.any(|name| name == UNTYPED),
            Some(found) => types.any(|name| name != UNTYPED && is_same_type(name, found)),
        }
    }

    /// RFC 7519 sections 4.1.4 to 4.1.6: dead on `exp`, alive on `nbf`, and not made in the future.
    fn judge_times(&self, times: Times, now: Timestamp) -> Result<(), Refusal> {
        let told = |instant: Timestamp| instant.to_string();
        if now >= times.expires_at.plus(self.leeway) {
            let expected = format!("exp after {now}, by a leeway of {:?}", self.leeway);
            return Err(Refusal::because(Reason::TokenExpired, expected, &told(times.expires_at)));
        }
        let horizon = now.plus(self.leeway);
        match times.begins.into_iter().flatten().find(|instant| *instant > horizon) {
            Some(ahead) => {
                let expected = format!("nbf and iat not after {horizon}");
                Err(Refusal::because(Reason::TokenNotYetValid, expected, &told(ahead)))
            }
            None => Ok(()),
        }
    }

    fn judge_audience(&self, unverified_audience: &[String], terms: Terms<'_>) -> Result<(), Refusal> {
        let audience = terms.audience.unwrap_or(&self.audience);
        if audience.is_met_by(unverified_audience) {
            return Ok(());
        }
        Err(Refusal::because(Reason::AudienceMismatch, audience.to_string(), &unverified_audience))
    }

    fn judge_unverified_audience(&self, claims: &UnverifiedClaims, terms: Terms<'_>) -> Result<(), Refusal> {
        let Some(audience) = claims.audience(&self.audience_claim) else {
            let expected = format!("{} to be a string or an array of strings", self.audience_claim);
            return Err(Refusal::because(Reason::ClaimsInvalid, expected, &self.audience_claim.find(&claims.all)));
        };
        self.judge_audience(&audience, terms)
    }

    /// What the claims say that does not change with time or with who asks.
    pub(super) fn judge_claims(&self, claims: &UnverifiedClaims) -> Result<(), Refusal> {
        if claims.owner(self.owner).is_none() {
            let found = claims.client_id();
            return Err(Refusal::because(Reason::ClaimsInvalid, "a client id, which owns its requests", &found));
        }
        match self.required_claims.iter().find(|rule| !rule.holds(&claims.all)) {
            Some(rule) => {
                let found = rule.at().find(&claims.all);
                Err(Refusal::because(Reason::ClaimMismatch, rule.to_string(), &found))
            }
            None => Ok(()),
        }
    }

    /// Judges anew a token that was accepted before: its times, and the audience that is asked for now. The rest is as it was.
    pub(super) fn recall(&self, accepted: &Arc<Caller>, terms: Terms<'_>) -> Verdict {
        let judged = self
            .judge_times(Times::from(&**accepted), terms.now)
            .and_then(|()| self.judge_audience(&accepted.audience, terms));
        match judged {
            Ok(()) => Verdict::Accepted(Arc::clone(accepted)),
            Err(refusal) => Verdict::Rejected(refusal),
        }
    }
}

/// The times of a token.
struct Times {
    expires_at: Timestamp,
    /// `nbf` and `iat`.
    begins: [Option<Timestamp>; 2],
}

impl From<&UnverifiedClaims> for Times {
    fn from(claims: &UnverifiedClaims) -> Self {
        Self { expires_at: claims.expires_at, begins: [claims.not_before, claims.issued_at] }
    }
}

impl From<&Caller> for Times {
    fn from(caller: &Caller) -> Self {
        Self { expires_at: caller.expires_at, begins: [caller.not_before, caller.issued_at] }
    }
}

/// Media types are the same in any case, and `application/` goes without saying (RFC 7515 section 4.1.9).
fn is_same_type(name: &str, other: &str) -> bool {
    let bare = |name: &'_ str| match name.split_once('/') {
        Some((tree, rest)) if tree.eq_ignore_ascii_case("application") => rest.to_ascii_lowercase(),
        _ => name.to_ascii_lowercase(),
    };
    bare(name) == bare(other)
}

/// Claims that only other tokens carry: ID tokens (OpenID Connect Core section 2), logout and security event tokens (RFC 8417),
/// DPoP proofs (RFC 9449 section 4.2); and those that are bound to a key (RFC 7800), which are no bearer tokens: nobody shows that key here.
const FOREIGN_CLAIMS: [&str; 7] = ["nonce", "at_hash", "c_hash", "events", "htm", "htu", "cnf"];
/// What Keycloak writes into a claim `typ`, and Cognito and Hydra into `token_use`, of tokens that are no access tokens.
const FOREIGN_KINDS: [&str; 6] = ["ID", "Refresh", "refresh_token", "Offline", "Logout", "Serialized-ID"];

/// Whether the claims are those of an access token.
pub(super) fn judge_kind(claims: &UnverifiedClaims) -> Result<(), Refusal> {
    match sign_of_another_token(claims) {
        Some(sign) => Err(Refusal::because(Reason::TypeMismatch, "an access token", &sign)),
        None => Ok(()),
    }
}

/// The claim that shows that this is no access token.
fn sign_of_another_token(claims: &UnverifiedClaims) -> Option<&'static str> {
    let says = |name: &str| claims.all.get(name).and_then(|kind| kind.as_str());
    let kind_is_foreign = |kind: &str| FOREIGN_KINDS.iter().any(|foreign| foreign.eq_ignore_ascii_case(kind));
    let foreign_claim = FOREIGN_CLAIMS.into_iter().find(|name| claims.all.contains_key(*name));
    foreign_claim.or_else(|| ["typ", "token_use"].into_iter().find(|name| says(name).is_some_and(kind_is_foreign)))
}
