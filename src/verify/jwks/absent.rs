//! Key ids that the provider was asked for and does not have, so that they do not use up the budget for those that it might.

use std::collections::VecDeque;
use std::time::Duration;

use aws_lc_rs::digest;

/// How many are kept.
const MAX_ABSENT: usize = 256;
/// For how long.
const LIFETIME: Duration = Duration::from_mins(5);

/// The key ids that are known to be absent, as SHA-256, oldest first. Anybody can write a key id: none is kept as it came.
#[derive(Debug, Default)]
pub(super) struct AbsentKeys(VecDeque<([u8; 32], Duration)>);

impl AbsentKeys {
    pub(super) fn contains(&self, unverified_key_id: &str, now: Duration) -> bool {
        let sought = hash(unverified_key_id);
        self.0.iter().any(|(hash, since)| now < *since + LIFETIME && *hash == sought)
    }

    pub(super) fn insert(&mut self, unverified_key_id: &str, now: Duration) {
        self.0.retain(|(_, since)| now < *since + LIFETIME);
        if self.0.len() == MAX_ABSENT {
            self.0.pop_front();
        }
        self.0.push_back((hash(unverified_key_id), now));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn hash(unverified_key_id: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, unverified_key_id.as_bytes()).as_ref());
    hash
}
