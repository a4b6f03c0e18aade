//! A clock that never goes back: what was shown as over stays over when somebody sets the machine's clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::core::BoxFuture;
use crate::core::clock::{Clock, Timestamp};

/// Another clock, but for the times at which that goes back: then this one stands still until the other has caught up.
#[derive(Debug)]
pub struct SteadyClock<C> {
    clock: C,
    latest: AtomicI64,
}

impl<C: Clock> SteadyClock<C> {
    /// The same time, from now on.
    pub fn over(clock: C) -> Self {
        Self { clock, latest: AtomicI64::new(i64::MIN) }
    }
}

impl<C: Clock> Clock for SteadyClock<C> {
    fn now(&self) -> Timestamp {
        let now = self.clock.now().millis();
        Timestamp::from_millis(now.max(self.latest.fetch_max(now, Ordering::AcqRel)))
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep_until(&self, instant: Timestamp) -> BoxFuture<'static, ()> {
        if instant <= self.now() { Box::pin(std::future::ready(())) } else { self.clock.sleep_until(instant) }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(duration)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::SteadyClock;
    use crate::core::clock::{Clock, SetClock, Timestamp};

    #[test]
    fn what_it_has_shown_it_does_not_take_back() {
        let at = Timestamp::from_millis;
        let machine = SetClock::at(at(5_000));
        let steady = SteadyClock::over(machine.clone());
        assert_eq!(steady.now(), at(5_000));
        machine.set(at(1_000));
        assert_eq!(steady.now(), at(5_000));
        assert!(steady.sleep_until(at(5_000)).now_or_never().is_some(), "that is over");
        assert!(steady.sleep_until(at(5_001)).now_or_never().is_none());
        machine.set(at(5_001));
        assert_eq!(steady.now(), at(5_001));
        assert!(steady.sleep_until(at(5_001)).now_or_never().is_some());
    }
}
