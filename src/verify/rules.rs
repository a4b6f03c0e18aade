//! The rules that an access token has to keep besides being signed: algorithm, type, times and audience.
//!
//! They cost next to nothing and are judged before a key is looked for, so that what fails them can cause no work elsewhere.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;

use super::token::UnverifiedJwt;
use super::{Step, Terms, Unverified};
use crate::core::claims::{Caller, UnverifiedClaims};
use crate::core::clock::Timestamp;
use crate::core::policy::Audience;
use crate::core::verdict::{Reason, Refusal, Verdict};

/// What one issuer's tokens have to be like. All of it comes from the configuration.
#[derive(Debug)]
pub(super) struct Rules {
    /// The algorithms that its keys sign with.
    pub(super) algorithms: Vec<Algorithm>,
    /// Which `typ` its access tokens have.
    pub(super) token_type: TokenType,
    /// How far its clock may be from ours.
    pub(super) leeway: Duration,
    /// Whom its tokens must be meant for.
    pub(super) audience: Audience,
}

/// Which header `typ` an access token has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenType {
    /// `at+jwt`, as RFC 9068 section 2.1 demands.
    AccessToken,
    /// That, or the `JWT` or nothing that providers older than RFC 9068 write.
    AccessTokenOrUntyped,
}

/// A check of a token that needs no key.
pub(super) type Check = fn(&Rules, &UnverifiedJwt<'_>, Terms<'_>) -> Result<(), Refusal>;

impl Rules {
    /// Every check, in the order in which they are made, with what it is about.
    pub(super) const CHECKS: [(&str, Check); 4] = [
        ("algorithm", |rules, jwt, _| rules.algorithm(jwt).map(drop)),
        ("type", |rules, jwt, _| rules.judge_type(jwt)),
        ("times", |rules, jwt, terms| rules.judge_times(Times::from(&jwt.unverified_claims), terms.now)),
        ("audience", |rules, jwt, terms| rules.judge_audience(&jwt.unverified_claims.audience, terms)),
    ];

    /// Judges a token by everything but its signature; gives the algorithm that the signature is to be checked with.
    pub(super) fn judge(&self, jwt: &UnverifiedJwt<'_>, terms: Terms<'_>) -> Result<Algorithm, Refusal> {
        Self::CHECKS.iter().try_for_each(|(_, check)| check(self, jwt, terms))?;
        self.algorithm(jwt)
    }

    /// How each check of a token goes. An opaque token has nothing to be checked by itself.
    pub(super) fn explain(&self, token: &Unverified<'_>, terms: Terms<'_>) -> Vec<Step> {
        let Unverified::Jwt(jwt) = token else { return Vec::new() };
        let step = |(name, check): &(&'static str, Check)| Step::of(name, check(self, jwt, terms));
        Self::CHECKS.iter().map(step).collect()
    }

    fn algorithm(&self, jwt: &UnverifiedJwt<'_>) -> Result<Algorithm, Refusal> {
        let name = &jwt.unverified_header.algorithm;
        let allowed = name.parse().ok().filter(|algorithm| self.algorithms.contains(algorithm));
        allowed
            .ok_or_else(|| Refusal::because(Reason::AlgorithmNotAllowed, format!("one of {:?}", self.algorithms), name))
    }

    fn judge_type(&self, jwt: &UnverifiedJwt<'_>) -> Result<(), Refusal> {
        let token_type = jwt.unverified_header.token_type.as_deref();
        if !self.token_type.allows(token_type) {
            return Err(Refusal::because(Reason::TypeMismatch, self.token_type.expected(), &token_type));
        }
        match sign_of_another_token(&jwt.unverified_claims) {
            Some(sign) => Err(Refusal::because(Reason::TypeMismatch, "an access token", &sign)),
            None => Ok(()),
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

impl TokenType {
    fn expected(self) -> &'static str {
        match self {
            Self::AccessToken => "typ at+jwt",
            Self::AccessTokenOrUntyped => "typ at+jwt, JWT or none",
        }
    }

    fn allows(self, unverified_type: Option<&str>) -> bool {
        let Some(name) = unverified_type else { return self == Self::AccessTokenOrUntyped };
        // Media type names are the same in any case (RFC 7515 section 4.1.9).
        let is = |expected: &str| name.eq_ignore_ascii_case(expected);
        is("at+jwt") || is("application/at+jwt") || self == Self::AccessTokenOrUntyped && is("JWT")
    }
}

/// Claims that only other tokens carry: ID tokens (OpenID Connect Core section 2), logout and security event tokens (RFC 8417),
/// DPoP proofs (RFC 9449 section 4.2).
const FOREIGN_CLAIMS: [&str; 6] = ["nonce", "at_hash", "c_hash", "events", "htm", "htu"];
/// What Keycloak writes into a claim `typ`, and Cognito into `token_use`, of tokens that are no access tokens.
const FOREIGN_KINDS: [&str; 5] = ["ID", "Refresh", "Offline", "Logout", "Serialized-ID"];

/// The claim that shows that this is no access token.
fn sign_of_another_token(claims: &UnverifiedClaims) -> Option<&'static str> {
    let says = |name: &str| claims.all.get(name).and_then(|kind| kind.as_str());
    let kind_is_foreign = |kind: &str| FOREIGN_KINDS.iter().any(|foreign| foreign.eq_ignore_ascii_case(kind));
    let foreign_claim = FOREIGN_CLAIMS.into_iter().find(|name| claims.all.contains_key(*name));
    foreign_claim.or_else(|| ["typ", "token_use"].into_iter().find(|name| says(name).is_some_and(kind_is_foreign)))
}
