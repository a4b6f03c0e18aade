//! The brake on wrong credentials: attempts are counted per client and per network, right ones never.
//!
//! Right credentials always pass, so nobody can lock the rightful client out. That is safe since a secret is too long to be guessed;
//! the brake keeps a guesser from filling the log, and tells a misconfigured client to slow down.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::network::Network;

/// So many wrong attempts are answered plainly in a window.
const ALLOWED: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);
/// So many names are remembered; then those whose window is over are forgotten, and if that does not help, all.
const REMEMBERED: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Suspect {
    Client(String),
    Network(Network),
}

#[derive(Debug)]
struct Window {
    began: Duration,
    failures: u32,
}

/// Counts wrong attempts.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<HashMap<Suspect, Window>>);

impl Throttle {
    /// Counts a wrong attempt at the monotonic time `now`.
    ///
    /// # Errors
    /// How long to wait, when there were too many for this client or from this network.
    pub fn count_failure(&self, client_id: &str, address: Option<IpAddr>, now: Duration) -> Result<(), Duration> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= REMEMBERED {
            windows.retain(|_, window| now < window.began + WINDOW);
            if windows.len() >= REMEMBERED {
                windows.clear();
            }
        }
        // A client id is whatever the caller sent: a long one is not worth remembering whole.
        let client = Suspect::Client(client_id.chars().take(64).collect());
        let suspects = [Some(client), address.map(|_| Suspect::Network(Network::of(address)))];
        let waits = suspects.into_iter().flatten().filter_map(|suspect| {
            let window = windows.entry(suspect).or_insert(Window { began: now, failures: 0 });
            if now >= window.began + WINDOW {
                *window = Window { began: now, failures: 0 };
            }
            window.failures = window.failures.saturating_add(1);
            (window.failures > ALLOWED).then(|| (window.began + WINDOW).saturating_sub(now))
        });
        waits.max().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::Throttle;

    #[test]
    fn the_eleventh_failure_in_a_minute_waits_for_the_rest_of_it() {
        let throttle = Throttle::default();
        let address: Option<IpAddr> = "192.0.2.1".parse().ok();
        let at = Duration::from_secs;
        for second in 0..10 {
            assert_eq!(throttle.count_failure("acme", address, at(second)), Ok(()));
        }
        assert_eq!(throttle.count_failure("acme", None, at(10)), Err(at(50)), "the same client from elsewhere");
        assert_eq!(
            throttle.count_failure("other", address, at(20)),
            Err(at(40)),
            "the same address for another client"
        );
        assert_eq!(throttle.count_failure("other", None, at(20)), Ok(()));
        assert_eq!(throttle.count_failure("acme", address, at(60)), Ok(()), "a new minute");
    }

    #[test]
    fn a_household_is_one() {
        let throttle = Throttle::default();
        let from = |number: usize| format!("2001:db8:1:2{number:02x}::1").parse::<IpAddr>().ok();
        for number in 0..10 {
            assert_eq!(throttle.count_failure(&number.to_string(), from(number), Duration::ZERO), Ok(()));
        }
        assert!(throttle.count_failure("10", from(10), Duration::ZERO).is_err());
    }

    #[test]
    fn forgets_rather_than_grows() {
        let throttle = Throttle::default();
        for client in 0..25_000 {
            let _ = throttle.count_failure(&client.to_string(), None, Duration::ZERO);
        }
        assert!(throttle.0.lock().expect("not poisoned").len() <= super::REMEMBERED);
    }
}
