//! What an issuer says of itself in its discovery document, once that has proved to be its own.

use serde_json::{Map, Value};

use crate::core::json::Object;
use crate::core::verdict;
use crate::net::{FetchErrorClass, HttpClient, NetError, shown};

/// The longest address that is asked, in bytes: it is told whenever it can not be reached.
const MAX_ADDRESS: usize = 2048;

/// Why an issuer's discovery document does not tell an address.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiscoveryError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("{address} is the discovery document of {found}{hint}")]
    ForeignIssuer { address: String, found: String, hint: &'static str },
    #[error("{address} names {found} as its {member}, and an https issuer is asked by https alone")]
    Insecure { address: String, member: &'static str, found: String },
    #[error("{address} names no {member}, or one longer than {MAX_ADDRESS} bytes")]
    Absent { address: String, member: &'static str },
}

impl DiscoveryError {
    pub(super) fn class(&self) -> FetchErrorClass {
        match self {
            Self::Net(error) => error.class(),
            Self::ForeignIssuer { .. } => FetchErrorClass::Issuer,
            Self::Insecure { .. } => FetchErrorClass::Address,
            Self::Absent { .. } => FetchErrorClass::Parse,
        }
    }
}

/// The address that the discovery document gives as `member` (OpenID Connect Discovery section 3, RFC 8414 section 2).
pub(super) async fn discover(
    http: &HttpClient,
    issuer: &str,
    member: &'static str,
    allow_http: bool,
) -> Result<String, DiscoveryError> {
    Discovery::fetch(http, issuer, allow_http).await?.address(member)
}

/// The discovery document of an issuer.
pub(super) struct Discovery {
    /// Where it is.
    address: String,
    document: Map<String, Value>,
    allows_http: bool,
}

impl Discovery {
    /// Asks for it.
    pub(super) async fn fetch(http: &HttpClient, issuer: &str, allow_http: bool) -> Result<Self, DiscoveryError> {
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let Object(document) = http.get_json::<Object>(&address).await?.document;
        let claimed = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
        // The document has to name the very issuer it was asked for (RFC 8414 section 3.3).
        if claimed != issuer {
            let hint = if claimed.trim_end_matches('/') == issuer.trim_end_matches('/') {
                ", which differs from the configured issuer in the slash at the end: write it exactly like that"
            } else {
                ", and not of the configured issuer: correct `issuer`"
            };
            return Err(DiscoveryError::ForeignIssuer { address, found: verdict::shown(&shown(claimed)), hint });
        }
        Ok(Self { address, document, allows_http: allow_http || !issuer.starts_with("https://") })
    }

    /// The address that it gives as `member`.
    pub(super) fn address(&self, member: &'static str) -> Result<String, DiscoveryError> {
        let address = || self.address.clone();
        let found = self.document.get(member).and_then(Value::as_str).unwrap_or_default();
        if found.is_empty() || found.len() > MAX_ADDRESS {
            return Err(DiscoveryError::Absent { address: address(), member });
        }
        // Else whoever writes the document could point us at what listens on this machine.
        if !self.allows_http && !found.starts_with("https://") {
            let found = verdict::shown(&shown(found));
            return Err(DiscoveryError::Insecure { address: address(), member, found });
        }
        Ok(found.to_owned())
    }

    /// Whether `member` is a list with that text in it.
    pub(super) fn lists(&self, member: &str, text: &str) -> bool {
        self.document.get(member).and_then(Value::as_array).is_some_and(|list| list.iter().any(|item| item == text))
    }
}
