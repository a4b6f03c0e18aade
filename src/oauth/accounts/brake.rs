//! The brake on guessed passwords, which slows guessers down and does not lock the rightful one out.
//!
//! A password can be guessed, so it does not do to check every attempt; and whoever can keep others from being checked can lock them
//! out. Three allowances of wrong attempts stand against each other here, each used up by attempts and grown back by time:
//!
//! - of a *network* at an *account*: 5, then one in 30 s. It is the guesser's own, and nobody else's waiting follows from it.
//! - of a *network* at *all* accounts: 30, then one in 20 s. It stops who tries one password with many names. A network from which the
//!   account was logged in to before is exempt, so that a guesser behind the same router, at other accounts, harms nobody.
//! - of an *account*, from all networks that it does not know: 50, then one in a minute. Beyond it nobody is refused; but as long as
//!   this lasts, each unknown network has 2 attempts and then one in 5 minutes at this account, in place of the first allowance.
//!
//! So the rightful one who has logged in before, and the one who comes from anywhere for the first time with the right password, are
//! checked at once, however many others guess. Only who shares both network and account with a guesser waits, 30 s at a time: the two
//! can not be told apart. A thousand networks have 12 000 guesses an hour at an account under attack, of which none is one of the
//! passwords that are tried first, since those are not taken.
//!
//! An attempt is counted when it begins and forgiven when it was right, so that many at once have no more than their share. Each gateway
//! counts for itself.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::oauth::clients::hash;

/// So many debts are remembered; then those that are paid are forgotten, and if that does not help, the smaller half of them.
const REMEMBERED: usize = 50_000;

/// An allowance: so many at once, and one more each `every`.
#[derive(Clone, Copy)]
struct Allowance {
    at_once: u32,
    every: Duration,
}

const AT_ACCOUNT: Allowance = Allowance { at_once: 5, every: Duration::from_secs(30) };
const AT_ACCOUNT_UNDER_ATTACK: Allowance = Allowance { at_once: 2, every: Duration::from_mins(5) };
const AT_ALL: Allowance = Allowance { at_once: 30, every: Duration::from_secs(20) };
const OF_ACCOUNT: Allowance = Allowance { at_once: 50, every: Duration::from_mins(1) };
const REGISTRATIONS: Allowance = Allowance { at_once: 10, every: Duration::from_mins(1) };

impl Allowance {
    fn whole(self) -> Duration {
        self.every * self.at_once
    }
}

type Key = [u8; 32];

/// Counts attempts. Of each allowance it is kept until when it is not whole again, by the monotonic clock.
#[derive(Default)]
pub(super) struct Brake(Mutex<HashMap<Key, Duration>>);

/// An attempt that was let through, with what it was charged.
#[must_use]
pub(super) struct Attempt(Vec<(Key, Duration)>);

/// Where somebody calls from: an address of IPv4; of IPv6 the part that a household has alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network(String);

impl Network {
    pub(super) fn of(address: Option<IpAddr>) -> Self {
        Self(match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() >> 72 << 72).to_string(),
            None => "nowhere".into(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

impl Brake {
    /// Lets an attempt to log in through at the monotonic time `now`. `is_known`: the account was logged in to from there before.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn login(
        &self,
        account: &str,
        network: &Network,
        is_known: bool,
        now: Duration,
    ) -> Result<Attempt, Duration> {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_account = key(&["account", account]);
        let pressure = debts.get(&of_account).map_or(Duration::ZERO, |until| until.saturating_sub(now));
        let is_under_attack = pressure > OF_ACCOUNT.whole().saturating_sub(OF_ACCOUNT.every);
        let at_account = if is_under_attack && !is_known { AT_ACCOUNT_UNDER_ATTACK } else { AT_ACCOUNT };
        let mut charges = vec![(key(&["pair", account, network.name()]), at_account)];
        if !is_known {
            charges.push((key(&["network", network.name()]), AT_ALL));
        }
        let mut attempt = charge(&mut debts, &charges, now)?;
        if !is_known {
            // It stops at its bound, so that the attack is over soon after its last attempt.
            let until = (now + pressure + OF_ACCOUNT.every).min(now + OF_ACCOUNT.whole());
            debts.insert(of_account, until);
            attempt.0.push((of_account, until.saturating_sub(now + pressure)));
        }
        Ok(attempt)
    }

    /// Lets an attempt to register through.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn registration(&self, network: &Network, now: Duration) -> Result<Attempt, Duration> {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        charge(&mut debts, &[(key(&["registration", network.name()]), REGISTRATIONS)], now)
    }

    /// It was right, or nobody has looked at it.
    pub(super) fn forgive(&self, attempt: Attempt) {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, charged) in attempt.0 {
            if let Some(until) = debts.get_mut(&key) {
                *until = until.saturating_sub(charged);
            }
        }
    }
}

/// The name of a debt. What callers send is not worth remembering whole.
fn key(parts: &[&str]) -> Key {
    hash(&parts.join("\0"))
}

/// Charges all of the allowances, or none if one is used up.
fn charge(
    debts: &mut HashMap<Key, Duration>,
    charges: &[(Key, Allowance)],
    now: Duration,
) -> Result<Attempt, Duration> {
    let after =
        |key: &Key, every: Duration| debts.get(key).map_or(now, |until| (*until).max(now)).saturating_add(every);
    let waits =
        charges.iter().map(|(key, allowance)| after(key, allowance.every).saturating_sub(now + allowance.whole()));
    let wait = waits.max().unwrap_or_default();
    if !wait.is_zero() {
        return Err(wait);
    }
    let debts_after: Vec<_> = charges.iter().map(|(key, allowance)| (*key, after(key, allowance.every))).collect();
    make_room(debts, now);
    debts.extend(debts_after);
    Ok(Attempt(charges.iter().map(|(key, allowance)| (*key, allowance.every)).collect()))
}

fn make_room(debts: &mut HashMap<Key, Duration>, now: Duration) {
    if debts.len() < REMEMBERED {
        return;
    }
    debts.retain(|_, until| *until > now);
    if debts.len() >= REMEMBERED / 2 {
        let mut all: Vec<_> = debts.values().copied().collect();
        let middle = all.len() / 2;
        let median = *all.select_nth_unstable(middle).1;
        debts.retain(|_, until| *until > median);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::{Brake, Network, REMEMBERED};

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn network(number: usize) -> Network {
        let bytes = u32::try_from(number).unwrap().to_be_bytes();
        Network::of(Some(IpAddr::from(bytes)))
    }

    fn wrong(brake: &Brake, account: &str, from: usize, is_known: bool, now: u64) -> Result<(), Duration> {
        brake.login(account, &network(from), is_known, at(now)).map(drop)
    }

    #[test]
    fn a_guesser_waits_and_nobody_else_does() {
        let brake = Brake::default();
        for _ in 0..5 {
            assert_eq!(wrong(&brake, "alain", 1, false, 0), Ok(()));
        }
        assert_eq!(wrong(&brake, "alain", 1, false, 10), Err(at(20)));
        assert_eq!(wrong(&brake, "alain", 2, false, 10), Ok(()), "another network");
        assert_eq!(wrong(&brake, "grace", 1, false, 10), Ok(()), "another account");
        assert_eq!(wrong(&brake, "alain", 1, false, 30), Ok(()));
        assert_eq!(wrong(&brake, "alain", 1, false, 30), Err(at(30)));
    }

    #[test]
    fn what_was_right_is_forgiven() {
        let brake = Brake::default();
        for _ in 0..200 {
            let attempt = brake.login("alain", &network(1), false, at(0)).unwrap();
            brake.forgive(attempt);
        }
    }

    #[test]
    fn one_password_with_many_names_is_braked_but_not_where_the_account_is_known() {
        let brake = Brake::default();
        for name in 0..30 {
            assert_eq!(wrong(&brake, &format!("name-{name}"), 1, false, 0), Ok(()));
        }
        assert_eq!(wrong(&brake, "alain", 1, false, 0), Err(at(20)));
        assert_eq!(wrong(&brake, "alain", 1, true, 0), Ok(()));
        assert_eq!(wrong(&brake, "alain", 2, false, 0), Ok(()));
    }

    #[test]
    fn many_networks_have_few_attempts_each_and_a_fresh_one_is_still_looked_at() {
        let brake = Brake::default();
        for from in 0..50 {
            assert_eq!(wrong(&brake, "alain", from, false, 0), Ok(()));
        }
        assert_eq!(wrong(&brake, "alain", 99, false, 0), Ok(()));
        assert_eq!(wrong(&brake, "alain", 99, false, 0), Ok(()));
        assert_eq!(wrong(&brake, "alain", 99, false, 0), Err(at(300)), "an unknown network has two");
        assert_eq!(wrong(&brake, "alain", 100, false, 0), Ok(()), "a fresh one is looked at");
        for _ in 0..5 {
            assert_eq!(wrong(&brake, "alain", 101, true, 0), Ok(()), "one that the account knows has what it had");
        }
        assert_eq!(wrong(&brake, "grace", 99, false, 0), Ok(()), "another account is not under attack");
        assert_eq!(wrong(&brake, "alain", 98, false, 600), Ok(()), "the attack is over");
        assert!((0..4).all(|_| wrong(&brake, "alain", 98, false, 600).is_ok()));
    }

    #[test]
    fn a_household_is_one_network() {
        let of = |text: &str| Network::of(text.parse().ok());
        assert_eq!(of("2001:db8:1:200::1"), of("2001:db8:1:2ff:9:8:7:6"));
        assert_ne!(of("2001:db8:1:200::1"), of("2001:db8:1:300::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn forgets_the_least_rather_than_grows() {
        let brake = Brake::default();
        for _ in 0..5 {
            _ = wrong(&brake, "alain", 1, false, 0);
        }
        for from in 2..REMEMBERED {
            _ = wrong(&brake, &format!("name-{from}"), from, false, 0);
        }
        assert!(brake.0.lock().expect("not poisoned").len() <= REMEMBERED + 2);
        assert!(wrong(&brake, "alain", 1, false, 0).is_err(), "who owes most is not forgotten");
    }
}
