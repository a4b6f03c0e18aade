//! What is known of tokens because their issuer was asked: facts only, for a short time, and never past it.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::{Map, Value};

use super::super::acceptance::AcceptanceSettings;
use super::super::rules::{Rules, judge_kind};
use super::super::verified::Fingerprint;
use crate::core::claims::{Caller, UnverifiedClaims};
use crate::core::clock::Timestamp;
use crate::core::verdict::{Reason, Refusal};

/// How long a token is held to be inactive without asking again, at most.
const MAX_INACTIVE: Duration = Duration::from_secs(5);

/// What the issuer says of a token.
#[derive(Clone)]
pub(super) enum Fact {
    /// It speaks for this caller. Times and audience are judged on every use.
    Active(Arc<Caller>),
    /// It is not active, or not what is accepted here.
    Refused(Refusal),
}

/// The answer is none to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAnIntrospection;

impl Fact {
    /// What an answer says (RFC 7662 section 2.2) that is believed until then at most.
    pub(super) fn of_answer(
        answer: Map<String, Value>,
        acceptance: &AcceptanceSettings,
        rules: &Rules,
        believed_until: Timestamp,
    ) -> Result<Self, NotAnIntrospection> {
        match answer.get("active") {
            // Nothing else is, whatever a lenient reader would make of it.
            Some(Value::Bool(true)) => {}
            Some(_) => return Ok(Self::Refused(Reason::TokenInactive.into())),
            None => return Err(NotAnIntrospection),
        }
        let claims = match UnverifiedClaims::from_introspection(answer, &acceptance.issuer, believed_until) {
            Ok(claims) => claims,
            Err(error) => {
                let told = error.to_string();
                return Ok(Self::Refused(Refusal::because(
                    Reason::ClaimsInvalid,
                    "an introspection as in RFC 7662",
                    &told,
                )));
            }
        };
        let judged = judge(&claims, &acceptance.issuer, rules);
        Ok(judged.map_or_else(Self::Refused, |()| Self::Active(acceptance.caller(claims))))
    }

    /// How long it holds from `now` on.
    fn lifetime(&self, cache: Duration, now: Timestamp) -> Duration {
        match self {
            Self::Active(caller) => {
                let left = u64::try_from(caller.expires_at.millis_since(now)).unwrap_or(0);
                cache.min(Duration::from_millis(left))
            }
            Self::Refused(_) => cache.min(MAX_INACTIVE),
        }
    }
}

/// What introspections call tokens that may be sent as bearer tokens. One that is bound to a key (`DPoP`) may not.
const BEARER: [&str; 3] = ["Bearer", "access_token", "urn:ietf:params:oauth:token-type:access_token"];

/// The members of which one at least is there when an answer is about an access token: about a refresh token some providers say none.
const SIGNS_OF_ACCESS: [&str; 4] = ["aud", "token_type", "typ", "token_use"];

/// Judges what does not change from one use to the next.
fn judge(claims: &UnverifiedClaims, issuer: &str, rules: &Rules) -> Result<(), Refusal> {
    if claims.issuer != issuer {
        return Err(Refusal::because(Reason::IssuerUnknown, format!("iss to be {issuer:?}"), &claims.issuer));
    }
    judge_kind(claims)?;
    let is_bearer = |value: &Value| {
        value.as_str().is_some_and(|name| BEARER.iter().any(|bearer| name.eq_ignore_ascii_case(bearer)))
    };
    let token_type = claims.all.get("token_type");
    if !token_type.is_none_or(is_bearer) {
        return Err(Refusal::because(Reason::TypeMismatch, format!("token_type to be one of {BEARER:?}"), &token_type));
    }
    if SIGNS_OF_ACCESS.iter().all(|name| claims.all.get(*name).is_none_or(Value::is_null)) {
        let expected = format!("one of {SIGNS_OF_ACCESS:?}, as refresh tokens have none");
        return Err(Refusal::because(Reason::TypeMismatch, expected, &token_type));
    }
    // An answer without an audience is for nobody: that is judged with the audience.
    let audience = rules.audience_claim.find(&claims.all);
    if audience.is_some() && claims.audience(&rules.audience_claim).is_none() {
        let expected = format!("{} to be a string or an array of strings", rules.audience_claim);
        return Err(Refusal::because(Reason::ClaimsInvalid, expected, &audience));
    }
    rules.judge_claims(claims)
}

/// What is known of a token now.
pub(super) enum Known {
    /// This.
    Fact(Fact),
    /// That it was active when it was asked about last, which has to be asked again.
    WasActive,
    /// Nothing.
    Nothing,
}

/// How much memory the facts may take, in bytes, about; what a fact takes besides its claims; and by how much these grow when they are
/// read: an array of short texts most of all.
const BYTES: u64 = 16 << 20;
const OVERHEAD: usize = 1024;
const GROWTH: usize = 24;

#[derive(Clone)]
struct Bytes;

#[derive(Clone)]
struct Entry {
    fact: Fact,
    /// By the monotonic clock.
    holds_until: Duration,
    weight: u64,
}

impl Weighter<Fingerprint, Entry> for Bytes {
    fn weight(&self, _: &Fingerprint, entry: &Entry) -> u64 {
        entry.weight
    }
}

/// The facts about the tokens of one verifier, by the hash of the token.
pub(super) struct Facts {
    kept: Cache<Fingerprint, Entry, Bytes>,
    lifetime: Duration,
}

/// When something was asked: by the wall clock and by the monotonic one.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) at: Timestamp,
    pub(super) instant: Duration,
}

impl Facts {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { kept: Cache::with_weighter(256, BYTES, Bytes), lifetime }
    }

    /// How long an answer is believed.
    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// What is known of a token at this instant.
    pub(super) fn get(&self, token: Fingerprint, now: Duration) -> Known {
        match self.kept.get(&token) {
            Some(entry) if now < entry.holds_until => Known::Fact(entry.fact),
            Some(Entry { fact: Fact::Active(_), .. }) => Known::WasActive,
            _ => Known::Nothing,
        }
    }

    /// Keeps a fact from the time at which its issuer was asked.
    pub(super) fn keep(&self, token: Fingerprint, fact: &Fact, asked: Asked) {
        let lifetime = fact.lifetime(self.lifetime, asked.at);
        let length = match fact {
            Fact::Active(caller) => serde_json::to_vec(&caller.claims).map_or(0, |json| json.len()),
            Fact::Refused(_) if lifetime.is_zero() => {
                self.kept.remove(&token);
                return;
            }
            Fact::Refused(_) => 0,
        };
        let (holds_until, weight) = (asked.instant + lifetime, (OVERHEAD + GROWTH * length) as u64);
        self.kept.insert(token, Entry { fact: fact.clone(), holds_until, weight });
    }
}
