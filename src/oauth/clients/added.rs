//! The clients that were added: as they lie in the store, and as they were read a moment ago.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Client, ClientSettings, Consent, SecretHash, hex_digest};
use crate::core::clock::{Clock, Timestamp};
use crate::core::error::StoreError;
use crate::core::period::Period;
use crate::core::ports::records::RecordKind;
use crate::oauth::grant_type::GrantType;
use crate::oauth::shelf::{Kept, Shelf};

/// The longest id of a client that is added, in bytes.
pub(super) const LONGEST_ID: usize = 255;
/// What another gateway on the store has changed is known here after that.
pub(super) const READ_ANEW: Duration = Duration::from_secs(5);
/// So many are remembered.
const REMEMBERED: usize = 1_000;

/// A client as it is kept, under its id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredClient {
    pub(super) settings: StoredSettings,
    pub(super) secrets: Vec<StoredSecret>,
    pub(super) made_at: Timestamp,
}

/// What is kept of its settings. A later gateway on the store may have written more, which is none of this one's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredSettings {
    name: Option<String>,
    pub(super) public: bool,
    grants: Vec<GrantType>,
    redirect_uris: Vec<String>,
    consent: Consent,
    scopes: Vec<String>,
    lifetime: Option<Period>,
}

impl From<ClientSettings> for StoredSettings {
    fn from(settings: ClientSettings) -> Self {
        let grants = settings.grants();
        let ClientSettings { name, public, redirect_uris, consent, scopes, lifetime, .. } = settings;
        Self { name, public, grants, redirect_uris, consent, scopes, lifetime }
    }
}

impl From<StoredSettings> for ClientSettings {
    fn from(settings: StoredSettings) -> Self {
        let StoredSettings { name, public, grants, redirect_uris, consent, scopes, lifetime } = settings;
        Self { name, secrets: Vec::new(), public, grants: Some(grants), redirect_uris, consent, scopes, lifetime }
    }
}

/// What is kept of a secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredSecret {
    /// SHA-256 of it, in hexadecimal digits.
    pub(super) sha256: String,
    pub(super) made_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
}

impl Kept for StoredClient {
    const KIND: RecordKind = RecordKind::Client;

    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
}

impl StoredSecret {
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|until| now < until)
    }
}

impl StoredClient {
    /// The client that it is.
    pub(super) fn client(&self, id: &str) -> Client {
        // One that can not be read proves nobody.
        let hashes = self.secrets.iter().filter_map(|secret| {
            Some(SecretHash { sha256: hex_digest(&secret.sha256)?, expires_at: secret.expires_at })
        });
        Client::of(id, &self.settings.clone().into(), hashes.collect())
    }
}

/// The clients that were added, each remembered for a moment after it was read.
pub(super) struct Added {
    shelf: Shelf,
    clock: Arc<dyn Clock>,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    clients: HashMap<String, (Duration, Arc<Client>)>,
    /// How many times something was changed here: what was read before is not remembered after.
    changes: u64,
}

impl Added {
    pub(super) fn new(shelf: Shelf, clock: Arc<dyn Clock>) -> Self {
        Self { shelf, clock, remembered: Mutex::default() }
    }

    /// The client of that id. One that there is not is looked for each time, so that it works everywhere as soon as it is added.
    pub(super) async fn find(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        if id.is_empty() || id.len() > LONGEST_ID {
            return Ok(None);
        }
        let (now, changes) = (self.clock.monotonic(), {
            let remembered = self.remembered();
            if let Some((read_at, client)) = remembered.clients.get(id)
                && self.clock.monotonic() < *read_at + READ_ANEW
            {
                return Ok(Some(Arc::clone(client)));
            }
            remembered.changes
        });
        let Some(found) = self.shelf.find::<StoredClient>(id).await? else {
            self.remembered().clients.remove(id);
            return Ok(None);
        };
        let client = Arc::new(found.value.client(id));
        let mut remembered = self.remembered();
        if remembered.changes == changes {
            remembered.make_room(now);
            remembered.clients.insert(id.to_owned(), (now, Arc::clone(&client)));
        }
        Ok(Some(client))
    }

    pub(super) fn forget(&self, id: &str) {
        let mut remembered = self.remembered();
        remembered.clients.remove(id);
        remembered.changes += 1;
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn make_room(&mut self, now: Duration) {
        if self.clients.len() >= REMEMBERED {
            self.clients.retain(|_, (read_at, _)| now < *read_at + READ_ANEW);
        }
        if self.clients.len() >= REMEMBERED {
            self.clients.clear();
        }
    }
}
