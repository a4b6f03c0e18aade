//! What the authorization server tells of itself.

use super::AuthorizationServer;

impl AuthorizationServer {
    /// The `iss` of its tokens.
    pub fn issuer_url(&self) -> &str {
        self.minter.issuer.url()
    }

    /// The names of the scopes that there are.
    pub fn scope_names(&self) -> impl Iterator<Item = &str> {
        self.minter.scopes.names()
    }
}
