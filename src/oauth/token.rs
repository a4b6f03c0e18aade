//! The token endpoint: who asks, for what, and which grant answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::clients::Client;
use super::grant_type::GrantType;
use super::{AuthorizationServer, Issued, TokenError};

/// What a client asks with, however it was sent.
#[derive(Debug, Default)]
pub struct TokenRequest {
    /// `grant_type`.
    pub grant_type: Option<String>,
    /// Who the client says it is.
    pub credentials: Credentials,
    /// `scope`, separated by spaces.
    pub scope: Option<String>,
    /// The parameters that the grant has besides.
    pub parameters: BTreeMap<String, String>,
    /// Where the client calls from.
    pub address: Option<IpAddr>,
}

impl TokenRequest {
    /// A parameter of the grant, which must be there.
    pub(super) fn parameter(&self, name: &str) -> Result<&str, TokenError> {
        let missing = || TokenError::InvalidRequest(format!("the parameter {name} is missing"));
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(missing)
    }
}

/// Who a client says it is.
#[derive(Debug, Default)]
pub enum Credentials {
    /// Nothing.
    #[default]
    None,
    /// A client id alone: of a public client, which has no secret.
    Id(String),
    /// A client id and a secret.
    Secret(String, SecretString),
}

impl AuthorizationServer {
    /// Gives a token for what the client asks with.
    ///
    /// # Errors
    /// Those of RFC 6749 section 5.2, too many wrong attempts, and the store's.
    pub async fn token(&self, request: &TokenRequest) -> Result<Issued, TokenError> {
        let grant_type = match request.grant_type.as_deref() {
            Some(name) => name.parse().map_err(|()| TokenError::UnsupportedGrantType)?,
            None => return Err(TokenError::InvalidRequest("the parameter grant_type is missing".into())),
        };
        match grant_type {
            GrantType::ClientCredentials => self.by_client_credentials(request).await,
            GrantType::AuthorizationCode => self.by_code(request).await,
            GrantType::RefreshToken => self.by_refresh_token(request).await,
            GrantType::DeviceCode => self.by_device_code(request).await,
        }
    }

    /// The client that its credentials prove, or that has none: it may use the grant.
    pub(super) async fn client_for(
        &self,
        grant_type: GrantType,
        request: &TokenRequest,
    ) -> Result<Arc<Client>, TokenError> {
        let client = self.authenticate(&request.credentials, request.address).await?;
        if client.grants.contains(&grant_type) { Ok(client) } else { Err(TokenError::UnauthorizedClient) }
    }

    /// The client that its credentials prove. A public client is whoever says so: what it brings has to prove the rest.
    ///
    /// # Errors
    /// [`TokenError::InvalidClient`], [`TokenError::NoCredentials`], too many wrong attempts, and the store's.
    pub async fn authenticate(
        &self,
        credentials: &Credentials,
        address: Option<IpAddr>,
    ) -> Result<Arc<Client>, TokenError> {
        let now = self.clock.now();
        let (id, proven) = match credentials {
            Credentials::None => return Err(TokenError::NoCredentials),
            Credentials::Id(id) => (id, self.clients.find(id).await?.filter(|client| client.is_public)),
            Credentials::Secret(id, secret) => (id, self.clients.authenticate(id, secret.expose_secret(), now).await?),
        };
        let Some(client) = proven else {
            let counted = self.throttle.count_failure(id, address, self.clock.monotonic());
            return Err(counted
                .map_or_else(|retry_after| TokenError::Throttled { retry_after }, |()| TokenError::InvalidClient));
        };
        Ok(client)
    }
}

/// The scopes asked for, in the order of those allowed; all of them when none is asked for. RFC 6749 section 3.3.
pub(super) fn narrow(allowed: &[String], asked: Option<&str>) -> Result<String, TokenError> {
    let asked: BTreeSet<&str> = asked.unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).collect();
    if let Some(beyond) = asked.iter().find(|scope| !allowed.iter().any(|allowed| allowed == *scope)) {
        let (beyond, allowed) = (beyond.escape_default(), allowed.join(" "));
        return Err(TokenError::InvalidScope(format!(
            "the scope {beyond} is not one of those that can be had here: {allowed}"
        )));
    }
    let granted = allowed.iter().map(String::as_str).filter(|scope| asked.is_empty() || asked.contains(scope));
    Ok(granted.collect::<Vec<_>>().join(" "))
}
