//! The client credentials grant, RFC 6749 section 4.4.

use super::clients::default_scopes;
use super::grant_type::GrantType;
use super::token::{Credentials, TokenRequest, narrow};
use super::{AuthorizationServer, Issued, TokenError};

impl AuthorizationServer {
    /// A token for the client's credentials; without any, the open token if such are given.
    pub(super) async fn by_client_credentials(&self, request: &TokenRequest) -> Result<Issued, TokenError> {
        if let (Credentials::None, Some(subject)) = (&request.credentials, self.minter.issuer.open_subject()) {
            return self.minter.mint(subject, None, narrow(&default_scopes(), request.scope.as_deref())?, None);
        }
        let client = self.client_for(GrantType::ClientCredentials, request).await?;
        let scope = narrow(&client.scopes, request.scope.as_deref())?;
        self.minter.mint(&client.id, Some(&client), scope, None)
    }
}
