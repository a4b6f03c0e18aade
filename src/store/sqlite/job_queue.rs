//! A bounded queue in front of threads: refuses at once when full, and when shut lets the threads finish what it holds.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{mpsc, watch};

use crate::core::error::StoreError;

/// How many jobs may wait: about a tenth of a second of work, so a caller that is let in is not kept long.
const CAPACITY: usize = 4096;

/// The callers' end of a queue.
pub(super) struct JobQueue<J> {
    sender: Mutex<Option<mpsc::Sender<J>>>,
    ended: watch::Receiver<()>,
}

/// Held by a thread that serves a queue; when the last is dropped, the queue has ended.
pub(super) type Serving = watch::Sender<()>;

impl<J> JobQueue<J> {
    /// A queue, the end that its threads take jobs from, and what each of them holds while it runs.
    pub(super) fn new() -> (Self, mpsc::Receiver<J>, Serving) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let (serving, ended) = watch::channel(());
        (Self { sender: Mutex::new(Some(sender)), ended }, receiver, serving)
    }

    /// Puts a job into the queue; `None` when the queue takes no more jobs, ever.
    pub(super) fn put(&self, job: J) -> Option<Result<(), StoreError>> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        match sender.as_ref()?.try_send(job) {
            Ok(()) => Some(Ok(())),
            Err(mpsc::error::TrySendError::Full(_)) => Some(Err(StoreError::Busy)),
            Err(mpsc::error::TrySendError::Closed(_)) => None,
        }
    }

    /// Whether it takes jobs.
    pub(super) fn is_open(&self) -> bool {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes no more jobs from here on.
    pub(super) fn shut(&self) -> Shut<J> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        Shut { sender, ended: self.ended.clone() }
    }
}

/// A queue that takes no more jobs. Its threads do what is waiting, and stay until they are told to end.
pub(super) struct Shut<J> {
    sender: Option<mpsc::Sender<J>>,
    ended: watch::Receiver<()>,
}

impl<J> Shut<J> {
    /// Completes when the threads have done what was waiting, and ended.
    pub(super) async fn end(mut self) {
        drop(self.sender);
        // Nothing is ever sent: this is an error, and only when the last sender is gone.
        while self.ended.changed().await.is_ok() {}
    }
}
