//! Wakes the sender when something may have to be told, and costs nothing while nobody listens.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Rung when a request has changed.
#[derive(Debug)]
pub struct Bell {
    notify: Notify,
    is_heard: AtomicBool,
}

impl Default for Bell {
    fn default() -> Self {
        Self { notify: Notify::new(), is_heard: AtomicBool::new(true) }
    }
}

impl Bell {
    /// Something has changed.
    pub fn ring(&self) {
        if self.is_heard.load(Ordering::SeqCst) {
            self.notify.notify_one();
        }
    }

    /// Says whether anybody listens.
    pub(super) fn set_heard(&self, is_heard: bool) {
        self.is_heard.store(is_heard, Ordering::SeqCst);
    }

    /// Completes when it is rung, or was since the last time.
    pub(super) async fn rung(&self) {
        self.notify.notified().await;
    }
}
