//! The code grant, RFC 6749 section 4.1.3: a token for the code that a person's browser brought.

use std::time::Duration;

use aws_lc_rs::constant_time;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::clients::{Client, hash};
use super::grant_type::GrantType;
use super::shelf::{Kept, hashed};
use super::token::TokenRequest;
use super::{AuthorizationServer, Issued, TokenError};
use crate::core::clock::Timestamp;
use crate::core::ports::records::RecordKind;

/// So long a code can be redeemed: the browser brings it to the client, and that brings it here.
pub(super) const LIFETIME: Duration = Duration::from_mins(1);

/// A code, and what it is bound to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Code {
    /// Whose it is.
    pub(super) client_id: String,
    /// Where the browser was sent with it.
    pub(super) redirect_uri: String,
    /// The SHA-256 of the verifier that redeems it, as base64url.
    pub(super) challenge: String,
    /// What was granted.
    pub(super) grant_id: String,
    /// Once it was redeemed: so long it is kept, so that a second use is seen as long as there is something to be revoked.
    #[serde(default)]
    pub(super) used_and_kept_until: Option<Timestamp>,
    /// It can be redeemed until then.
    pub(super) expires_at: Timestamp,
}

impl Kept for Code {
    const KIND: RecordKind = RecordKind::Code;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.used_and_kept_until.unwrap_or(self.expires_at))
    }
}

/// Not told further: whoever brings another's code learns nothing of it.
const NO_CODE: TokenError = TokenError::InvalidGrant("the code is unknown, expired, used already, or another client's");

impl Code {
    /// Whether it was made for this.
    fn judge(&self, redirect_uri: &str, verifier: &str, now: Timestamp) -> Result<(), TokenError> {
        if now >= self.expires_at {
            return Err(NO_CODE);
        }
        if self.redirect_uri != redirect_uri {
            return Err(TokenError::InvalidGrant("redirect_uri is not the one that the code was sent to"));
        }
        let challenge = URL_SAFE_NO_PAD.encode(hash(verifier));
        if constant_time::verify_slices_are_equal(challenge.as_bytes(), self.challenge.as_bytes()).is_err() {
            return Err(TokenError::InvalidGrant("code_verifier is not the one that code_challenge was made from"));
        }
        Ok(())
    }
}

/// RFC 7636 section 4.1.
fn judge_verifier(verifier: &str) -> Result<(), TokenError> {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if (43..=128).contains(&verifier.len()) && verifier.bytes().all(is_unreserved) {
        return Ok(());
    }
    Err(TokenError::InvalidRequest("code_verifier must be 43 to 128 letters, digits, '-', '.', '_' or '~'".into()))
}

impl AuthorizationServer {
    /// A token for a code. The code is used up, and what may be had for it is kept, in one commit: of two that bring it, one comes
    /// second, and then all that came of the code is not believed any more (RFC 9700 section 2.1.1, RFC 6749 section 4.1.2).
    pub(super) async fn by_code(&self, request: &TokenRequest) -> Result<Issued, TokenError> {
        let client = self.client_for(GrantType::AuthorizationCode, request).await?;
        let (code, redirect_uri) = (request.parameter("code")?, request.parameter("redirect_uri")?);
        let verifier = request.parameter("code_verifier")?;
        judge_verifier(verifier)?;
        if request.scope.is_some() {
            return Err(TokenError::InvalidRequest(
                "scope is part of the authorization request, not of this one".into(),
            ));
        }
        let key = hashed(code);
        let Some(found) = self.shelf.find::<Code>(&key).await?.filter(|code| code.value.client_id == client.id) else {
            return Err(NO_CODE);
        };
        if found.value.used_and_kept_until.is_some() {
            return self.seen_again(&client, &found.value).await;
        }
        found.value.judge(redirect_uri, verifier, self.clock.now())?;
        let Some((grant, _)) = self.grant(&found.value.grant_id).await? else {
            return Err(NO_CODE);
        };
        let (refresh_token, mut changes) = self.first_refresh_token(&client, &grant)?;
        let last_refresh = refresh_token.as_ref().map(|_| self.minter.issuer.refresh_lifetime());
        let kept_until = self.last_expiry(&client).plus(last_refresh.unwrap_or_default());
        changes.push(found.replace(&Code { used_and_kept_until: Some(kept_until), ..found.value.clone() })?);
        if !self.shelf.commit(changes).await? {
            return self.seen_again(&client, &found.value).await;
        }
        self.issue_for(&client, grant.value.subject.as_str(), grant.value.scope.clone(), &grant.key, refresh_token)
    }

    async fn seen_again(&self, client: &Client, code: &Code) -> Result<Issued, TokenError> {
        self.end_grant(&code.grant_id, client).await?;
        Err(NO_CODE)
    }

    /// An access token of a grant, with the refresh token that goes with it.
    pub(super) fn issue_for(
        &self,
        client: &Client,
        subject: &str,
        scope: String,
        grant_id: &str,
        refresh_token: Option<secrecy::SecretString>,
    ) -> Result<Issued, TokenError> {
        let issued = self.minter.mint(subject, Some(client), scope, Some(grant_id))?;
        Ok(Issued { refresh_token, ..issued })
    }
}
