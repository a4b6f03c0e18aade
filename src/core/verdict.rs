//! What a verifier concludes about a token, and the closed list of reasons why one is refused.

use std::sync::Arc;
use std::time::Duration;

use super::claims::Caller;

/// A verifier's conclusion about a token.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The token is genuine and speaks for this caller.
    Accepted(Arc<Caller>),
    /// The token is not to be believed.
    Rejected(Reason),
    /// It can not be told now, because what is needed to tell is not to be had.
    Unavailable {
        /// When it makes sense to ask again.
        retry_after: Duration,
    },
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
}
