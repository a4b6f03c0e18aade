//! The client credentials grant, RFC 6749 section 4.4.

use std::collections::BTreeSet;
use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};

use super::clients::{Client, default_scopes};
use super::{Grant, TokenError, TokenService};

/// What a client asks with, however it was sent.
#[derive(Debug, Default)]
pub struct TokenRequest {
    /// `grant_type`.
    pub grant_type: Option<String>,
    /// The client id and secret, where any were sent.
    pub credentials: Option<(String, SecretString)>,
    /// `scope`, separated by spaces.
    pub scope: Option<String>,
    /// Where the client calls from.
    pub address: Option<IpAddr>,
}

impl TokenService {
    /// Gives a token for the client's credentials; without any, the open token if such are given.
    ///
    /// # Errors
    /// Those of RFC 6749 section 5.2, and too many wrong attempts.
    pub fn grant(&self, request: &TokenRequest) -> Result<Grant, TokenError> {
        match request.grant_type.as_deref() {
            Some("client_credentials") => {}
            Some(_) => return Err(TokenError::UnsupportedGrantType),
            None => return Err(TokenError::InvalidRequest("the parameter grant_type is missing".into())),
        }
        match (&request.credentials, self.issuer.open_subject()) {
            (Some((id, secret)), _) => self.grant_client(id, secret, request),
            (None, Some(subject)) => self.mint(subject, None, &default_scopes(), request),
            (None, None) => Err(TokenError::NoCredentials),
        }
    }

    fn grant_client(&self, id: &str, secret: &SecretString, request: &TokenRequest) -> Result<Grant, TokenError> {
        let Some(client) = self.clients.authenticate(id, secret.expose_secret()) else {
            let counted = self.throttle.count_failure(id, request.address, self.clock.monotonic());
            return Err(counted
                .map_or_else(|retry_after| TokenError::Throttled { retry_after }, |()| TokenError::InvalidClient));
        };
        self.mint(&client.id, Some(&client.id), &client.scopes, request)
    }

    fn mint(
        &self,
        subject: &str,
        client_id: Option<&str>,
        allowed: &[String],
        request: &TokenRequest,
    ) -> Result<Grant, TokenError> {
        let scope = narrow(allowed, request.scope.as_deref())?;
        let access_token = self
            .issuer
            .mint(subject, client_id, &scope, self.clock.now())
            .map_err(|error| TokenError::SigningFailed(error.to_string()))?;
        Ok(Grant { access_token, lifetime: self.issuer.lifetime(), scope })
    }

    /// Mints a token for a configured client without asking for its secret: for the operator's command line.
    ///
    /// # Errors
    /// [`TokenError::InvalidClient`] when there is no such client, [`TokenError::InvalidScope`] for a scope that it does not have.
    pub fn mint_for(&self, client_id: &str, scope: Option<String>) -> Result<Grant, TokenError> {
        let client: &Client = self.clients.get(client_id).ok_or(TokenError::InvalidClient)?;
        let request = TokenRequest { scope, ..TokenRequest::default() };
        self.mint(&client.id, Some(&client.id), &client.scopes, &request)
    }
}

/// The scopes asked for, in the order of those allowed; all of them when none is asked for. RFC 6749 section 3.3.
fn narrow(allowed: &[String], asked: Option<&str>) -> Result<String, TokenError> {
    let asked: BTreeSet<&str> = asked.unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).collect();
    if let Some(beyond) = asked.iter().find(|scope| !allowed.iter().any(|allowed| allowed == *scope)) {
        let (beyond, allowed) = (beyond.escape_default(), allowed.join(" "));
        return Err(TokenError::InvalidScope(format!("the scope {beyond} is not one of this client's: {allowed}")));
    }
    let granted = allowed.iter().map(String::as_str).filter(|scope| asked.is_empty() || asked.contains(scope));
    Ok(granted.collect::<Vec<_>>().join(" "))
}
