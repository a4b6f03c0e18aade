//! Revocation: what is not believed any more, at once in this process, and within [`PERIOD`](super::keeper::PERIOD) in the others on the
//! store; kept until the last token that it is about has expired.

use serde::{Deserialize, Serialize};

use super::AuthorizationServer;
use super::clients::hash;
use super::shelf::{Found, Kept, insert};
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::hex;
use crate::core::own_tokens::{Extent, LONGEST_LIFE, Revocations, Revoked};
use crate::core::ports::records::{RecordChange, RecordKind};

/// So many are read at once.
const PAGE: usize = 500;
/// So often is a record written again that another gateway has changed meanwhile.
const ATTEMPTS: usize = 8;

/// A revocation as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Revocation {
    what: What,
    name: String,
    issued_by: Timestamp,
    until: Timestamp,
}

/// By what tokens are told. The names are stored, and so never change.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Token,
    Grant,
    Client,
    Subject,
}

impl Kept for Revocation {
    const KIND: RecordKind = RecordKind::Revocation;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.until)
    }
}

impl Revocation {
    fn of(revoked: &Revoked, extent: Extent) -> Self {
        let (what, name) = match revoked {
            Revoked::Token(id) => (What::Token, id),
            Revoked::Grant(id) => (What::Grant, id),
            Revoked::Client(id) => (What::Client, id),
            Revoked::Subject(id) => (What::Subject, id),
        };
        Self { what, name: name.clone(), issued_by: extent.issued_by, until: extent.until }
    }

    /// Under what it is kept: names can be longer than keys.
    fn key(&self) -> String {
        let what = match self.what {
            What::Token => "token",
            What::Grant => "grant",
            What::Client => "client",
            What::Subject => "subject",
        };
        format!("{what}:{}", hex(&hash(&self.name)))
    }

    fn extent(&self) -> Extent {
        Extent { issued_by: self.issued_by, until: self.until }
    }

    fn into_known(self) -> (Revoked, Extent) {
        let extent = self.extent();
        let revoked = match self.what {
            What::Token => Revoked::Token(self.name),
            What::Grant => Revoked::Grant(self.name),
            What::Client => Revoked::Client(self.name),
            What::Subject => Revoked::Subject(self.name),
        };
        (revoked, extent)
    }
}

impl AuthorizationServer {
    /// Has what is issued by then believed no more. Takes effect at once, and is kept when it is answered.
    ///
    /// # Errors
    /// The store's. Until this process ends it is believed no more all the same.
    pub async fn revoke(&self, revoked: Revoked, extent: Extent) -> Result<(), StoreError> {
        self.own_tokens.revoke(revoked.clone(), extent);
        self.revoke_with(revoked, async || Ok((extent, None))).await
    }

    /// [Revokes](Self::revoke) all that is issued by then, however long it lives.
    pub(super) async fn revoke_all(&self, revoked: Revoked, issued_by: Timestamp) -> Result<(), StoreError> {
        self.revoke(revoked, Extent { issued_by, until: issued_by.plus(LONGEST_LIFE) }).await
    }

    /// How far that is revoked, by whichever gateway on the store.
    pub(super) async fn revoked(&self, revoked: &Revoked) -> Result<Option<Extent>, StoreError> {
        let none = Timestamp::from_millis(0);
        let key = Revocation::of(revoked, Extent { issued_by: none, until: none }).key();
        Ok(self.shelf.find::<Revocation>(&key).await?.map(|found| found.value.extent()))
    }

    /// [Revokes](Self::revoke) as far as `besides` finds that it has to go, and makes the other change that it finds in the same commit.
    pub(super) async fn revoke_with(
        &self,
        revoked: Revoked,
        besides: impl AsyncFn() -> Result<(Extent, Option<RecordChange>), StoreError>,
    ) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            let (extent, other_change) = besides().await?;
            self.own_tokens.revoke(revoked.clone(), extent);
            let revocation = Revocation::of(&revoked, extent);
            let key = revocation.key();
            let change = match self.shelf.find::<Revocation>(&key).await? {
                None => Some(insert(&key, &revocation)?),
                Some(found) if found.value.extent().and(extent) == found.value.extent() => None,
                Some(found) => Some(found.replace(&Revocation::of(&revoked, found.value.extent().and(extent)))?),
            };
            let changes: Vec<_> = change.into_iter().chain(other_change).collect();
            if changes.is_empty() || self.shelf.commit(changes).await? {
                return Ok(());
            }
        }
        Err(StoreError::Busy)
    }

    /// Learns what has been revoked, by whichever gateway on the store.
    pub(super) async fn learn_revocations(&self) -> Result<(), StoreError> {
        let (mut revoked, mut after) = (Revocations::new(), None::<String>);
        loop {
            let page: Vec<Found<Revocation>> = self.shelf.list(after.as_deref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|found| found.key.clone());
            revoked.extend(page.into_iter().map(|found| found.value.into_known()));
            if is_last {
                break;
            }
        }
        self.own_tokens.learn(revoked, self.clock.now());
        Ok(())
    }
}
