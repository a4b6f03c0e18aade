//! The refresh grant, RFC 6749 section 6, with rotation, RFC 9700 section 4.14.2.
//!
//! A refresh token is two secrets with a dot between: the first names its family, all the tokens that came one after another of one
//! grant, and the second is the one of them that counts. So what is kept of a family is one record, however often it is refreshed, and a
//! token that was used before is told from one that never was: its family is known, and it is not the one that counts. Then somebody
//! has it who should not, and the family ends.

use aws_lc_rs::constant_time;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::clients::{Client, generate_secret};
use super::grant_type::GrantType;
use super::grants::Grant;
use super::shelf::{Found, Kept, hashed, insert};
use super::token::{TokenRequest, narrow};
use super::{AuthorizationServer, Issued, TokenError};
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::ports::records::{RecordChange, RecordKind};

/// The refresh tokens of a grant, one after another; by the hash of the part that they have in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Family {
    /// Whose they are.
    client_id: String,
    /// What they go on from.
    grant_id: String,
    /// The hash of the part of the one that counts.
    current: String,
    /// None counts from then on, however often it was refreshed.
    expires_at: Timestamp,
}

impl Kept for Family {
    const KIND: RecordKind = RecordKind::RefreshToken;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl Family {
    fn is_current(&self, one: &str) -> bool {
        constant_time::verify_slices_are_equal(hashed(one).as_bytes(), self.current.as_bytes()).is_ok()
    }
}

/// Not told further: whoever brings another's token learns nothing of it.
const NO_TOKEN: TokenError =
    TokenError::InvalidGrant("the refresh token is unknown, expired, used already, revoked, or another client's");

impl AuthorizationServer {
    /// The first refresh token of a grant, if the client may have one, and what has to be written for the tokens that it gives.
    pub(super) fn first_refresh_token(
        &self,
        client: &Client,
        grant: &Found<Grant>,
    ) -> Result<(Option<SecretString>, Vec<RecordChange>), StoreError> {
        if !client.grants.contains(&GrantType::RefreshToken) {
            return Ok((None, vec![grant.giving(self.last_expiry(client), grant.value.expires_at)?]));
        }
        let (family, one) = (generate_secret(&*self.entropy), generate_secret(&*self.entropy));
        let expires_at = self.clock.now().plus(self.minter.issuer.refresh_lifetime());
        let kept = Family {
            client_id: client.id.clone(),
            grant_id: grant.key.clone(),
            current: hashed(one.expose_secret()),
            expires_at,
        };
        let changes =
            vec![insert(&hashed(family.expose_secret()), &kept)?, grant.giving(self.last_expiry(client), expires_at)?];
        Ok((Some(joined(family.expose_secret(), &one)), changes))
    }

    /// A token for a refresh token, which is used up with it.
    pub(super) async fn by_refresh_token(&self, request: &TokenRequest) -> Result<Issued, TokenError> {
        let client = self.client_for(GrantType::RefreshToken, request).await?;
        let Some((family, one)) = request.parameter("refresh_token")?.split_once('.') else {
            return Err(NO_TOKEN);
        };
        let Some(found) = self.family(&client, family).await? else {
            return Err(NO_TOKEN);
        };
        if !found.value.is_current(one) {
            return self.used_again(&client, &found.value).await;
        }
        let Some((grant, person)) = self.grant(&found.value.grant_id).await? else {
            return Err(NO_TOKEN);
        };
        // What the person has granted is the most there is, and what the client or the person may do has perhaps become less.
        let is_granted = |scope: &String| grant.value.scope.split(' ').any(|granted| granted == scope);
        let granted: Vec<_> = self.grantable(&client, &person).into_iter().filter(is_granted).collect();
        let scope = narrow(&granted, request.scope.as_deref())?;
        if scope.is_empty() {
            return Err(TokenError::InvalidScope(
                "this client has none of the scopes any more that were granted".into(),
            ));
        }
        let next = generate_secret(&*self.entropy);
        let rotated = Family { current: hashed(next.expose_secret()), ..found.value.clone() };
        let given = grant.giving(self.last_expiry(&client), grant.value.expires_at)?;
        if !self.shelf.commit(vec![found.replace(&rotated)?, given]).await? {
            return self.used_again(&client, &found.value).await;
        }
        self.issue_for(&client, &grant.value.subject, scope, &grant.key, Some(joined(family, &next)))
    }

    /// Takes back a refresh token of that client's, and with it its grant and every token that came of that (RFC 7009 section 2.1).
    /// Answers whether there was one.
    ///
    /// # Errors
    /// The store's.
    pub async fn revoke_refresh_token(&self, client: &Client, token: &str) -> Result<bool, StoreError> {
        let Some((family, _)) = token.split_once('.') else {
            return Ok(false);
        };
        let Some(found) = self.family(client, family).await? else {
            return Ok(false);
        };
        self.end_grant(&found.value.grant_id, client).await?;
        Ok(true)
    }

    async fn family(&self, client: &Client, family: &str) -> Result<Option<Found<Family>>, StoreError> {
        let now = self.clock.now();
        let found = self.shelf.find::<Family>(&hashed(family)).await?;
        Ok(found.filter(|found| found.value.client_id == client.id && now < found.value.expires_at))
    }

    async fn used_again(&self, client: &Client, family: &Family) -> Result<Issued, TokenError> {
        self.end_grant(&family.grant_id, client).await?;
        Err(NO_TOKEN)
    }
}

fn joined(family: &str, one: &SecretString) -> SecretString {
    SecretString::from(format!("{family}.{}", one.expose_secret()))
}
