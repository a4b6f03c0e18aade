//! Who waits for something to change: woken by the change itself, without a thread or a look at the store in between.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

use crate::core::request::{Request, RequestId, Status};

/// Those who wait for requests to change, and for work of a type to become ready.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    requests: Waiting<RequestId>,
    kinds: Waiting<String>,
    listener: Arc<OnceLock<Listener>>,
}

/// What is called at every change.
struct Listener(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

impl Watch {
    /// Begins to wait for changes of a request. What changes after this call is noticed, also before [`Waiter::changed`] is awaited.
    pub fn request(&self, id: RequestId) -> Waiter<RequestId> {
        self.requests.join(id)
    }

    /// Begins to wait for work of a type.
    pub fn kind(&self, kind: &str) -> Waiter<String> {
        self.kinds.join(kind.to_owned())
    }

    /// Has this called at every change of any request; the first that is given stays.
    pub fn listen(&self, listener: impl Fn() + Send + Sync + 'static) {
        _ = self.listener.set(Listener(Box::new(listener)));
    }

    /// Wakes those who wait for this request, and the workers who wait for its type if it may be ready for one.
    pub fn changed(&self, request: &Request) {
        self.requests.wake(&request.id);
        if let Some(Listener(listener)) = self.listener.get() {
            listener();
        }
        let is_open = request.work().is_some() && request.phase(0).is_some_and(|phase| phase.status != Status::Running);
        if is_open {
            self.kinds.wake(&request.kind);
        }
    }
}

type Waiters<K> = Arc<Mutex<HashMap<K, Arc<Notify>>>>;

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
        let notify = Arc::clone(waiting.entry(key.clone()).or_default());
        drop(waiting);
        Waiter { key, notify, waiting: Arc::clone(&self.0) }
    }

    fn wake(&self, key: &K) {
        let notify = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        if let Some(notify) = notify {
            notify.notify_waiters();
        }
    }
}

/// Somebody who waits; its place goes with it.
#[derive(Debug)]
pub struct Waiter<K: Hash + Eq> {
    key: K,
    notify: Arc<Notify>,
    waiting: Waiters<K>,
}

impl<K: Hash + Eq> Waiter<K> {
    /// The next change. To be made before looking at what may change: what happens between the two completes it.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl<K: Hash + Eq> Drop for Waiter<K> {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // The map and this one.
        if Arc::strong_count(&self.notify) <= 2 {
            waiting.remove(&self.key);
        }
    }
}
