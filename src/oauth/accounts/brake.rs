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
//! A right password costs as much to check as a wrong one, and anybody has right ones of accounts that they made themselves. So there is a
//! fourth allowance, of all that is checked, which nothing is forgiven of:
//!
//! - of a *network*: 60, then one in a second; before that, at each account that was logged in to from there before, 5 and then one in
//!   10 s, which no neighbour uses up.
//!
//! So the rightful one who has logged in before, and the one who comes from anywhere for the first time with the right password, are
//! checked at once, however many others guess. Who shares both network and account with a guesser waits, 30 s at a time: the two can
//! not be told apart; and who comes for the first time from a network that logs in without end waits for a second with the others. A
//! thousand networks have 12 000 guesses an hour at an account under attack, of which none is one of the passwords that are tried
//! first, since those are not taken.
//!
//! An attempt is counted when it begins and forgiven when it was right, so that many at once have no more than their share. Each gateway
//! counts for itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::oauth::clients::hash;
use crate::oauth::network::Network;

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
const CHECKED: Allowance = Allowance { at_once: 60, every: Duration::from_secs(1) };
const CHECKED_WHERE_KNOWN: Allowance = Allowance { at_once: 5, every: Duration::from_secs(10) };
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
pub(super) struct Attempt {
    /// For being wrong.
    wrong: Vec<(Key, Duration)>,
    /// For being checked.
    checked: Option<(Key, Duration)>,
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
        let where_known = (key(&["checked", account, network.name()]), CHECKED_WHERE_KNOWN);
        let is_free = is_known && wait(&debts, &where_known, now).is_zero();
        charges.push(if is_free { where_known } else { (key(&["checked", network.name()]), CHECKED) });
        let mut wrong = charge(&mut debts, &charges, now)?;
        let checked = wrong.pop();
        if !is_known {
            // It stops at its bound, so that the attack is over soon after its last attempt.
            let until = (now + pressure + OF_ACCOUNT.every).min(now + OF_ACCOUNT.whole());
            debts.insert(of_account, until);
            wrong.push((of_account, until.saturating_sub(now + pressure)));
        }
        Ok(Attempt { wrong, checked })
    }

    /// Lets an attempt to register through.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn registration(&self, network: &Network, now: Duration) -> Result<(), Duration> {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        charge(&mut debts, &[(key(&["registration", network.name()]), REGISTRATIONS)], now).map(drop)
    }

    /// It was right.
    pub(super) fn forgive(&self, attempt: Attempt) {
        self.give_back(attempt.wrong);
    }

    /// Nobody has looked at it.
    pub(super) fn undo(&self, attempt: Attempt) {
        self.give_back(attempt.wrong.into_iter().chain(attempt.checked));
    }

    fn give_back(&self, charged: impl IntoIterator<Item = (Key, Duration)>) {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, charged) in charged {
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

/// Until when a debt is not paid that is charged once more.
fn after(debts: &HashMap<Key, Duration>, (key, allowance): &(Key, Allowance), now: Duration) -> Duration {
    debts.get(key).map_or(now, |until| (*until).max(now)).saturating_add(allowance.every)
}

/// How long it takes until one may be charged once more.
fn wait(debts: &HashMap<Key, Duration>, charge: &(Key, Allowance), now: Duration) -> Duration {
    after(debts, charge, now).saturating_sub(now + charge.1.whole())
}

/// Charges all of the allowances, or none if one is used up; answers what was charged.
fn charge(
    debts: &mut HashMap<Key, Duration>,
    charges: &[(Key, Allowance)],
    now: Duration,
) -> Result<Vec<(Key, Duration)>, Duration> {
    let longest = charges.iter().map(|charge| wait(debts, charge, now)).max().unwrap_or_default();
    if !longest.is_zero() {
        return Err(longest);
    }
    let debts_after: Vec<_> = charges.iter().map(|charge| (charge.0, after(debts, charge, now))).collect();
    make_room(debts, now);
    debts.extend(debts_after);
    Ok(charges.iter().map(|(key, allowance)| (*key, allowance.every)).collect())
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

    use super::{Brake, REMEMBERED};
    use crate::oauth::network::Network;

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
    fn what_was_right_is_forgiven_but_for_being_checked() {
        let brake = Brake::default();
        let right = |account: &str, is_known: bool, now: u64| {
            let attempt = brake.login(account, &network(1), is_known, at(now));
            attempt.map(|attempt| brake.forgive(attempt))
        };
        for _ in 0..60 {
            assert_eq!(right("alain", false, 0), Ok(()));
        }
        assert_eq!(right("alain", false, 0), Err(at(1)));
        assert_eq!(right("grace", false, 0), Err(at(1)), "another account of this network");
        assert_eq!(wrong(&brake, "grace", 2, false, 0), Ok(()), "another network");
        for _ in 0..5 {
            assert_eq!(right("grace", true, 0), Ok(()), "an account that is known here has its own");
        }
        assert_eq!(right("grace", true, 0), Err(at(1)));
        assert_eq!(right("alain", false, 1), Ok(()));
    }

    #[test]
    fn what_nobody_has_looked_at_is_not_counted() {
        let brake = Brake::default();
        for _ in 0..200 {
            let attempt = brake.login("alain", &network(1), false, at(0)).unwrap();
            brake.undo(attempt);
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
    fn forgets_the_least_rather_than_grows() {
        let brake = Brake::default();
        for _ in 0..5 {
            _ = wrong(&brake, "alain", 1, false, 0);
        }
        for from in 2..REMEMBERED {
            _ = wrong(&brake, &format!("name-{from}"), from, false, 0);
        }
        assert!(brake.0.lock().expect("not poisoned").len() <= REMEMBERED + 3);
        assert!(wrong(&brake, "alain", 1, false, 0).is_err(), "who owes most is not forgotten");
    }
}
