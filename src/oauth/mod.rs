//! The authorization server's part: clients, their authentication, and the tokens that Anteroom issues itself.

use std::sync::Arc;
use std::time::Duration;

use crate::core::clock::Clock;

pub mod client_credentials;
pub mod clients;
pub mod issuer;
pub mod throttle;

use clients::Clients;
use issuer::Issuer;
use throttle::Throttle;

/// The token service.
pub struct TokenService {
    clients: Clients,
    issuer: Issuer,
    throttle: Throttle,
    clock: Arc<dyn Clock>,
}

impl TokenService {
    /// A service that authenticates `clients` and mints by `issuer`.
    pub fn new(clients: Clients, issuer: Issuer, clock: Arc<dyn Clock>) -> Self {
        Self { clients, issuer, throttle: Throttle::default(), clock }
    }
}

/// Why there is no token, in the words of RFC 6749 section 5.2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// A parameter is missing, repeated or malformed.
    #[error("{0}")]
    InvalidRequest(String),
    /// No credentials were sent.
    #[error("no client id and secret were sent: send them by HTTP Basic or in the body")]
    NoCredentials,
    /// The client is not known, or its secret is wrong: which of the two is not told.
    #[error("the client is not known or its secret is wrong")]
    InvalidClient,
    /// The grant is not offered.
    #[error("only the grant client_credentials is offered")]
    UnsupportedGrantType,
    /// A scope is asked for that the client does not have.
    #[error("{0}")]
    InvalidScope(String),
    /// The fault is the gateway's: the token could not be signed, for this reason, which is for the log.
    #[error("the token can not be signed")]
    SigningFailed(String),
    /// Too many wrong credentials came.
    #[error("too many attempts with wrong credentials")]
    Throttled {
        /// When the next attempt is looked at.
        retry_after: Duration,
    },
}

/// A token as RFC 6749 section 5.1 answers it.
#[derive(Debug)]
pub struct Grant {
    /// The token.
    pub access_token: String,
    /// For how long it is valid.
    pub lifetime: Duration,
    /// What it allows, separated by spaces.
    pub scope: String,
}
