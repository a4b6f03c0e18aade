//! The rules that an access token has to keep besides being signed: algorithm, type, times and audience.
//!
//! They cost next to nothing and are judged before a key is looked for, so that what fails them can cause no work elsewhere.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;

use super::token::UnverifiedJwt;
use crate::core::claims::{Caller, UnverifiedClaims};
use crate::core::clock::Timestamp;
use crate::core::verdict::{Reason, Verdict};

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

/// Which audiences make a token ours.
#[derive(Debug)]
pub(super) struct Audience {
    /// At least one of these, unless there are none.
    pub(super) any: Vec<String>,
    /// Every one of these.
    pub(super) all: Vec<String>,
}

impl Rules {
    /// Judges a token by everything but its signature; gives the algorithm that the signature is to be checked with.
    pub(super) fn judge(&self, jwt: &UnverifiedJwt<'_>, now: Timestamp) -> Result<Algorithm, Reason> {
        let (header, claims) = (&jwt.unverified_header, &jwt.unverified_claims);
        let algorithm = header.algorithm.parse().map_err(|_| Reason::AlgorithmNotAllowed)?;
        if !self.algorithms.contains(&algorithm) {
            return Err(Reason::AlgorithmNotAllowed);
        }
        if !self.token_type.allows(header.token_type.as_deref()) || is_another_kind_of_token(claims) {
            return Err(Reason::TypeMismatch);
        }
        self.judge_times(claims.expires_at, [claims.not_before, claims.issued_at], now)?;
        if self.audience.is_met_by(&claims.audience) { Ok(algorithm) } else { Err(Reason::AudienceMismatch) }
    }

    /// RFC 7519 sections 4.1.4 to 4.1.6: dead on `exp`, alive on `nbf`, and not made in the future.
    fn judge_times(&self, expires_at: Timestamp, begins: [Option<Timestamp>; 2], now: Timestamp) -> Result<(), Reason> {
        if now >= expires_at.plus(self.leeway) {
            return Err(Reason::TokenExpired);
        }
        let horizon = now.plus(self.leeway);
        let lies_ahead = begins.into_iter().flatten().any(|instant| instant > horizon);
        if lies_ahead { Err(Reason::TokenNotYetValid) } else { Ok(()) }
    }

    /// Judges anew a token that was accepted before: all but its times is as it was.
    pub(super) fn recall(&self, accepted: &Arc<Caller>, now: Timestamp) -> Verdict {
        match self.judge_times(accepted.expires_at, [accepted.not_before, accepted.issued_at], now) {
            Ok(()) => Verdict::Accepted(Arc::clone(accepted)),
            Err(reason) => Verdict::Rejected(reason),
        }
    }
}

impl TokenType {
    fn allows(self, unverified_type: Option<&str>) -> bool {
        let Some(name) = unverified_type else { return self == Self::AccessTokenOrUntyped };
        // Media type names are the same in any case (RFC 7515 section 4.1.9).
        let is = |expected: &str| name.eq_ignore_ascii_case(expected);
        is("at+jwt") || is("application/at+jwt") || self == Self::AccessTokenOrUntyped && is("JWT")
    }
}

impl Audience {
    fn is_met_by(&self, audience: &[String]) -> bool {
        let names = |wanted: &String| audience.contains(wanted);
        (self.any.is_empty() || self.any.iter().any(names)) && self.all.iter().all(names)
    }
}

/// Claims that only other tokens carry: ID tokens (OpenID Connect Core section 2), logout and security event tokens (RFC 8417),
/// DPoP proofs (RFC 9449 section 4.2).
const FOREIGN_CLAIMS: [&str; 6] = ["nonce", "at_hash", "c_hash", "events", "htm", "htu"];
/// What Keycloak writes into a claim `typ`, and Cognito into `token_use`, of tokens that are no access tokens.
const FOREIGN_KINDS: [&str; 5] = ["ID", "Refresh", "Offline", "Logout", "Serialized-ID"];

fn is_another_kind_of_token(claims: &UnverifiedClaims) -> bool {
    let says = |name: &str| claims.all.get(name).and_then(|kind| kind.as_str());
    let kind_is_foreign = |kind: &str| FOREIGN_KINDS.iter().any(|foreign| foreign.eq_ignore_ascii_case(kind));
    FOREIGN_CLAIMS.iter().any(|name| claims.all.contains_key(*name))
        || says("typ").is_some_and(kind_is_foreign)
        || says("token_use").is_some_and(kind_is_foreign)
}
