//! What an issuer's answer about a token says: whether it is an introspection, and of a token that is accepted here.

use serde_json::{Map, Value};

use super::super::acceptance::AcceptanceSettings;
use super::super::rules::{Rules, judge_kind};
use super::facts::Fact;
use crate::core::claims::UnverifiedClaims;
use crate::core::clock::Timestamp;
use crate::core::verdict::{Reason, Refusal};

/// The answer is none to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAnIntrospection;

/// What an answer says (RFC 7662 section 2.2) that is believed until then at most.
pub(super) fn judge(
    answer: Map<String, Value>,
    acceptance: &AcceptanceSettings,
    rules: &Rules,
    believed_until: Timestamp,
) -> Result<Fact, NotAnIntrospection> {
    match answer.get("active") {
        // Nothing else is, whatever a lenient reader would make of it.
        Some(Value::Bool(true)) => {}
        Some(_) => return Ok(Fact::Refused(Reason::TokenInactive.into())),
        None => return Err(NotAnIntrospection),
    }
    let claims = match UnverifiedClaims::from_introspection(answer, &acceptance.issuer, believed_until) {
        Ok(claims) => claims,
        Err(error) => {
            let told = error.to_string();
            return Ok(Fact::Refused(Refusal::because(
                Reason::ClaimsInvalid,
                "an introspection as in RFC 7662",
                &told,
            )));
        }
    };
    let judged = judge_claims(&claims, &acceptance.issuer, rules);
    Ok(judged.map_or_else(Fact::Refused, |()| Fact::Active(acceptance.caller(claims))))
}

/// What introspections call tokens that may be sent as bearer tokens. One that is bound to a key (`DPoP`) may not.
const BEARER: [&str; 3] = ["Bearer", "access_token", "urn:ietf:params:oauth:token-type:access_token"];

/// The members of which one at least is there when an answer is about an access token: about a refresh token some providers say none.
const SIGNS_OF_ACCESS: [&str; 4] = ["aud", "token_type", "typ", "token_use"];

/// Judges what does not change from one use to the next.
fn judge_claims(claims: &UnverifiedClaims, issuer: &str, rules: &Rules) -> Result<(), Refusal> {
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
