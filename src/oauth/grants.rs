//! What people have granted to clients: every token that came of a grant is believed as long as the grant is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::AuthorizationServer;
use super::accounts::Person;
use super::clients::Client;
use super::shelf::{Found, Kept};
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::own_tokens::{GRANT_CLAIM, Revoked};
use crate::core::ports::records::RecordKind;

/// What a person has granted to a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Grant {
    /// To which client.
    pub(super) client_id: String,
    /// Whom its tokens speak for.
    pub(super) subject: String,
    /// The name of that person's account.
    pub(super) name: String,
    /// What they allow at most, separated by spaces.
    pub(super) scope: String,
    /// When.
    pub(super) granted_at: Timestamp,
    /// No token is given for it from then on.
    pub(super) expires_at: Timestamp,
}

impl Kept for Grant {
    const KIND: RecordKind = RecordKind::Grant;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl AuthorizationServer {
    /// The id of a grant to come.
    pub(super) fn new_grant_id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.entropy.draw::<16>())
    }

    /// The grant of that id, as long as tokens may be given for it, and who has given it.
    pub(super) async fn grant(&self, id: &str) -> Result<Option<(Found<Grant>, Person)>, StoreError> {
        let now = self.clock.now();
        let found = self.shelf.find::<Grant>(id).await?.filter(|grant| now < grant.value.expires_at);
        let Some(grant) = found.filter(|grant| !self.is_revoked(&grant.key, &grant.value)) else {
            return Ok(None);
        };
        // The account may have gone since, or have another password.
        let person = self.still_logged_in(&grant.value.name, &grant.value.subject, grant.value.granted_at).await?;
        Ok(person.map(|person| (grant, person)))
    }

    fn is_revoked(&self, id: &str, grant: &Grant) -> bool {
        let claims = [("client_id", &*grant.client_id), (GRANT_CLAIM, id)];
        let claims = claims.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect();
        self.own_tokens.is_revoked(&grant.subject, Some(grant.granted_at), &claims)
    }

    /// Ends a grant: none of its tokens is believed any more, and none is given for it. Both are kept in one commit: with the revocation
    /// alone the grant could be refreshed again as soon as that is forgotten.
    pub(super) async fn end_grant(&self, id: &str, client: &Client) -> Result<(), StoreError> {
        let grant = async || Ok(self.shelf.find::<Grant>(id).await?.map(|grant| grant.remove()));
        self.revoke_with(Revoked::Grant(id.to_owned()), self.last_expiry(client), grant).await
    }

    /// When every access token of a client's has expired that was issued until now.
    pub(super) fn last_expiry(&self, client: &Client) -> Timestamp {
        let usual = self.minter.issuer.lifetime();
        self.clock.now().plus(client.lifetime.map_or(usual, |lifetime| lifetime.max(usual)))
    }

    /// What a client can have of a person's: of what it may ask for, what the person may let it have.
    pub(super) fn grantable(&self, client: &Client, person: &Person) -> Vec<String> {
        let of_person = self.scopes_of(person);
        let is_known = |scope: &&String| self.minter.scopes.get(scope).is_some() && of_person.contains(scope);
        client.scopes.iter().filter(is_known).cloned().collect()
    }
}
