//! Time as an argument: instants in milliseconds, the clock that tells them, and a clock that tests set by hand.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::BoxFuture;

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Shown as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The instant `seconds` seconds after the epoch; saturates at the ends of time.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved by `millis` milliseconds; saturates at the ends of time.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This instant moved later by `duration`; saturates at the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (min, max) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
        let millis = self.0.clamp(min.as_millisecond(), max.as_millisecond());
        write!(f, "{:.3}", jiff::Timestamp::from_millisecond(millis).unwrap_or(max))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Tells the time. There is one for the process, passed to whoever needs it.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment in the past; never goes back, whatever happens to the wall clock.
    fn monotonic(&self) -> Duration;
    /// Completes when `now` has reached `instant`.
    fn sleep_until(&self, instant: Timestamp) -> BoxFuture<'static, ()>;
}

/// A clock that stands still until it is set. Setting it wakes its sleepers.
#[derive(Clone, Debug)]
pub struct SetClock(Arc<Mutex<SetClockState>>);

#[derive(Debug)]
struct SetClockState {
    now: Timestamp,
    elapsed: Duration,
    sleepers: Vec<Waker>,
}

impl SetClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(SetClockState { now, elapsed: Duration::ZERO, sleepers: Vec::new() })))
    }

    /// Moves both the wall clock and the monotonic one forward.
    pub fn advance(&self, duration: Duration) {
        self.change(|state| {
            state.now = state.now.plus(duration);
            state.elapsed += duration;
        });
    }

    /// Sets the wall clock alone, backward too.
    pub fn set(&self, now: Timestamp) {
        self.change(|state| state.now = now);
    }

    fn change(&self, change: impl FnOnce(&mut SetClockState)) {
        let woken = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut state);
            std::mem::take(&mut state.sleepers)
        };
        woken.into_iter().for_each(Waker::wake);
    }

    fn read<T>(&self, read: impl FnOnce(&SetClockState) -> T) -> T {
        read(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        self.read(|state| state.now)
    }

    fn monotonic(&self) -> Duration {
        self.read(|state| state.elapsed)
    }

    fn sleep_until(&self, instant: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(SetClockSleep { clock: self.clone(), instant })
    }
}

struct SetClockSleep {
    clock: SetClock,
    instant: Timestamp,
}

impl Future for SetClockSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.now >= self.instant {
            return Poll::Ready(());
        }
        state.sleepers.push(context.waker().clone());
        Poll::Pending
    }
}
