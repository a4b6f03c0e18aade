//! What may be meant where a token is for no verifier: the near misses that people make.

use serde_json::Value;

use super::super::Tokens;
use super::super::chain::{Chain, Link, Trust};
use super::super::token::UnverifiedToken;
use super::{Explanation, Proof};
use crate::core::verdict::{Reason, Refusal};

impl Chain {
    /// What may be meant, of a token that no verifier takes.
    pub(super) fn hints_about(&self, text: &str, told: &Explanation, trust: &Trust, refusal: &Refusal) -> Vec<String> {
        let issuer = told.unverified_claims.as_ref().and_then(|claims| claims.get("iss")).and_then(Value::as_str);
        match (refusal.reason, UnverifiedToken::from_bearer(text)) {
            (Reason::IssuerUnknown, _) => issuer.map_or_else(Vec::new, |issuer| self.near_misses(issuer, trust)),
            (Reason::TokenMalformed, Ok(token)) if !token.looks_like_jwt() && !text.starts_with("ey") => {
                vec![self.no_opaque_tokens(trust)]
            }
            (Reason::TokenMalformed, token) => misread(text, token.is_ok()).map(str::to_owned).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The issuers that are trusted here, and those that differ from this one in something easily overlooked.
    fn near_misses(&self, unverified_issuer: &str, trust: &Trust) -> Vec<String> {
        let mut hints = Vec::new();
        hints.extend(self.opaque_only(unverified_issuer, trust).map(|wrong| format!("{wrong}; {ASK_ABOUT_JWTS}")));
        hints.extend(self.links.iter().filter_map(|link| {
            let (name, issuer) = (&link.name, link.verifier.issuer());
            let difference = difference(unverified_issuer, issuer)?;
            Some(format!("[verifiers.{name}] is of {issuer:?}: it differs {difference}, and every byte counts"))
        }));
        let jwts = self.trusted(trust).filter(|link| link.verifier.takes() != Tokens::Opaque);
        let issuers: Vec<_> = jwts.map(|link| format!("{:?} ({})", link.verifier.issuer(), link.name)).collect();
        hints.push(match issuers[..] {
            [] => "no verifier of JWTs is trusted here".to_owned(),
            _ => format!("the issuers trusted here are {}", issuers.join(", ")),
        });
        hints
    }

    fn trusted<'a>(&'a self, trust: &'a Trust) -> impl Iterator<Item = &'a Link> {
        self.links.iter().zip(&trust.verifiers).filter(|(_, is_trusted)| **is_trusted).map(|(link, _)| link)
    }

    /// That the issuer of a JWT is trusted for opaque tokens only, where it is that.
    fn opaque_only(&self, unverified_issuer: &str, trust: &Trust) -> Option<String> {
        let is_it =
            |link: &&Link| link.verifier.issuer() == unverified_issuer && link.verifier.takes() == Tokens::Opaque;
        let name = &self.trusted(trust).find(is_it)?.name;
        Some(format!("[verifiers.{name}] is asked about opaque tokens only (tokens = \"opaque\")"))
    }

    /// That an issuer is asked about JWTs only, where there is one and nobody is asked about opaque tokens.
    fn jwts_only(&self, trust: &Trust) -> Option<String> {
        let is_asked = |link: &&Link| link.verifier.proof() == Proof::Introspection;
        let name = &self.trusted(trust).find(is_asked)?.name;
        Some(format!("[verifiers.{name}] is asked about JWTs only (tokens = \"jwt\")"))
    }

    fn no_opaque_tokens(&self, trust: &Trust) -> String {
        let nobody = || "it reads like an opaque token, and no verifier for those is trusted here".to_owned();
        self.jwts_only(trust).map_or_else(nobody, |wrong| {
            format!("it reads like an opaque token, and {wrong}; set tokens = \"opaque\" or \"all\" there")
        })
    }

    /// What would have been trusted in place of a JWT of this issuer.
    pub(in crate::verify) fn expected_issuer(&self, unverified_issuer: &str, trust: &Trust) -> String {
        let wrong = self.opaque_only(unverified_issuer, trust).map(|wrong| format!(", and {wrong}"));
        format!("an issuer that is trusted here{}", wrong.unwrap_or_default())
    }

    /// A refusal of what is no JWT, and why an opaque token is nothing else, where the configuration looks as if it were.
    pub(in crate::verify) fn not_a_jwt(&self, refusal: Refusal, token: UnverifiedToken<'_>, trust: &Trust) -> Refusal {
        let wrong = self.jwts_only(trust).filter(|_| !token.looks_like_jwt());
        let Some((wrong, mut evidence)) = wrong.zip(refusal.evidence.clone()) else { return refusal };
        evidence.expected = format!("{}, for {wrong}", evidence.expected);
        Refusal { evidence: Some(evidence), ..refusal }
    }
}

const ASK_ABOUT_JWTS: &str = "set tokens = \"jwt\" or \"all\" there, or name a verifier that takes its JWTs";

/// What was taken for a token, where it is none in form.
fn misread(text: &str, is_plain: bool) -> Option<&'static str> {
    if is_plain && text.split('.').count() == 5 {
        Some("it is encrypted, for its issuer alone; Auth0 makes such a token where no `audience` was asked for")
    } else if is_plain && text.starts_with("ey") {
        Some("it begins like a JWT: it may have been cut off")
    } else if text.starts_with('{') {
        Some("it is a JSON document: paste the token alone, the value of access_token, without its quotes")
    } else if text.starts_with(['"', '\'', '`']) {
        Some("it stands in quotes: paste the token alone; a client has to send it without them, too")
    } else if text.contains(char::is_whitespace) {
        Some("there are spaces or line breaks in it: paste one token alone, in one piece")
    } else {
        None
    }
}

/// In what two issuers differ, if it is something that is easily overlooked.
fn difference(one: &str, other: &str) -> Option<&'static str> {
    if one == other {
        return None;
    }
    let bare = |issuer: &str| issuer.trim_end_matches('/').to_owned();
    let schemeless = |issuer: &str| issuer.split_once("://").map_or(issuer, |(_, rest)| rest).to_owned();
    if bare(one) == bare(other) {
        Some("in the slash at the end alone")
    } else if one.eq_ignore_ascii_case(other) {
        Some("in upper and lower case alone")
    } else if schemeless(one) == schemeless(other) {
        Some("in http and https alone")
    } else if schemeless(&bare(one)).eq_ignore_ascii_case(&schemeless(&bare(other))) {
        Some("in its spelling alone (http or https, case, the slash at the end)")
    } else {
        None
    }
}
