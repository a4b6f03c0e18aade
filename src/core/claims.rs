//! Who a genuine token speaks for: the one place where JSON becomes claims.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::claim_path::{ClaimPath, words};
use super::clock::Timestamp;
use super::request::Owner;

/// Who a genuine token speaks for, in Anteroom's own words.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// The `iss` of the token, byte for byte.
    pub issuer: String,
    /// The `sub` of the token, byte for byte.
    pub subject: String,
    /// The tenant that this caller's requests belong to.
    pub owner: Owner,
    /// The OAuth client: `client_id`, `azp` or `cid`, whichever comes first.
    pub client_id: Option<String>,
    /// The scopes that count here, in Anteroom's names.
    pub scopes: BTreeSet<String>,
    /// Every scope of the token, for the guards of other services: Anteroom's own as in `scopes`, and the others in its issuer's words.
    pub token_scopes: BTreeSet<String>,
    /// Auth0's `permissions`; not scopes, unless a verifier's `grants_from` says so.
    pub permissions: Vec<String>,
    /// The `aud` of the token, or what its verifier is told to take for it.
    pub audience: Vec<String>,
    /// The claim that the verifier is told to read the e-mail address from.
    pub email: Option<String>,
    /// The `exp` of the token. Of one that was introspected and has none: how long the answer is believed.
    pub expires_at: Timestamp,
    /// The `nbf` of the token.
    pub not_before: Option<Timestamp>,
    /// The `iat` of the token.
    pub issued_at: Option<Timestamp>,
    /// Every claim of the token.
    pub claims: Map<String, Value>,
}

/// The claims of a token, with the types that RFC 7519 section 4.1 gives them. Nobody has vouched for them yet.
#[derive(Clone, Debug, PartialEq)]
pub struct UnverifiedClaims {
    /// `iss`: one string, byte for byte.
    pub issuer: String,
    /// `sub`: one string, not empty, byte for byte.
    pub subject: String,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `nbf`.
    pub not_before: Option<Timestamp>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
    /// Every claim, these too.
    pub all: Map<String, Value>,
}

/// Where the claims of an issuer's tokens say what is asked of them here.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Whom the token is meant for.
    pub audience: &'a ClaimPath,
    /// The e-mail address.
    pub email: &'a ClaimPath,
    /// Whose the caller's requests are.
    pub owner: OwnerClaim,
}

/// Which claim, besides `iss`, names the owner of a caller's requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerClaim {
    /// `sub`: each subject has requests of its own.
    #[default]
    Subject,
    /// The client id: what acts through one client sees the same requests.
    Client,
}

/// A claim that is missing or has the wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claim {name} is missing or is not {expected}")]
pub struct ClaimError {
    /// Its name.
    pub name: &'static str,
    /// What it has to be.
    pub expected: &'static str,
}

impl UnverifiedClaims {
    /// Gives the registered claims of a token their types. An access token has to have `iss`, `sub` and `exp` (RFC 9068 section 2.2);
    /// its audience is read [where it stands](Self::audience).
    pub fn from_object(all: Map<String, Value>) -> Result<Self, ClaimError> {
        let expires_at = numeric_date(&all, "exp", Epoch::Refused)?;
        Self::new(
            text(&all, "iss")?,
            text(&all, "sub")?,
            expires_at.ok_or(ClaimError { name: "exp", expected: NUMERIC_DATE })?,
            all,
        )
    }

    /// Gives the members of an introspection their types (RFC 7662 section 2.2). All of them are optional: `issuer` is who was asked,
    /// the client is the subject when there is no other, and `believed_until` is how long an answer holds that does not say.
    pub fn from_introspection(
        all: Map<String, Value>,
        issuer: &str,
        believed_until: Timestamp,
    ) -> Result<Self, ClaimError> {
        let issuer = if all.contains_key("iss") { text(&all, "iss")? } else { issuer.to_owned() };
        let subject = if all.contains_key("sub") { text(&all, "sub")? } else { text(&all, "client_id")? };
        let expires_at = numeric_date(&all, "exp", Epoch::Refused)?.unwrap_or(believed_until);
        Self::new(issuer, subject, expires_at, all)
    }

    fn new(
        issuer: String,
        subject: String,
        expires_at: Timestamp,
        all: Map<String, Value>,
    ) -> Result<Self, ClaimError> {
        let not_before = numeric_date(&all, "nbf", Epoch::Allowed)?;
        let issued_at = numeric_date(&all, "iat", Epoch::Refused)?;
        Ok(Self { issuer, subject, expires_at, not_before, issued_at, all })
    }

    /// Whom they are meant for: the string or the strings that stand at `claim`; none when there is something else or nothing.
    pub fn audience(&self, claim: &ClaimPath) -> Option<Vec<String>> {
        match claim.find(&self.all)? {
            Value::String(one) => Some(vec![one.clone()]),
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        }
    }

    /// The OAuth client: `client_id`, `azp` or `cid`, whichever comes first.
    pub fn client_id(&self) -> Option<&str> {
        let text = |name: &str| self.all.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        ["client_id", "azp", "cid"].into_iter().find_map(text)
    }

    /// The name of the owner within the issuer; none when a claim that names it is missing, or has a NUL, which a store may be unable
    /// to keep.
    pub fn owner(&self, claim: OwnerClaim) -> Option<&str> {
        match claim {
            OwnerClaim::Subject => Some(&self.subject),
            OwnerClaim::Client => self.client_id().filter(|id| !id.contains('\0')),
        }
    }

    /// Who these claims speak for: the step that a verifier takes once it has seen that the token is genuine, and that it says who
    /// [the owner](Self::owner) is.
    pub fn into_caller(self, scopes: BTreeSet<String>, reading: Reading<'_>) -> Caller {
        let owner = self.owner(reading.owner).unwrap_or(&self.subject).to_owned();
        Caller {
            owner: Owner { issuer: self.issuer.clone(), subject: owner },
            client_id: self.client_id().map(str::to_owned),
            permissions: words(self.all.get("permissions")).map(str::to_owned).collect(),
            email: reading.email.text(&self.all).map(str::to_owned),
            audience: self.audience(reading.audience).unwrap_or_default(),
            issuer: self.issuer,
            subject: self.subject,
            token_scopes: scopes.clone(),
            scopes,
            expires_at: self.expires_at,
            not_before: self.not_before,
            issued_at: self.issued_at,
            claims: self.all,
        }
    }
}

const NUMERIC_DATE: &str = "a number of seconds since 1970, at most in the year 9999";

/// 9999-12-31T23:59:59Z. Beyond it lie mistakes (milliseconds taken for seconds) and tokens that never expire.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// Whether the first second of 1970 is a date: as `nbf` some providers write it for "always", as `exp` or `iat` it is a mistake.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Epoch {
    Allowed,
    Refused,
}

fn text(claims: &Map<String, Value>, name: &'static str) -> Result<String, ClaimError> {
    match claims.get(name).and_then(Value::as_str) {
        // A store may be unable to keep a NUL, and no provider writes one.
        Some(text) if !text.is_empty() && !text.contains('\0') => Ok(text.to_owned()),
        _ => Err(ClaimError { name, expected: "one string, not empty" }),
    }
}

/// RFC 7519 section 2, `NumericDate`: seconds, also with a fraction. None when the claim is not there.
fn numeric_date(
    claims: &Map<String, Value>,
    name: &'static str,
    epoch: Epoch,
) -> Result<Option<Timestamp>, ClaimError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_number().and_then(Number::as_f64).unwrap_or(f64::NAN);
    let in_range = seconds > 0.0 && seconds <= LAST_SECOND || seconds == 0.0 && epoch == Epoch::Allowed;
    if !in_range {
        return Err(ClaimError { name, expected: NUMERIC_DATE });
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 253402300799000, and rounding down is meant")]
    Ok(Some(Timestamp::from_millis((seconds * 1000.0).floor() as i64)))
}
