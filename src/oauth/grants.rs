//! What people have granted to clients: every token that came of a grant is believed as long as the grant is.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::AuthorizationServer;
use super::clients::Client;
use super::shelf::{Found, Kept};
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::own_tokens::{Extent, Revoked};
use crate::core::ports::records::RecordKind;

/// What a person has granted to a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Grant {
    /// To which client.
    pub(super) client_id: String,
    /// Whom its tokens speak for.
    pub(super) subject: String,
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

    /// The grant of that id, as long as tokens may be given for it.
    pub(super) async fn grant(&self, id: &str) -> Result<Option<Found<Grant>>, StoreError> {
        let now = self.clock.now();
        let found = self.shelf.find::<Grant>(id).await?;
        Ok(found.filter(|grant| now < grant.value.expires_at && !self.is_ended(&grant.value)))
    }

    /// Whether what it was granted by is not believed any more: its person's account or its client.
    fn is_ended(&self, grant: &Grant) -> bool {
        let claims = [("client_id".to_owned(), grant.client_id.clone().into())].into_iter().collect();
        self.own_tokens.is_revoked(&grant.subject, Some(grant.granted_at), &claims)
    }

    /// Ends a grant: none of its tokens is believed any more, and none is given for it. Done again it does no harm, so that what a crash
    /// has cut short is made good by the next who sees that it has to be.
    pub(super) async fn end_grant(&self, id: &str) -> Result<(), StoreError> {
        let now = self.clock.now();
        // Whatever its tokens were given for is good no longer than that.
        let until = now.plus(self.longest_lifetime());
        self.own_tokens.revoke(Revoked::Grant(id.to_owned()), Extent { issued_by: until, until });
        if let Some(grant) = self.shelf.find::<Grant>(id).await? {
            // Another that removes it meanwhile does as well.
            self.shelf.commit(vec![grant.remove()]).await?;
        }
        Ok(())
    }

    fn longest_lifetime(&self) -> Duration {
        self.minter.issuer.lifetime()
    }

    /// What a client may have of what is asked for: what it has, and there is; nothing that only operators may do, unless the person is
    /// one.
    pub(super) fn grantable(&self, client: &Client, is_admin: bool) -> Vec<String> {
        let is_for = |scope: &&String| is_admin || *scope != crate::core::policy::ADMIN;
        let is_known = |scope: &&String| self.minter.scopes.get(scope).is_some();
        client.scopes.iter().filter(is_for).filter(is_known).cloned().collect()
    }
}
