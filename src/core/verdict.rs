//! What a verifier concludes about a token, and the closed list of reasons why one is refused.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::claims::Caller;

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

/// What a provider says, as it can be shown: escaped and of bearable length.
pub fn shown(unverified: &dyn fmt::Debug) -> String {
    cut(format!("{unverified:?}"), MAX_SHOWN)
}

fn cut(mut text: String, limit: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.replace_range(end.., "…");
    }
    text
}

impl Evidence {
    /// What was expected, and what was found: written as `Debug` has it, which escapes texts, and cut where it is long.
    pub fn new(expected: impl Into<String>, unverified_found: &dyn fmt::Debug) -> Box<Self> {
        Box::new(Self { expected: cut(expected.into(), MAX_EXPECTED), unverified_found: shown(unverified_found) })
    }
}

impl Refusal {
    /// A refusal for this reason, with what was expected and found.
    pub fn because(reason: Reason, expected: impl Into<String>, unverified_found: &dyn fmt::Debug) -> Self {
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
    TokenMalformed "token_malformed" "The token is not a well-formed signed JWT."
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
    TokenInactive "token_inactive" "The token's issuer says that it is not active."
}
