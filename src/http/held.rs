//! Exchanges that are held until something happens: they cost no thread, count as no work, and end when the gateway stops.

use std::time::Duration;

use actix_web::HttpRequest;

use super::Gateway;
use super::limits::InWork;

/// Awaits what the client waits for: at most so long, and not beyond the moment at which the gateway begins to stop.
pub(super) async fn hold<T>(
    gateway: &Gateway,
    request: &HttpRequest,
    longest: Duration,
    event: impl Future<Output = T>,
) -> Option<T> {
    let _aside = InWork::of(request).map(|counted| gateway.in_flight.aside(counted));
    tokio::select! {
        biased;
        happened = event => Some(happened),
        () = gateway.begins_to_stop() => None,
        () = gateway.clock.sleep(longest) => None,
    }
}
