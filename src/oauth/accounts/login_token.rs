//! The token of `POST /login`: for name and password, by way of no client but the gateway itself.

use std::net::IpAddr;

use secrecy::SecretString;

use super::LoginError;
use crate::oauth::{AuthorizationServer, Issued};

impl AuthorizationServer {
    /// A token for name and password, with all that the person may do.
    ///
    /// # Errors
    /// Those of [`LoginError`].
    pub async fn login_token(
        &self,
        name: &str,
        password: &SecretString,
        address: Option<IpAddr>,
    ) -> Result<Issued, LoginError> {
        let person = self.log_in(name, password, address).await?;
        let scope = self.scopes_of(&person).join(" ");
        Ok(self.minter.mint(&person.id, Some(&self.accounts.first_party), scope, None)?)
    }
}
