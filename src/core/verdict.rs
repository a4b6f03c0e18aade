//! What a verifier concludes about a token, and the closed list of reasons why one is refused.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::claims::Caller;
use super::error::Error;

/// A verifier's conclusion about a token.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The token is genuine and speaks for this caller.
    Accepted(Arc<Caller>),
    /// The token is not to be believed.
    Rejected(Refusal),
    /// It can not be told now, because what is needed to tell is not to be had.
    Unavailable {
        /// When it makes sense to ask again.
        retry_after: Duration,
    },
}

impl Verdict {
    /// Whom the verdict on a call's token speaks for. Without a verdict there was no token.
    ///
    /// # Errors
    /// Nobody: the token is missing or not believed, or that can not be told now.
    pub fn caller(on_token: Option<&Self>) -> Result<&Arc<Caller>, Error> {
        match on_token {
            Some(Self::Accepted(caller)) => Ok(caller),
            Some(Self::Rejected(refusal)) => Err(Error::Unauthenticated(refusal.clone())),
            Some(Self::Unavailable { retry_after }) => Err(Error::VerifierUnavailable { retry_after: *retry_after }),
            None => Err(Error::Unauthenticated(Reason::TokenMissing.into())),
        }
    }
}

/// Why a token is not believed: the client learns the reason, the operator what was expected and found too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable reason.
    pub reason: Reason,
    /// The name of the verifier that refused it; none when the token did not get as far as one.
    pub verifier: Option<Arc<str>>,
    /// What was expected and what was found, where that tells more than the reason does.
    pub evidence: Option<Box<Evidence>>,
}

/// What a genuine token lacks: the client learns what it is, the operator what was expected and found too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The scopes that would do, with spaces between them; none when it is not for lack of one.
    pub scope: Option<Cow<'static, str>>,
    /// What is lacking, in words that a client may read.
    pub lacks: Cow<'static, str>,
    /// What was expected and what was found.
    pub evidence: Box<Evidence>,
}

/// What a check expected, and what it found in the token. For the operator's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What would have passed; of bearable length, since a provider may have a part in it.
    pub expected: String,
    /// What the token says: escaped and of bearable length, since nobody has vouched for it.
    pub unverified_found: String,
}

/// How much is shown of what a token or a provider says, and of what was expected, in characters.
const MAX_SHOWN: usize = 200;
const MAX_EXPECTED: usize = 1000;

/// What a token or a provider says, as it can be shown: in JSON, escaped, of bearable length. Where that is nothing, it says so.
pub fn shown(unverified: &(impl Serialize + ?Sized)) -> String {
    match serde_json::to_string(unverified) {
        Ok(json) if json != "null" => cut(escaped(&json), MAX_SHOWN),
        _ => "nothing".to_owned(),
    }
}

fn cut(mut text: String, limit: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.replace_range(end.., "…");
    }
    text
}

impl Evidence {
    /// What was expected, and what was found, both cut where they are long.
    pub fn new(expected: impl Into<String>, unverified_found: &(impl Serialize + ?Sized)) -> Box<Self> {
        Box::new(Self { expected: cut(expected.into(), MAX_EXPECTED), unverified_found: shown(unverified_found) })
    }
}

/// JSON in which no character can be mistaken for another, or moves the rest of the line.
fn escaped(json: &str) -> String {
    let escape = |character: char| {
        let (as_it_is, escaped) = match character {
            ' '..='~' => (Some(character), None),
            other => (None, Some(other.escape_debug())),
        };
        as_it_is.into_iter().chain(escaped.into_iter().flatten())
    };
    json.chars().flat_map(escape).collect()
}

impl Refusal {
    /// A refusal for this reason, with what was expected and found.
    pub fn because(reason: Reason, expected: impl Into<String>, unverified_found: &(impl Serialize + ?Sized)) -> Self {
        Self { evidence: Some(Evidence::new(expected, unverified_found)), ..Self::from(reason) }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, verifier: None, evidence: None }
    }
}

/// Declares the reasons once: variant, stable code, and the sentence that a client may read.
macro_rules! reasons {
    ($($variant:ident $code:literal $sentence:literal)*) => {
        /// Why a token was refused. The codes are part of the contract and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $sentence] $variant,)*
        }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable code, as in problem bodies, log lines and metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What the client is told: no more than the code says.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }
        }
    };
}

reasons! {
    TokenMissing "token_missing" "No bearer token was sent."
    TokenMalformed "token_malformed" "The token is not well-formed."
    TokenTooLarge "token_too_large" "The token is larger than the gateway reads."
    AlgorithmNotAllowed "algorithm_not_allowed" "The token is signed with an algorithm that is not allowed for its issuer."
    CriticalHeaderUnsupported "critical_header_unsupported" "The token's header names a critical extension that the gateway does not understand."
    TypeMismatch "type_mismatch" "The token is not an access token."
    IssuerUnknown "issuer_unknown" "The token's issuer is not one that the gateway trusts."
    KeyUnknown "key_unknown" "The token names a key that its issuer does not publish."
    SignatureInvalid "signature_invalid" "The token's signature does not match."
    ClaimsInvalid "claims_invalid" "A claim of the token is missing or has the wrong type."
    TokenExpired "token_expired" "The token has expired."
    TokenNotYetValid "token_not_yet_valid" "The token is not valid yet."
    AudienceMismatch "audience_mismatch" "The token is meant for another audience."
    ClaimMismatch "claim_mismatch" "A claim of the token does not have the value that the gateway demands."
    TokenRevoked "token_revoked" "The token has been revoked."
    TokenInactive "token_inactive" "The token's issuer says that it is not active."
}
