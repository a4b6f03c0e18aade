//! Who a genuine token speaks for: the one place where JSON becomes claims.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

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
    /// The `aud` of the token.
    pub audience: Vec<String>,
    /// The claim that the verifier is told to read the e-mail address from.
    pub email: Option<String>,
    /// The `exp` of the token.
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
    /// `aud`: one string or several.
    pub audience: Vec<String>,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `nbf`.
    pub not_before: Option<Timestamp>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
    /// Every claim, these too.
    pub all: Map<String, Value>,
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
    /// Gives the registered claims their types. An access token has to have `iss`, `sub`, `aud` and `exp` (RFC 9068 section 2.2).
    pub fn from_object(all: Map<String, Value>) -> Result<Self, ClaimError> {
        Ok(Self {
            issuer: text(&all, "iss")?,
            subject: text(&all, "sub")?,
            audience: audience(&all)?,
            expires_at: numeric_date(&all, "exp", Epoch::Refused)?
                .ok_or(ClaimError { name: "exp", expected: NUMERIC_DATE })?,
            not_before: numeric_date(&all, "nbf", Epoch::Allowed)?,
            issued_at: numeric_date(&all, "iat", Epoch::Refused)?,
            all,
        })
    }

    /// The words in the claim `name`: a string, separated by spaces (RFC 6749 section 3.3), or an array of strings. A claim of
    /// another type holds none.
    pub fn words<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let items = match self.all.get(name) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        items.iter().filter_map(Value::as_str).flat_map(|text| text.split(' ')).filter(|word| !word.is_empty())
    }

    /// Who these claims speak for: the step that a verifier takes once it has seen that the token is genuine.
    pub fn into_caller(self, scopes: BTreeSet<String>, email_claim: &str) -> Caller {
        let string =
            |name: &str| self.all.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        Caller {
            client_id: ["client_id", "azp", "cid"].into_iter().find_map(string),
            permissions: self.words("permissions").map(str::to_owned).collect(),
            email: string(email_claim),
            owner: Owner { issuer: self.issuer.clone(), subject: self.subject.clone() },
            issuer: self.issuer,
            subject: self.subject,
            token_scopes: scopes.clone(),
            scopes,
            audience: self.audience,
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

fn audience(claims: &Map<String, Value>) -> Result<Vec<String>, ClaimError> {
    let strings = match claims.get("aud") {
        Some(Value::String(one)) => Some(vec![one.clone()]),
        Some(Value::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    strings.ok_or(ClaimError { name: "aud", expected: "a string or an array of strings" })
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
