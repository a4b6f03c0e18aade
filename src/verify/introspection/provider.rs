//! Asks an issuer about a token: where its endpoint is, who we are there, and what it means when no answer comes.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::super::discovery::{DiscoveryError, discover};
use super::answer::NotAnIntrospection;
use crate::core::clock::Clock;
use crate::core::json::Object;
use crate::net::{FetchErrorClass, HttpClient, NetError};

/// How long the address holds that discovery gave, and how long to wait after an attempt before another one.
const DISCOVERY_LIFETIME: Duration = Duration::from_hours(1);
const DISCOVERY_RETRY: Duration = Duration::from_secs(5);

/// How we say at the endpoint who we are (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ClientAuth {
    /// In the `Authorization` header.
    #[default]
    ClientSecretBasic,
    /// In the form.
    ClientSecretPost,
}

/// An issuer that is asked about tokens.
pub(super) struct Provider {
    pub(super) issuer: String,
    pub(super) endpoint: Endpoint,
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
    pub(super) auth: ClientAuth,
    pub(super) allow_http: bool,
    pub(super) http: HttpClient,
    pub(super) clock: Arc<dyn Clock>,
}

/// Where it is asked.
pub(super) enum Endpoint {
    /// At this address.
    Address(Arc<str>),
    /// At the address that its discovery document names.
    Discovery(Mutex<Discovered>),
}

/// What discovery told last, when that was, and until when it is not asked again, by the monotonic clock.
pub(super) struct Discovered {
    address: Result<Arc<str>, FetchErrorClass>,
    attempted: Duration,
    until: Duration,
}

impl Discovered {
    /// Nothing was asked yet: that is what comes first.
    pub(super) fn nothing() -> Mutex<Self> {
        let (attempted, until) = (Duration::ZERO, Duration::ZERO);
        Mutex::new(Self { address: Err(FetchErrorClass::Connection), attempted, until })
    }
}

/// Why the issuer could not tell.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error("its discovery document could not be had a moment ago")]
    NotDiscovered(FetchErrorClass),
    #[error("what it answered is no introspection: there is no member `active`")]
    NoAnswer,
}

impl Provider {
    /// What it says of a token.
    pub(super) async fn ask(&self, token: &str) -> Result<Map<String, Value>, AskError> {
        let address = self.address().await?;
        let mut form = vec![("token", token), ("token_type_hint", "access_token")];
        let auth = match self.auth {
            ClientAuth::ClientSecretBasic => Some((self.client_id.as_str(), &self.client_secret)),
            ClientAuth::ClientSecretPost => {
                form.push(("client_id", &self.client_id));
                form.push(("client_secret", self.client_secret.expose_secret()));
                None
            }
        };
        match self.http.post_form::<Object>(&address, &form, auth).await {
            Ok(answer) => Ok(answer.document.0),
            Err(error) => {
                let error = AskError::from(error);
                if error.says_gone() {
                    self.doubt_address().await;
                }
                Err(error)
            }
        }
    }

    /// Finds out where it is asked, before somebody waits for that.
    pub(super) async fn address(&self) -> Result<Arc<str>, AskError> {
        let mut discovered = match &self.endpoint {
            Endpoint::Address(address) => return Ok(Arc::clone(address)),
            Endpoint::Discovery(discovered) => discovered.lock().await,
        };
        let now = self.clock.monotonic();
        if now < discovered.until {
            return discovered.address.clone().map_err(AskError::NotDiscovered);
        }
        let found = discover(&self.http, &self.issuer, "introspection_endpoint", self.allow_http).await;
        // From the end of the attempt: those who waited for it do not each make one of their own.
        discovered.attempted = self.clock.monotonic();
        match found {
            Ok(address) => {
                let address: Arc<str> = address.into();
                discovered.address = Ok(Arc::clone(&address));
                discovered.until = discovered.attempted + DISCOVERY_LIFETIME;
                Ok(address)
            }
            Err(error) => {
                discovered.until = discovered.attempted + DISCOVERY_RETRY;
                // Where it was it may still be, unless its issuer says otherwise.
                if discovered.address.is_err() || !matches!(error, DiscoveryError::Net(_)) {
                    discovered.address = Err(error.class());
                }
                discovered.address.clone().map_err(|_| error.into())
            }
        }
    }

    /// Where it is asked has to be found out anew, unless that was only just tried.
    async fn doubt_address(&self) {
        if let Endpoint::Discovery(discovered) = &self.endpoint {
            let mut discovered = discovered.lock().await;
            discovered.until = discovered.until.min(discovered.attempted + DISCOVERY_RETRY);
        }
    }
}

impl AskError {
    /// RFC 9110 sections 15.5.5 and 15.5.11.
    fn says_gone(&self) -> bool {
        self.status().is_some_and(|status| [404, 410].contains(&status))
    }

    /// Whether it is us whom the issuer does not believe.
    pub(super) fn is_about_us(&self) -> bool {
        self.status().is_some_and(|status| [401, 403].contains(&status))
    }

    fn status(&self) -> Option<u16> {
        match self {
            Self::Net(NetError::Status { status, .. }) => Some(status.as_u16()),
            _ => None,
        }
    }

    /// How long the issuer asks to be left alone. Any other answer is about one token, and must not keep us from asking about others.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Net(NetError::Status { status, retry_after, .. }) if [429, 503].contains(&status.as_u16()) => {
                *retry_after
            }
            _ => None,
        }
    }

    pub(super) fn class(&self) -> FetchErrorClass {
        match self {
            Self::Net(error) => error.class(),
            Self::Discovery(error) => error.class(),
            Self::NotDiscovered(class) => *class,
            Self::NoAnswer => FetchErrorClass::Parse,
        }
    }
}

impl From<NotAnIntrospection> for AskError {
    fn from(_: NotAnIntrospection) -> Self {
        Self::NoAnswer
    }
}
