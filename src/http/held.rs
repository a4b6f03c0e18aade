//! Exchanges that are held until something happens: they cost no thread, count as no work, and end when the gateway stops. How many
//! there may be is bounded.

use super::Gateway;
use crate::telemetry::metrics::HeldMetrics;

/// One exchange's place among those that are held; it goes with it.
#[derive(Debug)]
pub(super) struct Place(HeldMetrics);

impl Place {
    /// A place, while there are any.
    pub(super) fn take(gateway: &Gateway) -> Option<Self> {
        let place = Self(gateway.metrics.held());
        (place.0.enter() < gateway.server.max_held).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}
