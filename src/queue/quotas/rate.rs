//! How often an owner may call: a limiter of one atomic word (GCRA), with our own clock.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::core::clock::Clock;

/// Our clock, as the limiter reads it.
#[derive(Clone)]
pub(super) struct Ticks(pub(super) Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

/// What one owner has left.
pub(super) struct Rate(RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>);

impl Rate {
    /// Nothing is used yet: a whole burst may come at once.
    pub(super) fn new(quota: Quota, ticks: Ticks) -> Self {
        Self(RateLimiter::direct_with_clock(quota, ticks))
    }

    /// Takes one call, or says after what time there is one to take.
    pub(super) fn take(&self) -> Result<(), Duration> {
        self.0.check().map_err(|until| until.wait_time_from(self.0.clock().now()))
    }
}

/// So many in a second, and so many at once; none without a rate.
pub(super) fn quota(per_second: u32, burst: u32) -> Option<Quota> {
    let rate = NonZeroU32::new(per_second)?;
    Some(Quota::per_second(rate).allow_burst(NonZeroU32::new(burst).unwrap_or(rate)))
}
