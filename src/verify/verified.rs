//! Tokens that were found genuine by keys that can not change, so that the next request with the same one costs no signature check.
//! Facts only: what time changes is judged on every use, and what a policy asks for as well.

use std::sync::Arc;

use aws_lc_rs::digest;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::core::claims::Caller;

/// How much memory they may take, in bytes, about.
const BYTES: u64 = 8 << 20;
/// What a token takes once it is read, about: its claims are kept twice, as values.
const OVERHEAD: usize = 2048;

/// SHA-256 of a token: the token itself is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(token: &str) -> Self {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(fingerprint)
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Fingerprint, Arc<Caller>> for Bytes {
    fn weight(&self, _: &Fingerprint, caller: &Arc<Caller>) -> u64 {
        let texts = caller.claims.iter().map(|(name, value)| name.len() + value.as_str().map_or(64, str::len));
        (OVERHEAD + 2 * texts.sum::<usize>()) as u64
    }
}

/// The callers whom tokens were found to speak for.
pub(super) struct Verified(Cache<Fingerprint, Arc<Caller>, Bytes>);

impl Verified {
    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(256, BYTES, Bytes))
    }

    pub(super) fn get(&self, token: Fingerprint) -> Option<Arc<Caller>> {
        self.0.get(&token)
    }

    pub(super) fn keep(&self, token: Fingerprint, caller: &Arc<Caller>) {
        self.0.insert(token, Arc::clone(caller));
    }

    pub(super) fn forget(&self, token: Fingerprint) {
        self.0.remove(&token);
    }
}
