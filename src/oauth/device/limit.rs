//! Brakes on the device grant: how many devices may begin, and how many user codes may be tried, from one address and in all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The brakes.
pub(in crate::oauth) struct DeviceLimits {
    /// Devices that begin to wait. So many at once that the records of all who wait stay few.
    pub(super) begun: Limit,
    /// User codes that were tried in vain. 3000 in the life of a code, of 25,600,000,000: even of 1000 devices that wait none is found.
    pub(super) guesses: Limit,
}

impl Default for DeviceLimits {
    fn default() -> Self {
        Self { begun: Limit::new(30, 600), guesses: Limit::new(10, 300) }
    }
}

const WINDOW: Duration = Duration::from_mins(1);

/// So many in a minute.
#[derive(Debug)]
pub(super) struct Limit {
    per_address: u32,
    in_all: u32,
    minute: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    began: Duration,
    in_all: u32,
    /// Never more than there may be in all.
    by_address: HashMap<IpAddr, u32>,
}

impl Limit {
    fn new(per_address: u32, in_all: u32) -> Self {
        Self { per_address, in_all, minute: Mutex::default() }
    }

    /// Takes one at the monotonic time `now`.
    ///
    /// # Errors
    /// How long to wait, when there were too many from this address or in all.
    pub(super) fn take(&self, address: Option<IpAddr>, now: Duration) -> Result<(), Duration> {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= minute.began + WINDOW {
            *minute = Minute { began: now, ..Minute::default() };
        }
        let taken = address.and_then(|address| minute.by_address.get(&network(address)).copied()).unwrap_or_default();
        if minute.in_all >= self.in_all || taken >= self.per_address {
            return Err((minute.began + WINDOW).saturating_sub(now));
        }
        minute.in_all += 1;
        if let Some(address) = address {
            minute.by_address.insert(network(address), taken + 1);
        }
        Ok(())
    }

    /// Gives one back that does not count after all.
    pub(super) fn give_back(&self, address: Option<IpAddr>) {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        minute.in_all = minute.in_all.saturating_sub(1);
        let taken = address.and_then(|address| minute.by_address.get_mut(&network(address)));
        if let Some(taken) = taken {
            *taken = taken.saturating_sub(1);
        }
    }
}

/// What one person has: of IPv6 addresses everybody has 2^64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::Limit;

    #[test]
    fn holds_for_an_address_for_its_network_and_in_all() {
        let limit = Limit::new(2, 3);
        let address = |text: &str| text.parse::<IpAddr>().ok();
        let at = Duration::from_secs;
        assert_eq!(limit.take(address("2001:db8::1"), at(0)), Ok(()));
        assert_eq!(limit.take(address("2001:db8::2"), at(1)), Ok(()));
        assert_eq!(limit.take(address("2001:db8::3"), at(2)), Err(at(58)), "the same network");
        assert_eq!(limit.take(address("192.0.2.1"), at(3)), Ok(()));
        assert_eq!(limit.take(address("192.0.2.2"), at(4)), Err(at(56)), "too many in all");
        limit.give_back(address("192.0.2.1"));
        assert_eq!(limit.take(address("192.0.2.1"), at(5)), Ok(()));
        assert_eq!(limit.take(address("2001:db8::1"), at(60)), Ok(()), "a new minute");
    }
}
