//! What people have granted to clients: every token that came of a grant is believed as long as the grant is.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::AuthorizationServer;
use super::accounts::Person;
use super::clients::Client;
use super::shelf::{Found, Kept};
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::own_tokens::{Extent, GRANT_CLAIM, Revoked};
use crate::core::ports::records::{RecordChange, RecordKind};

/// A token is signed at most so much later than what was written of it: as long as the store takes.
const ABOUT_NOW: Duration = Duration::from_mins(1);

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
    /// By then every access token has expired that it gave, whatever lifetimes were set when it did.
    pub(super) tokens_expire_by: Timestamp,
}

impl Kept for Grant {
    const KIND: RecordKind = RecordKind::Grant;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at.max(self.tokens_expire_by))
    }
}

impl Found<Grant> {
    /// What is to be written when it gives a token that expires by then, and tokens can be had for it until `expires_at`.
    pub(super) fn giving(&self, expires_by: Timestamp, expires_at: Timestamp) -> Result<RecordChange, StoreError> {
        let tokens_expire_by = self.value.tokens_expire_by.max(expires_by);
        self.replace(&Grant { expires_at, tokens_expire_by, ..self.value.clone() })
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
    /// alone the grant could be refreshed again as soon as that is forgotten. The revocation is kept for as long as its tokens live, which is
    /// not forgotten with the settings that they were issued by, and no longer: whoever grants and takes back all day fills no memory.
    pub(super) async fn end_grant(&self, id: &str, client: &Client) -> Result<(), StoreError> {
        let (revoked, soonest) = (Revoked::Grant(id.to_owned()), self.last_expiry(client));
        // Also of what is issued later.
        let by = |until: Timestamp| Extent { issued_by: until, until };
        self.own_tokens.revoke(revoked.clone(), by(soonest));
        let grant = async || {
            let found = self.shelf.find::<Grant>(id).await?;
            let until = found.as_ref().map_or(soonest, |grant| grant.value.tokens_expire_by.max(soonest));
            Ok((by(until), found.map(|grant| grant.remove())))
        };
        self.revoke_with(revoked, grant).await
    }

    /// When every access token of a client's has expired that is issued about now, by the present settings.
    pub(super) fn last_expiry(&self, client: &Client) -> Timestamp {
        let usual = self.minter.issuer.lifetime();
        self.clock.now().plus(client.lifetime.map_or(usual, |lifetime| lifetime.max(usual))).plus(ABOUT_NOW)
    }

    /// What a client can have of a person's: of what it may ask for, what the person may let it have.
    pub(super) fn grantable(&self, client: &Client, person: &Person) -> Vec<String> {
        let of_person = self.scopes_of(person);
        let is_known = |scope: &&String| self.minter.scopes.get(scope).is_some() && of_person.contains(scope);
        client.scopes.iter().filter(is_known).cloned().collect()
    }
}
