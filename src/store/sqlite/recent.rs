//! Requests in memory, so that most status reads ask no thread and no file. Safe, because this process alone writes the file.

use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::core::request::{Request, RequestId};

/// How much memory they may take, in bytes, about.
const BYTES: u64 = 16 << 20;
/// How many there usually are; space for these is taken at once.
const USUAL: usize = 1024;
/// What a request takes besides its texts, about.
const OVERHEAD: usize = 480;

/// The requests that were stored or read last.
pub(super) struct Recent {
    requests: Cache<RequestId, Arc<Request>, Bytes>,
    generation: Mutex<u64>,
}

/// Says that nothing was withdrawn since it was taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(u64);

#[derive(Clone)]
struct Bytes;

impl Weighter<RequestId, Arc<Request>> for Bytes {
    fn weight(&self, _: &RequestId, request: &Arc<Request>) -> u64 {
        let Request { owner, kind, alias, tags, .. } = &**request;
        let tags: usize = tags.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        let alias = alias.as_ref().map_or(0, String::len);
        (OVERHEAD + owner.issuer.len() + owner.subject.len() + kind.len() + alias + tags) as u64
    }
}

impl Recent {
    pub(super) fn new() -> Self {
        Self { requests: Cache::with_weighter(USUAL, BYTES, Bytes), generation: Mutex::new(0) }
    }

    pub(super) fn get(&self, id: RequestId) -> Option<Arc<Request>> {
        self.requests.get(&id)
    }

    /// To be taken before a request is read from the file or written to it, and given back with what was read or written.
    pub(super) fn generation(&self) -> Generation {
        Generation(*self.generation.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps a request, unless one was withdrawn meanwhile: it might be this one, as it was before.
    pub(super) fn keep(&self, request: &Arc<Request>, taken: Generation) {
        let generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        if Generation(*generation) == taken {
            self.requests.insert(request.id, Arc::clone(request));
        }
    }

    /// Forgets a request before it is judged: until the commit, its readers have to wait at the gate of the reading threads.
    pub(super) fn withdraw(&self, id: RequestId) {
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        *generation += 1;
        self.requests.remove(&id);
    }
}
