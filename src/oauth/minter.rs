//! Mints tokens for clients: how long each may live follows from its client and its scopes.

use std::sync::Arc;
use std::time::Duration;

use super::clients::Client;
use super::issuer::{Issuer, Minting};
use super::scopes::Scopes;
use super::token::narrow;
use super::{Issued, TokenError};
use crate::core::clock::Clock;

/// Mints tokens.
pub struct Minter {
    /// What signs them.
    pub issuer: Issuer,
    /// The scopes that there are.
    pub scopes: Scopes,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl Minter {
    /// Mints a token for a subject, by way of a client, and of a grant where there is one.
    pub(super) fn mint(
        &self,
        subject: &str,
        client: Option<&Client>,
        scope: String,
        grant_id: Option<&str>,
    ) -> Result<Issued, TokenError> {
        let lifetime = self.lifetime(client, &scope);
        let client_id = client.map(|client| client.id.as_str());
        let minting = Minting { subject, client_id, scope: &scope, grant_id, lifetime, now: self.clock.now() };
        let access_token = self.issuer.mint(&minting).map_err(TokenError::SigningFailed)?;
        Ok(Issued { access_token, lifetime, scope, refresh_token: None })
    }

    /// Mints a token for a client without asking for its secret: for the operator's command line.
    ///
    /// # Errors
    /// [`TokenError::InvalidScope`] for a scope that it does not have.
    pub fn mint_for(&self, client: &Client, scope: Option<&str>) -> Result<Issued, TokenError> {
        self.mint(&client.id, Some(client), narrow(&client.scopes, scope)?, None)
    }

    fn lifetime(&self, client: Option<&Client>, scope: &str) -> Duration {
        let usual = client.and_then(|client| client.lifetime).unwrap_or_else(|| self.issuer.lifetime());
        self.scopes.lifetime(scope).map_or(usual, |most| most.min(usual))
    }
}
