//! Who waits for something to change: woken by the change itself, without a thread or a look at the store in between.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::keeper::Ends;
use super::line::Line;
use crate::core::clock::Clock;
use crate::core::ports::Change;
use crate::core::request::{Request, RequestId};

/// What is called at every change.
type Listener = Box<dyn Fn() + Send + Sync>;

/// Those who wait for requests to change, and the workers who wait for work.
#[derive(Clone)]
pub struct Watch {
    requests: Waiting<RequestId>,
    workers: Line,
    ends: Arc<Ends>,
    listener: Arc<OnceLock<Listener>>,
}

impl Watch {
    /// Nobody waits yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { requests: Waiting::default(), workers: Line::new(clock), ends: Arc::default(), listener: Arc::default() }
    }

    /// Begins to wait for changes of a request. What changes after this call is noticed, also before [`Waiter::changed`] is awaited.
    pub fn request(&self, id: RequestId) -> Waiter<RequestId> {
        self.requests.join(id)
    }

    /// Where workers stand in line for work.
    pub fn workers(&self) -> &Line {
        &self.workers
    }

    /// When the next request reaches its end by itself.
    pub(super) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Has this called at every change of any request; the first that is given stays.
    pub fn listen(&self, listener: impl Fn() + Send + Sync + 'static) {
        _ = self.listener.set(Box::new(listener));
    }

    /// Wakes those who wait for this request, and a worker who waits for its type: now if it may be ready for one, else when it may.
    pub fn changed(&self, request: &Request) {
        self.requests.wake(&request.id);
        self.ends.changed(request);
        if let Some(listener) = self.listener.get() {
            listener();
        }
        if let Some(at) = request.ready_at() {
            self.workers.ready(&request.kind, at);
        }
    }

    /// Wakes those who wait for what another gateway has changed.
    pub fn heard(&self, change: Change) {
        match change {
            Change::Request(id) => self.requests.wake(&id),
            Change::Ready(kind, at) => self.workers.ready(&kind, at),
            Change::Anything => {
                self.requests.wake_all();
                self.workers.look();
            }
        }
    }
}

type Waiters<K> = Arc<Mutex<HashMap<K, Awaited>>>;

/// What somebody waits for, and how many do. They are counted here, under the lock: the last one takes it away.
#[derive(Debug, Default)]
struct Awaited {
    waiting: usize,
    bell: Arc<Bell>,
}

#[derive(Debug, Default)]
struct Bell {
    rung: AtomicU64,
    notify: Notify,
}

impl Bell {
    fn ring(&self) {
        self.rung.fetch_add(1, Ordering::AcqRel);
        self.notify.notify_waiters();
    }
}

#[derive(Clone, Debug)]
struct Waiting<K>(Waiters<K>);

impl<K> Default for Waiting<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Hash + Eq + Clone> Waiting<K> {
    fn join(&self, key: K) -> Waiter<K> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let awaited = waiting.entry(key.clone()).or_default();
        awaited.waiting += 1;
        let bell = Arc::clone(&awaited.bell);
        drop(waiting);
        Waiter { key, bell, waiting: Arc::clone(&self.0) }
    }

    fn wake(&self, key: &K) {
        let bell =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).map(|awaited| Arc::clone(&awaited.bell));
        if let Some(bell) = bell {
            bell.ring();
        }
    }

    fn wake_all(&self) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bells: Vec<_> = waiting.values().map(|awaited| Arc::clone(&awaited.bell)).collect();
        drop(waiting);
        for bell in bells {
            bell.ring();
        }
    }
}

/// Somebody who waits; its place goes with it.
#[derive(Debug)]
pub struct Waiter<K: Hash + Eq> {
    key: K,
    bell: Arc<Bell>,
    waiting: Waiters<K>,
}

impl<K: Hash + Eq> Waiter<K> {
    /// The next change. To be made before looking at what may change: what happens between the two completes it.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.bell.notify.notified()
    }

    /// How many changes there have been since somebody began to wait. To be asked after [`Waiter::changed`] is made and before looking.
    pub(super) fn changes(&self) -> u64 {
        self.bell.rung.load(Ordering::Acquire)
    }
}

impl<K: Hash + Eq> Drop for Waiter<K> {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(awaited) = waiting.get_mut(&self.key) else { return };
        awaited.waiting -= 1;
        if awaited.waiting == 0 {
            waiting.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::Waiting;

    #[test]
    fn who_leaves_while_others_are_woken_leaves_nothing_behind() {
        let waiting = Waiting::default();
        let [first, second] = [(); 2].map(|()| waiting.join(1));
        // Somebody who wakes holds the bell for a moment.
        let held = first.bell.clone();
        let changed = second.changed();
        waiting.wake(&1);
        assert_eq!((changed.now_or_never(), second.changes()), (Some(()), 1));
        drop(first);
        drop(second);
        drop(held);
        assert!(waiting.0.lock().unwrap().is_empty());
    }
}
