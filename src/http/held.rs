//! Exchanges that are held until something happens: they cost no thread, count as no work, and end when the gateway stops. How many
//! there may be is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpRequest;

use super::Gateway;
use super::limits::InWork;

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

/// Awaits what the client waits for: at most so long, not beyond the moment at which the gateway begins to stop, and not at all when
/// too many exchanges are held.
#[expect(dead_code, reason = "for leases")]
pub(super) async fn hold<T>(
    gateway: &Gateway,
    request: &HttpRequest,
    longest: Duration,
    event: impl Future<Output = T>,
) -> Option<T> {
    let _place = Place::take(gateway)?;
    let _aside = InWork::of(request).map(|counted| gateway.in_flight.aside(counted));
    tokio::select! {
        biased;
        happened = event => Some(happened),
        () = gateway.begins_to_stop() => None,
        () = gateway.clock.sleep(longest) => None,
    }
}
