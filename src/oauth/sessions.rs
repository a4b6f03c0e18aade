//! People who are logged in with a browser.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::AuthorizationServer;
use super::accounts::{LoginError, Person};
use super::clients::generate_secret;
use super::shelf::{Kept, hashed, insert};
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::ports::records::RecordKind;

/// However busy a person is, after that long they log in anew.
pub const LIFETIME: Duration = Duration::from_hours(8);

/// A person who is logged in; by the hash of the browser's cookie.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    subject: String,
    name: String,
    logged_in_at: Timestamp,
    expires_at: Timestamp,
}

impl Kept for Session {
    const KIND: RecordKind = RecordKind::Session;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl AuthorizationServer {
    /// Begins a session of a person who has just logged in, and answers what the browser is to show for it. It is a new one at each
    /// login: what the browser had `before`, somebody else may have given it, and it ends.
    ///
    /// # Errors
    /// That the person has begun too many of late, and the store's.
    pub async fn begin_session(&self, person: &Person, before: Option<&str>) -> Result<SecretString, LoginError> {
        let counted = self.session_rates.take(&person.id, self.clock.monotonic());
        counted.map_err(|retry_after| LoginError::Throttled { retry_after })?;
        if let Some(before) = before {
            self.end_session(before).await?;
        }
        let (cookie, now) = (generate_secret(&*self.entropy), self.clock.now());
        let session = Session {
            subject: person.id.clone(),
            name: person.name.clone(),
            logged_in_at: now,
            expires_at: now.plus(LIFETIME),
        };
        if !self.shelf.commit(vec![insert(&hashed(cookie.expose_secret()), &session)?]).await? {
            return Err(StoreError::Failed("a session of that name exists already".into()).into());
        }
        Ok(cookie)
    }

    /// Who is logged in with that cookie.
    ///
    /// # Errors
    /// The store's.
    pub async fn session(&self, cookie: &str) -> Result<Option<Person>, StoreError> {
        let Some(found) = self.shelf.find::<Session>(&hashed(cookie)).await? else {
            return Ok(None);
        };
        let Session { subject, name, logged_in_at, expires_at } = found.value;
        if self.clock.now() >= expires_at {
            return Ok(None);
        }
        // The account may have gone since, or have another password.
        self.still_logged_in(&name, &subject, logged_in_at).await
    }

    /// Ends the session of that cookie.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_session(&self, cookie: &str) -> Result<(), StoreError> {
        if let Some(found) = self.shelf.find::<Session>(&hashed(cookie)).await? {
            self.shelf.commit(vec![found.remove()]).await?;
        }
        Ok(())
    }
}
