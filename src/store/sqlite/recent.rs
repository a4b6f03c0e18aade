//! Requests in memory, so that most status reads ask no thread and no file. Safe, because this process alone writes the file.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::core::request::{Request, RequestId, Work};

/// How much memory they may take, in bytes, about.
const BYTES: u64 = 16 << 20;
/// How many there usually are; space for these is taken at once.
const USUAL: usize = 1024;
/// What a request takes besides its texts, about.
const OVERHEAD: usize = 480;

/// The requests that were stored or read last.
pub(super) struct Recent {
    requests: Cache<RequestId, Arc<Request>, Bytes, RandomState>,
    generations: Vec<Mutex<u64>>,
    places: RandomState,
    is_shut: AtomicBool,
}

/// So many requests can be withdrawn without a word to the others: each id belongs to one generation.
const GENERATIONS: usize = 64;

/// Says that nothing of the same generation was withdrawn since it was taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(u64);

/// Held as long as nothing is shown. There is one writer.
pub(super) struct Shut<'a>(&'a AtomicBool);

impl Drop for Shut<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<RequestId, Arc<Request>> for Bytes {
    fn weight(&self, _: &RequestId, request: &Arc<Request>) -> u64 {
        let Request { owner, kind, alias, tags, trace_id, .. } = &**request;
        let tags: usize = tags.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        let names = [alias, trace_id].into_iter().flatten().map(String::len).sum::<usize>();
        let work = request.work().map_or(0, work_bytes);
        (OVERHEAD + owner.issuer.len() + owner.subject.len() + kind.len() + names + tags + work) as u64
    }
}

/// What the state takes of a request that workers work on, about. A result as JSON takes several times its text.
fn work_bytes(work: &Work) -> usize {
    let result = work.result.as_ref().map_or(0, |result| 4 * result.to_string().len());
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let progress = work.progress.as_ref().map_or(0, |progress| text(&progress.message) + text(&progress.stage));
    let error = work.error.as_ref().map_or(0, |error| error.code.len() + error.title.len() + error.detail.len());
    let worker = work.worker.as_ref().map_or(0, |worker| worker.issuer.len() + worker.subject.len() + worker.id.len());
    size_of::<Work>() + result + progress + error + worker
}

impl Recent {
    pub(super) fn new() -> Self {
        let generations = (0..GENERATIONS).map(|_| Mutex::new(0)).collect();
        Self {
            requests: Cache::with(USUAL, BYTES, Bytes, RandomState::default(), DefaultLifecycle::default()),
            generations,
            places: RandomState::default(),
            is_shut: AtomicBool::new(false),
        }
    }

    /// None too while it is shut.
    pub(super) fn get(&self, id: RequestId) -> Option<Arc<Request>> {
        if self.is_shut.load(Ordering::SeqCst) { None } else { self.requests.get(&id) }
    }

    /// Shows nothing until the answer is dropped: taken by the writer before it asks the clock, and held until it has withdrawn what it
    /// changes. Meanwhile a reader, whose clock is later, could see an end that the writer then undoes.
    pub(super) fn shut(&self) -> Shut<'_> {
        self.is_shut.store(true, Ordering::SeqCst);
        Shut(&self.is_shut)
    }

    fn of(&self, id: RequestId) -> MutexGuard<'_, u64> {
        let place = usize::try_from(self.places.hash_one(id) % GENERATIONS as u64).unwrap_or(0);
        self.generations[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be taken before the request is read from the file or written to it, and given back with what was read or written.
    pub(super) fn generation(&self, id: RequestId) -> Generation {
        Generation(*self.of(id))
    }

    /// Keeps a request, unless it may have been withdrawn meanwhile: this might be how it was before.
    pub(super) fn keep(&self, request: &Arc<Request>, taken: Generation) {
        let generation = self.of(request.id);
        if Generation(*generation) == taken {
            self.requests.insert(request.id, Arc::clone(request));
        }
    }

    /// Forgets a request before it is changed: until the commit, its readers have to wait at the gate of the reading threads. What
    /// is answered here allows to keep it as it is after the commit.
    pub(super) fn withdraw(&self, id: RequestId) -> Generation {
        let mut generation = self.of(id);
        *generation += 1;
        self.requests.remove(&id);
        Generation(*generation)
    }
}
