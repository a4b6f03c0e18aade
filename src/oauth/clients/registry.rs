//! The clients by id: first those that are configured, then those that were added.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::added::Added;
use super::{Client, SecretHash, is_one_of};
use crate::core::clock::{Clock, Timestamp};
use crate::core::error::StoreError;
use crate::oauth::shelf::Shelf;

/// The clients by id.
#[derive(Default)]
pub struct Clients {
    configured: BTreeMap<String, Arc<Client>>,
    added: Option<Added>,
}

impl Clients {
    /// These clients.
    pub fn new(clients: impl IntoIterator<Item = Client>) -> Self {
        let configured = clients.into_iter().map(|client| (client.id.clone(), Arc::new(client))).collect();
        Self { configured, added: None }
    }

    /// These, and those that lie on the shelf.
    pub(in crate::oauth) fn kept_on(self, shelf: Shelf, clock: Arc<dyn Clock>) -> Self {
        Self { added: Some(Added::new(shelf, clock)), ..self }
    }

    /// The client of that id that is configured.
    pub fn configured(&self, id: &str) -> Option<Arc<Client>> {
        self.configured.get(id).cloned()
    }

    /// Those that are configured, in the order of their ids, beginning after `after`.
    pub(super) fn all_configured(&self, after: Option<&str>) -> impl Iterator<Item = &Client> {
        let is_after = move |id: &str| after.is_none_or(|after| id > after);
        self.configured.values().filter(move |client| is_after(&client.id)).map(|client| &**client)
    }

    /// The client of that id.
    pub(in crate::oauth) async fn find(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        match (self.configured(id), &self.added) {
            (Some(client), _) => Ok(Some(client)),
            (None, Some(added)) => added.find(id).await,
            (None, None) => Ok(None),
        }
    }

    /// Has what was added, changed or removed read anew.
    pub(super) fn forget(&self, id: &str) {
        if let Some(added) = &self.added {
            added.forget(id);
        }
    }

    /// The client that these credentials prove. An unknown one costs the same work as a wrong secret.
    pub(in crate::oauth) async fn authenticate(
        &self,
        id: &str,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<Client>>, StoreError> {
        let client = self.find(id).await?;
        let nobody = [SecretHash { sha256: [0; 32], expires_at: None }];
        let proven = match &client {
            Some(client) => client.has_secret(secret, now),
            None => is_one_of(&nobody, secret, now),
        };
        Ok(client.filter(|_| proven))
    }
}
