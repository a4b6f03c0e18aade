//! The authorization server's part: clients, their authentication, and the tokens that Anteroom issues itself.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::core::clock::Clock;
use crate::core::entropy::Entropy;
use crate::core::error::StoreError;
use crate::core::own_tokens::OwnTokens;
use crate::core::ports::records::Records;

pub mod accounts;
pub mod authorize;
pub mod client_credentials;
pub mod clients;
mod code;
pub mod device;
pub mod grant_type;
mod grants;
pub mod issuer;
pub mod keeper;
pub mod metadata;
pub mod minter;
mod network;
pub mod redirect_uri;
mod refresh;
pub mod revocations;
pub mod scopes;
pub mod sessions;
mod shelf;
pub mod signer;
pub mod signing_keys;
pub mod throttle;
pub mod token;

use accounts::Accounts;
use accounts::settings::AccountSettings;
use clients::Clients;
use device::DeviceLimits;
use minter::Minter;
use shelf::Shelf;
use throttle::Throttle;

/// The authorization server.
pub struct AuthorizationServer {
    clients: Clients,
    accounts: Accounts,
    minter: Minter,
    throttle: Throttle,
    device_limits: DeviceLimits,
    shelf: Shelf,
    own_tokens: Arc<OwnTokens>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// What an authorization server is made of.
pub struct Parts {
    /// The clients that are configured.
    pub clients: Clients,
    /// The `[accounts]` section.
    pub accounts: AccountSettings,
    /// What mints tokens.
    pub minter: Minter,
    /// Where it keeps what it must not forget.
    pub records: Arc<dyn Records>,
    /// What verifiers are to know of its tokens.
    pub own_tokens: Arc<OwnTokens>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl AuthorizationServer {
    /// An authorization server of these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { clients, accounts, minter, records, own_tokens, clock, entropy } = parts;
        let (throttle, shelf) = (Throttle::default(), Shelf::new(records));
        let clients = clients.kept_on(shelf.clone(), Arc::clone(&clock));
        let device_limits = DeviceLimits::default();
        let accounts = Accounts::new(accounts, &entropy);
        Self { clients, accounts, minter, throttle, device_limits, shelf, own_tokens, clock, entropy }
    }
}

/// Why there is no token, in the words of RFC 6749 section 5.2.
#[derive(Debug, thiserror::Error)]
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
    /// What the token was to be given for does not hold: a code, a refresh token or a device code that is unknown, used, expired, or
    /// another client's. Which of these is told only as far as it helps who is in the right.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// The client may not use this grant.
    #[error("this client may not use this grant: its `grants` do not name it")]
    UnauthorizedClient,
    /// The grant is not offered.
    #[error("the grants that are offered are: {}", grant_type::offered())]
    UnsupportedGrantType,
    /// A scope is asked for that the client does not have.
    #[error("{0}")]
    InvalidScope(String),
    /// The fault is the gateway's: the token could not be signed, for this reason, which is for the log.
    #[error("the token can not be signed")]
    SigningFailed(String),
    /// The person has not decided yet, RFC 8628 section 3.5.
    #[error("the person has not confirmed it yet: ask again after the interval")]
    AuthorizationPending,
    /// The device asks too often; from now on it has to wait for longer, RFC 8628 section 3.5.
    #[error("the person has not confirmed it yet, and this was too early: wait for 5 seconds more from now on")]
    SlowDown,
    /// The person has said no.
    #[error("the person has denied it")]
    AccessDenied,
    /// The person has not decided in time, RFC 8628 section 3.5.
    #[error("the device code has expired: begin again")]
    ExpiredToken,
    /// Too many devices have begun to wait.
    #[error("too many devices have begun to wait")]
    TooManyDevices {
        /// When the next one may.
        retry_after: Duration,
    },
    /// Too many wrong credentials came.
    #[error("too many attempts with wrong credentials")]
    Throttled {
        /// When the next attempt is looked at.
        retry_after: Duration,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token as RFC 6749 section 5.1 answers it.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub access_token: String,
    /// For how long it is valid.
    pub lifetime: Duration,
    /// What it allows, separated by spaces.
    pub scope: String,
    /// What the next token can be had for.
    pub refresh_token: Option<SecretString>,
}
