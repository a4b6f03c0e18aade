//! What is known of an issuer's keys at one moment. It never changes: what is learnt later makes another one.

use std::sync::Arc;
use std::time::Duration;

use super::super::KeyReport;
use super::super::keys::{KeySet, PublicKey};
use crate::core::clock::Timestamp;

/// The keys of an issuer, and how long they may be used. Instants are readings of the monotonic clock.
pub(super) struct Snapshot {
    pub(super) keys: Arc<KeySet>,
    /// 1, 2, …: anew whenever the keys changed.
    pub(super) generation: u64,
    /// When the issuer last said that these are its keys.
    pub(super) confirmed_at: Duration,
    pub(super) fresh_until: Duration,
    pub(super) usable_until: Duration,
    /// When each of the keys was fetched for the first time.
    first_seen: Arc<[Timestamp]>,
}

/// How long keys hold from now on.
#[derive(Clone, Copy)]
pub(super) struct Validity {
    pub(super) now: Duration,
    pub(super) lifetime: Duration,
    /// How long they are used past that while new ones can not be had.
    pub(super) stale_if_error: Duration,
}

impl Snapshot {
    /// The first keys of the issuer, or others than before.
    pub(super) fn of(keys: Arc<KeySet>, before: Option<&Self>, seen: Timestamp, validity: Validity) -> Self {
        let first_seen = keys.iter().map(|key| before.and_then(|before| before.first_seen(key)).unwrap_or(seen));
        let first_seen = first_seen.collect();
        let generation = before.map_or(1, |before| before.generation + 1);
        Self::valid(keys, generation, first_seen, validity)
    }

    /// The same keys, good for longer.
    pub(super) fn renewed(&self, validity: Validity) -> Self {
        Self::valid(Arc::clone(&self.keys), self.generation, Arc::clone(&self.first_seen), validity)
    }

    fn valid(keys: Arc<KeySet>, generation: u64, first_seen: Arc<[Timestamp]>, validity: Validity) -> Self {
        let fresh_until = validity.now + validity.lifetime;
        let usable_until = fresh_until + validity.stale_if_error;
        Self { keys, generation, confirmed_at: validity.now, fresh_until, usable_until, first_seen }
    }

    fn first_seen(&self, key: &PublicKey) -> Option<Timestamp> {
        let known = self.keys.iter().position(|known| known.is(key))?;
        self.first_seen.get(known).copied()
    }

    pub(super) fn is_fresh(&self, now: Duration) -> bool {
        now < self.fresh_until
    }

    pub(super) fn is_usable(&self, now: Duration) -> bool {
        now < self.usable_until
    }

    pub(super) fn report(&self) -> Vec<KeyReport> {
        let described = self.keys.iter().zip(self.first_seen.iter()).map(|(key, first_seen)| KeyReport {
            id: key.id().map(str::to_owned),
            algorithms: key.algorithms().iter().map(|algorithm| format!("{algorithm:?}")).collect(),
            first_seen: *first_seen,
        });
        described.collect()
    }
}
