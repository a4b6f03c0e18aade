//! How many requests wait for issuers at once, those of all verifiers together, so that issuers that hang do not stop the calls that
//! need none of them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of those who wait. What a token has to show for itself decides which of them it may take.
#[derive(Clone, Debug)]
pub struct Waiting {
    for_unknown: Arc<Semaphore>,
    for_known: Arc<Semaphore>,
}

impl Waiting {
    /// For a server with so many requests in work: a quarter may wait with tokens that nobody has vouched for, and half with those that
    /// were good a moment ago. A quarter always goes on.
    #[must_use]
    pub fn within(max_in_flight: usize) -> Self {
        let places = |count: usize| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        Self { for_unknown: places(max_in_flight / 4), for_known: places(max_in_flight / 2) }
    }

    /// A place, until it is dropped; none when all are taken.
    pub(super) fn place(&self, is_unknown: bool) -> Option<OwnedSemaphorePermit> {
        let places = if is_unknown { &self.for_unknown } else { &self.for_known };
        Arc::clone(places).try_acquire_owned().ok()
    }
}
