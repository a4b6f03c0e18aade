//! Records with their types: what is kept is written as JSON, and changed by compare and swap.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::clients::hash;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::hex;
use crate::core::ports::records::{Record, RecordChange, RecordKind, Records};

/// What is kept as a record.
pub(super) trait Kept: Serialize + DeserializeOwned {
    /// Under which kind.
    const KIND: RecordKind;

    /// From when on it is of no use to anybody.
    fn expires_at(&self) -> Option<Timestamp>;
}

/// A record as it was read: what it says, and what has to be unchanged when it is written again.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) key: String,
    pub(super) version: u32,
    pub(super) value: T,
}

/// The records, by type.
#[derive(Clone)]
pub(super) struct Shelf(Arc<dyn Records>);

impl Shelf {
    pub(super) fn new(records: Arc<dyn Records>) -> Self {
        Self(records)
    }

    /// What is kept under a key.
    pub(super) async fn find<T: Kept>(&self, key: &str) -> Result<Option<Found<T>>, StoreError> {
        // No record has such a key, and not every store could look for it.
        if key.contains('\0') {
            return Ok(None);
        }
        self.0.find(T::KIND, key).await?.map(read).transpose()
    }

    /// What is kept of a type, in the order of the keys, beginning after the key `after`.
    pub(super) async fn list<T: Kept>(&self, after: Option<&str>, limit: usize) -> Result<Vec<Found<T>>, StoreError> {
        self.0.list(T::KIND, after, limit).await?.into_iter().map(read).collect()
    }

    /// Removes what expired before `now`, at most so much. Answers how much.
    pub(super) async fn forget(&self, now: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.0.forget(now, most).await
    }

    /// Makes all of the changes, or none when one of the records is not as it was read.
    pub(super) async fn commit(&self, changes: Vec<RecordChange>) -> Result<bool, StoreError> {
        self.0.commit(changes).await
    }
}

fn read<T: Kept>(record: Record) -> Result<Found<T>, StoreError> {
    let Record { key, version, body, .. } = record;
    let value = serde_json::from_str(&body)
        .map_err(|_| StoreError::Damaged(format!("of a {} of the authorization server", T::KIND.name())))?;
    Ok(Found { key, version, value })
}

/// The key of what is found by a secret: it is kept as its SHA-256 alone.
pub(super) fn hashed(secret: &str) -> String {
    hex(&hash(secret))
}

/// The change that keeps something new under a key.
pub(super) fn insert<T: Kept>(key: &str, value: &T) -> Result<RecordChange, StoreError> {
    change(key, None, value)
}

impl<T: Kept> Found<T> {
    /// The change that makes it say something else.
    pub(super) fn replace(&self, value: &T) -> Result<RecordChange, StoreError> {
        change(&self.key, Some(self.version), value)
    }

    /// The change that removes it.
    pub(super) fn remove(&self) -> RecordChange {
        RecordChange { kind: T::KIND, key: self.key.clone(), expected: Some(self.version), body: None }
    }
}

fn change<T: Kept>(key: &str, expected: Option<u32>, value: &T) -> Result<RecordChange, StoreError> {
    let body = serde_json::to_string(value).map_err(|error| StoreError::Failed(error.into()))?;
    Ok(RecordChange { kind: T::KIND, key: key.to_owned(), expected, body: Some((body, value.expires_at())) })
}
