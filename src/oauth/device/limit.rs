//! Brakes on the device grant: how many devices may begin, and how many user codes may be tried, from one network and in all.
//!
//! Beyond what there may be in all not everybody is refused, or a few dozen networks could keep all others out: who has done little of
//! it still may, up to ten times as many.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::oauth::clients::Client;
use crate::oauth::network::Network;

/// The brakes.
pub(in crate::oauth) struct DeviceLimits {
    /// Devices of public clients that begin to wait, which anybody can have begin. So many at once that the records of all who wait
    /// stay few.
    begun: Limit<Network>,
    /// Devices of a client that has proved who it is: whatever others do, it has its own.
    begun_by_client: Limit<String>,
    /// User codes that were tried in vain. 30,000 in the life of a code at most, and of one network 100, of 25,600,000,000.
    pub(super) guesses: Limit<Network>,
}

impl Default for DeviceLimits {
    fn default() -> Self {
        Self {
            begun: Limit::new(30, 2, 600),
            begun_by_client: Limit::new(300, 300, u32::MAX),
            guesses: Limit::new(10, 2, 300),
        }
    }
}

impl DeviceLimits {
    /// Lets a device of that client, which is proven, begin at the monotonic time `now`.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn begin(&self, client: &Client, network: &Network, now: Duration) -> Result<(), Duration> {
        if client.is_public { self.begun.take(network, now) } else { self.begun_by_client.take(&client.id, now) }
    }
}

const WINDOW: Duration = Duration::from_mins(1);
/// So many times what there may be in all may be had by those who have had little.
const RESERVE: u32 = 10;

/// So many in a minute.
#[derive(Debug)]
pub(super) struct Limit<K> {
    each: u32,
    /// What each may have while all together have had too much.
    each_beyond: u32,
    in_all: u32,
    minute: Mutex<Minute<K>>,
}

#[derive(Debug)]
struct Minute<K> {
    began: Duration,
    in_all: u32,
    /// Never more than there may be in all.
    by: HashMap<K, u32>,
}

impl<K: Clone + Eq + Hash> Limit<K> {
    fn new(each: u32, each_beyond: u32, in_all: u32) -> Self {
        Self { each, each_beyond, in_all, minute: Mutex::new(Minute::beginning(Duration::ZERO)) }
    }

    /// Takes one at the monotonic time `now`.
    ///
    /// # Errors
    /// How long to wait, when there were too many of this one or in all.
    pub(super) fn take(&self, by: &K, now: Duration) -> Result<(), Duration> {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= minute.began + WINDOW {
            *minute = Minute::beginning(now);
        }
        let allowed = match minute.in_all {
            in_all if in_all < self.in_all => self.each,
            in_all if in_all < self.in_all.saturating_mul(RESERVE) => self.each_beyond,
            _ => 0,
        };
        let taken = minute.by.get(by).copied().unwrap_or_default();
        if taken >= allowed {
            return Err((minute.began + WINDOW).saturating_sub(now));
        }
        minute.in_all += 1;
        minute.by.insert(by.clone(), taken + 1);
        Ok(())
    }

    /// Gives one back that does not count after all.
    pub(super) fn give_back(&self, by: &K) {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = minute.by.get_mut(by).filter(|taken| **taken > 0) {
            *taken -= 1;
            minute.in_all = minute.in_all.saturating_sub(1);
        }
    }
}

impl<K> Minute<K> {
    fn beginning(began: Duration) -> Self {
        Self { began, in_all: 0, by: HashMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::SecretString;

    use super::{DeviceLimits, Limit};
    use crate::oauth::clients::Client;
    use crate::oauth::network::Network;

    fn network(text: &str) -> Network {
        Network::of(text.parse().ok())
    }

    #[test]
    fn holds_for_a_network_and_in_all() {
        let limit = Limit::new(2, 1, 3);
        let at = Duration::from_secs;
        assert_eq!(limit.take(&network("2001:db8::1"), at(0)), Ok(()));
        assert_eq!(limit.take(&network("2001:db8:0:ff::2"), at(1)), Ok(()));
        assert_eq!(limit.take(&network("2001:db8:0:7::3"), at(2)), Err(at(58)), "the same household");
        assert_eq!(limit.take(&network("192.0.2.1"), at(3)), Ok(()));
        assert_eq!(limit.take(&network("192.0.2.1"), at(4)), Err(at(56)), "too many in all");
        limit.give_back(&network("192.0.2.1"));
        assert_eq!(limit.take(&network("192.0.2.1"), at(5)), Ok(()));
        assert_eq!(limit.take(&network("2001:db8::1"), at(60)), Ok(()), "a new minute");
    }

    #[test]
    fn beyond_what_there_may_be_in_all_who_has_had_little_still_may() {
        let limit = Limit::new(2, 1, 3);
        let take = |number: u32| limit.take(&network(&format!("192.0.2.{number}")), Duration::ZERO);
        for number in [1, 1, 2] {
            assert_eq!(take(number), Ok(()));
        }
        assert!(take(2).is_err(), "it has had one");
        for number in 3..30 {
            assert_eq!(take(number), Ok(()));
        }
        assert!(take(30).is_err(), "and that has an end too");
    }

    #[test]
    fn a_client_with_a_secret_has_its_own() {
        let limits = DeviceLimits::default();
        let [mut tv, acme, other] =
            ["tv", "acme", "other"].map(|id| Client::new(id, &SecretString::from("secret"), Vec::new()));
        tv.is_public = true;
        let begin = |client: &Client, from: &str| limits.begin(client, &network(from), Duration::ZERO);
        assert!((0..30).all(|_| begin(&tv, "192.0.2.1").is_ok()));
        assert!(begin(&tv, "192.0.2.1").is_err());
        assert!((0..300).all(|_| begin(&acme, "192.0.2.1").is_ok()));
        assert!(begin(&acme, "192.0.2.2").is_err());
        assert!(begin(&other, "192.0.2.1").is_ok());
    }
}
