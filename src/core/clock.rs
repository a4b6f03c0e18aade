//! Time as an argument: instants in milliseconds, the clock that tells them, and a clock that tests set by hand.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

    /// In RFC 3339, as [`Display`](fmt::Display) shows it. Written by hand, since every answer and every log line shows several. Clamped to
    /// the years that RFC 3339 can write.
    pub fn rfc3339(self) -> [u8; 24] {
        let millis = self.0.clamp(FIRST_MILLI, LAST_MILLI);
        let (days, in_day) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let fields = [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, in_day / 3_600_000),
            (14..16, in_day / 60_000 % 60),
            (17..19, in_day / 1000 % 60),
            (20..23, in_day % 1000),
        ];
        for (place, mut value) in fields {
            for digit in text[place].iter_mut().rev() {
                *digit = DIGITS[usize::try_from(value % 10).unwrap_or(0)];
                value /= 10;
            }
        }
        text
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.rfc3339()).map_err(|_| fmt::Error)?)
    }
}

const DIGITS: &[u8; 10] = b"0123456789";
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z.
const FIRST_MILLI: i64 = -62_167_219_200_000;
const LAST_MILLI: i64 = 253_402_300_799_999;

/// Year, month and day of the day that lies so many days after 1970-01-01, in the Gregorian calendar: counted in eras of 400 years
/// that begin on 1 March, so that the leap day comes last.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + if month <= 2 { 1 } else { 0 }, month, day)
}

impl FromStr for Timestamp {
    type Err = ();

    /// Reads RFC 3339; what is finer than a millisecond is cut off.
    fn from_str(text: &str) -> Result<Self, ()> {
        // The library reads more than RFC 3339 has: signed years, and names of time zones.
        let is_plain = text.starts_with(|first: char| first.is_ascii_digit()) && !text.contains('[');
        let read: jiff::Timestamp = text.parse().map_err(|_| ())?;
        if is_plain { Ok(Self(read.as_millisecond())) } else { Err(()) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse()
            .map_err(|()| D::Error::custom("invalid value: not an instant as \"2026-11-22T06:12:03.482Z\" (RFC 3339)"))
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
    /// Completes when so much monotonic time has passed, whatever happens to the wall clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
    /// The machine's own time, where this clock can be told to follow another: that of a store that several gateways share.
    fn machine(&self) -> Option<Timestamp> {
        None
    }
    /// From now on tells the machine's own time plus so many milliseconds.
    fn follow(&self, ahead_millis: i64) {
        // A clock that can follow no other is asked in vain.
        _ = ahead_millis;
    }
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
        Box::pin(SetClockSleep { clock: self.clone(), until: Until::Wall(instant) })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = Until::Elapsed(self.monotonic().saturating_add(duration));
        Box::pin(SetClockSleep { clock: self.clone(), until })
    }
}

/// What a sleeper waits for.
#[derive(Clone, Copy)]
enum Until {
    Wall(Timestamp),
    Elapsed(Duration),
}

struct SetClockSleep {
    clock: SetClock,
    until: Until,
}

impl Future for SetClockSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = match self.until {
            Until::Wall(instant) => state.now >= instant,
            Until::Elapsed(elapsed) => state.elapsed >= elapsed,
        };
        if is_over {
            return Poll::Ready(());
        }
        state.sleepers.push(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FIRST_MILLI, LAST_MILLI, Timestamp};

    proptest! {
        #[test]
        fn is_shown_as_the_calendar_has_it(millis in FIRST_MILLI..=LAST_MILLI) {
            let known = jiff::Timestamp::from_millisecond(millis).unwrap();
            prop_assert_eq!(Timestamp::from_millis(millis).to_string(), format!("{known:.3}"));
        }
    }

    #[test]
    fn is_read_as_rfc_3339_says() {
        for (text, millis) in [
            ("2026-11-22T06:12:03.482Z", Some(1_795_327_923_482)),
            ("2026-11-22T08:12:03.482999+02:00", Some(1_795_327_923_482)),
            ("2026-11-22T06:12:03Z", Some(1_795_327_923_000)),
            ("2026-11-22T06:12:03", None),
            ("2026-11-22", None),
            ("+002026-11-22T06:12:03Z", None),
            ("2026-11-22T06:12:03+00:00[UTC]", None),
            ("1795327923", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), millis.map(Timestamp::from_millis), "{text}");
        }
    }

    #[test]
    fn the_ends_of_time_are_shown_as_the_ends_of_the_calendar() {
        assert_eq!(Timestamp::from_millis(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }
}
