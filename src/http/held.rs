//! Exchanges that are held until something happens: they cost no thread, count as no work, and end when the gateway stops. How many
//! there may be is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Gateway;

/// The number of exchanges that are held.
#[derive(Debug, Default)]
pub(super) struct Held(Arc<AtomicUsize>);

/// One exchange's place among those that are held; it goes with it.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    /// A place, while there are any.
    pub(super) fn take(gateway: &Gateway) -> Option<Self> {
        let place = Self(Arc::clone(&gateway.held.0));
        (place.0.fetch_add(1, Ordering::Relaxed) < gateway.server.max_held).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
