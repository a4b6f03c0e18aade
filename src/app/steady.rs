//! A clock that never goes back: what was shown as over stays over when somebody sets the machine's clock.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::core::BoxFuture;
use crate::core::clock::{Clock, Timestamp};

/// Another clock, but for the times at which that goes back: then this one stands still until the other has caught up.
#[derive(Debug)]
pub struct SteadyClock<C> {
    clock: C,
    latest: AtomicI64,
    follows: AtomicBool,
}

impl<C: Clock> SteadyClock<C> {
    /// The same time, from now on.
    pub fn over(clock: C) -> Self {
        Self { clock, latest: AtomicI64::new(i64::MIN), follows: AtomicBool::new(false) }
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

    fn machine(&self) -> Option<Timestamp> {
        self.clock.machine()
    }

    fn follow(&self, ahead_millis: i64) {
        self.clock.follow(ahead_millis);
        // The first comparison comes before anything is shown: then the other clock may be behind.
        if !self.follows.swap(true, Ordering::AcqRel) {
            self.latest.store(i64::MIN, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::SteadyClock;
    use crate::app::SystemClock;
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

    #[test]
    fn it_follows_another_that_is_behind_before_it_shows_anything() {
        let steady = SteadyClock::over(SystemClock::start());
        let machine = steady.now();
        steady.follow(-60_000);
        let shown = steady.now();
        assert!(shown < machine, "{shown} is not behind {machine}");
        assert!(steady.machine().is_some_and(|own| own >= machine));
        steady.follow(-120_000);
        assert!(steady.now() >= shown);
    }
}
