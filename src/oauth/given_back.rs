//! Tokens that clients give back, RFC 7009: each by itself, as long as nobody gives back so many that there is no room for them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::AuthorizationServer;
use super::clients::Client;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::own_tokens::{Extent, Revoked};

/// So many tokens of one subject are revoked each by itself. Beyond that with the next one goes all that came of its grant, or that the
/// subject has: one revocation in place of many, and never one that is refused.
const MOST_OF_ONE: usize = 1_000;
/// So many revocations are kept in memory before that holds for everybody: many subjects may work together.
const MOST: usize = 50_000;

/// A token of ours that is given back.
#[derive(Clone, Copy, Debug)]
pub struct GivenBack<'a> {
    /// Its `jti`.
    pub id: &'a str,
    /// For whom it speaks.
    pub subject: &'a str,
    /// The grant that it came of, if it did.
    pub grant_id: Option<&'a str>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// When the tokens expire that each subject's clients gave back here: so many as are kept.
#[derive(Debug, Default)]
pub(super) struct Counted(Mutex<HashMap<String, Vec<Timestamp>>>);

impl Counted {
    /// Counts one; answers whether the subject has room for it.
    fn has_room(&self, token: &GivenBack<'_>, now: Timestamp) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One for each that is kept at most, and those are few; but of subjects of whom none is kept any more nothing is to be left.
        if counted.len() >= MOST {
            counted.retain(|_, of_one| of_one.iter().any(|expires_at| now < *expires_at));
        }
        let of_one = counted.entry(token.subject.to_owned()).or_default();
        if of_one.len() >= MOST_OF_ONE {
            of_one.retain(|expires_at| now < *expires_at);
        }
        let has_room = of_one.len() < MOST_OF_ONE;
        if has_room {
            of_one.push(token.expires_at);
        }
        has_room
    }
}

impl AuthorizationServer {
    /// Has a token of a client's believed no more; and where it is one of too many, all that came of its grant, or, when it came of
    /// none, all that its subject was given until now.
    ///
    /// # Errors
    /// The store's.
    pub async fn revoke_token(&self, client: &Client, token: &GivenBack<'_>) -> Result<(), StoreError> {
        let now = self.clock.now();
        if self.own_tokens.revocations().len() < MOST && self.given_back.has_room(token, now) {
            let extent = Extent { issued_by: now, until: token.expires_at };
            return self.revoke(Revoked::Token(token.id.to_owned()), extent).await;
        }
        match token.grant_id {
            Some(id) => self.end_grant(id, client).await,
            None => self.revoke_all(Revoked::Subject(token.subject.to_owned()), now).await,
        }
    }
}
