//! What an issuer says of itself in its discovery document, once that has proved to be its own.

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
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let Object(document) = http.get_json::<Object>(&address).await?.document;
    let text = |name: &str| document.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let (claimed, found) = (text("issuer"), text(member));
    // The document has to name the very issuer it was asked for (RFC 8414 section 3.3).
    if claimed != issuer {
        let hint = if claimed.trim_end_matches('/') == issuer.trim_end_matches('/') {
            ", which differs from the configured issuer in the slash at the end: write it exactly like that"
        } else {
            ", and not of the configured issuer: correct `issuer`"
        };
        return Err(DiscoveryError::ForeignIssuer { address, found: verdict::shown(&shown(&claimed)), hint });
    }
    if found.is_empty() || found.len() > MAX_ADDRESS {
        return Err(DiscoveryError::Absent { address, member });
    }
    // Else whoever writes the document could point us at what listens on this machine.
    if issuer.starts_with("https://") && !found.starts_with("https://") && !allow_http {
        return Err(DiscoveryError::Insecure { address, member, found: verdict::shown(&shown(&found)) });
    }
    Ok(found)
}
