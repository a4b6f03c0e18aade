//! The records of the authorization server, in memory.

use std::collections::BTreeMap;
use std::future::ready;
use std::ops::Bound;
use std::sync::{MutexGuard, PoisonError};

use super::Kept;
use crate::core::BoxFuture;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::ports::records::{Record, RecordChange, RecordKind, Records};

/// All records, by kind and key.
pub(super) type AllRecords = BTreeMap<(RecordKind, String), Record>;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl Kept {
    fn records(&self) -> MutexGuard<'_, AllRecords> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records for Kept {
    fn find<'a>(&'a self, kind: RecordKind, key: &'a str) -> Answer<'a, Option<Record>> {
        Box::pin(ready(Ok(self.records().get(&(kind, key.to_owned())).cloned())))
    }

    fn list<'a>(&'a self, kind: RecordKind, after: Option<&'a str>, limit: usize) -> Answer<'a, Vec<Record>> {
        let begin = match after {
            Some(after) => Bound::Excluded((kind, after.to_owned())),
            None => Bound::Included((kind, String::new())),
        };
        let records = self.records();
        let of_kind = records.range((begin, Bound::Unbounded)).take_while(|((other, _), _)| *other == kind);
        Box::pin(ready(Ok(of_kind.map(|(_, record)| record.clone()).take(limit).collect())))
    }

    fn commit(&self, changes: Vec<RecordChange>) -> Answer<'_, bool> {
        let mut records = self.records();
        let version =
            |change: &RecordChange| records.get(&(change.kind, change.key.clone())).map(|found| found.version);
        let as_expected = changes.iter().all(|change| version(change) == change.expected);
        if as_expected {
            for RecordChange { kind, key, expected, body } in changes {
                let place = (kind, key.clone());
                match body {
                    Some((body, expires_at)) => {
                        let version = expected.unwrap_or(0) + 1;
                        records.insert(place, Record { key, version, body, expires_at });
                    }
                    None => drop(records.remove(&place)),
                }
            }
        }
        Box::pin(ready(Ok(as_expected)))
    }

    fn forget(&self, before: Timestamp, most: usize) -> Answer<'_, usize> {
        let mut records = self.records();
        let is_expired = |record: &Record| record.expires_at.is_some_and(|at| at < before);
        let expired: Vec<_> = records
            .iter()
            .filter(|(_, record)| is_expired(record))
            .take(most)
            .map(|(place, _)| place.clone())
            .collect();
        for place in &expired {
            records.remove(place);
        }
        Box::pin(ready(Ok(expired.len())))
    }
}
