//! The ways to a token.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a token is given for: `grant_type` at the token endpoint. The password grant is not offered (RFC 9700 section 2.4), nor is the
/// implicit one, which never comes here (section 2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// The client's own credentials, RFC 6749 section 4.4.
    ClientCredentials,
    /// A code that a person's browser brought, RFC 6749 section 4.1, with PKCE, RFC 7636.
    AuthorizationCode,
    /// What a refresh token goes on from, RFC 6749 section 6.
    RefreshToken,
    /// A code that a person has confirmed at another device, RFC 8628.
    DeviceCode,
}

impl GrantType {
    /// Every one that is offered.
    pub const ALL: [Self; 4] = [Self::ClientCredentials, Self::AuthorizationCode, Self::RefreshToken, Self::DeviceCode];

    /// As it stands in a request.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
        }
    }
}

impl FromStr for GrantType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|grant| grant.name() == text).ok_or(())
    }
}

/// The names of those that are offered.
pub(super) fn offered() -> String {
    GrantType::ALL.map(GrantType::name).join(", ")
}
