//! Calls that are held until something happens: how many there may be, and what ends them when the gateway stops.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::Data;
use tokio::sync::Notify;

use super::Gateway;
use super::limits::InWork;

/// Awaits what the client waits for: at most so long, not beyond the moment at which the gateway begins to stop, and not at all where
/// as many are held as may be.
pub(super) async fn hold<T>(
    gateway: &Data<Gateway>,
    request: &HttpRequest,
    longest: Duration,
    event: impl Future<Output = T>,
) -> Option<T> {
    let _place = Place::take(gateway)?;
    let _aside = InWork::of(request).map(|counted| gateway.in_flight.aside(counted));
    tokio::select! {
        biased;
        happened = event => Some(happened),
        () = gateway.stopping.begun() => None,
        () = gateway.clock.sleep(longest) => None,
    }
}

/// The number of calls that are held.
#[derive(Debug, Default)]
pub(super) struct Held(AtomicUsize);

/// One call's place among those that are held; it goes with it.
pub(super) struct Place(Data<Gateway>);

impl Place {
    /// A place, while there are any.
    pub(super) fn take(gateway: &Data<Gateway>) -> Option<Self> {
        let place = Self(gateway.clone());
        (gateway.held.0.fetch_add(1, Ordering::Relaxed) < gateway.server.max_held).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.held.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether the gateway is stopping.
#[derive(Debug, Default)]
pub(super) struct Stopping {
    begun: AtomicBool,
    told: Notify,
}

impl Stopping {
    /// It is, from now on: whoever waits for that is woken.
    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
        self.told.notify_waiters();
    }

    /// Whether it is.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// Completes when it is.
    pub(super) async fn begun(&self) {
        // Listened to before it is looked at, so that the word does not fall between the two.
        let told = self.told.notified();
        if !self.has_begun() {
            told.await;
        }
    }
}
