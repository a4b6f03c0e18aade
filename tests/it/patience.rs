//! How long a test waits for anything: never for ever, so that what does not come about fails and says where.

use std::future::Future;
use std::panic::Location;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// More than anything takes on a machine under load, and less than the minute after which a connection to a provider is given up: what
/// should happen by a test's clock does not pass for it when it happens by that.
pub(crate) const PATIENCE: Duration = Duration::from_secs(50);

/// What comes of it in time.
#[track_caller]
pub(crate) fn patiently<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        let Ok(outcome) = tokio::time::timeout(PATIENCE, future).await else { panic!("waited in vain at {caller}") };
        outcome
    }
}

/// Waits for what comes about in other tasks, threads or processes.
#[track_caller]
pub(crate) fn until(mut is_so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    patiently(async move {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
}

/// What another thread sends in time; nothing when it has ended without.
#[track_caller]
pub(crate) fn sent<T>(receiver: &Receiver<T>) -> Option<T> {
    match receiver.recv_timeout(PATIENCE) {
        Ok(sent) => Some(sent),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => panic!("waited in vain at {}", Location::caller()),
    }
}
