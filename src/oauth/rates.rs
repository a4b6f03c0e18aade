//! How often each person may do what leaves records behind: so many at once, and then one every few seconds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many at once: more than anybody does by hand, and than a page with many frames does by itself.
const AT_ONCE: u32 = 60;
/// And then one in that time, which is 17,280 a day.
const EACH: Duration = Duration::from_secs(5);
/// So many people are remembered; then those are forgotten who may do it as often as anybody.
const REMEMBERED: usize = 10_000;

/// How often each person has done it: the monotonic time at which nothing of it counts any more.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<String, Duration>>);

impl Rates {
    /// Counts once at the monotonic time `now`.
    ///
    /// # Errors
    /// How long to wait, when it was too often.
    pub(super) fn take(&self, person: &str, now: Duration) -> Result<(), Duration> {
        let mut people = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if people.len() >= REMEMBERED && !people.contains_key(person) {
            people.retain(|_, clear_at| now < *clear_at);
            if people.len() >= REMEMBERED {
                people.clear();
            }
        }
        let clear_at = people.get(person).copied().unwrap_or_default().max(now) + EACH;
        let wait = clear_at.saturating_sub(now + EACH * AT_ONCE);
        if !wait.is_zero() {
            return Err(wait);
        }
        people.insert(person.to_owned(), clear_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{AT_ONCE, REMEMBERED, Rates};

    #[test]
    fn so_many_at_once_and_then_one_in_five_seconds() {
        let (rates, at) = (Rates::default(), Duration::from_secs);
        for _ in 0..AT_ONCE {
            assert_eq!(rates.take("ada", at(7)), Ok(()));
        }
        assert_eq!(rates.take("ada", at(8)), Err(at(4)));
        assert_eq!(rates.take("bob", at(8)), Ok(()), "each person alone");
        assert_eq!(rates.take("ada", at(12)), Ok(()));
        assert_eq!(rates.take("ada", at(12)), Err(at(5)));
        assert_eq!(rates.take("ada", at(22)), Ok(()));
        assert_eq!(rates.take("ada", at(22)), Ok(()));
        assert!(rates.take("ada", at(22)).is_err(), "what was refused counts for nothing");
    }

    #[test]
    fn forgets_rather_than_grows() {
        let rates = Rates::default();
        for person in 0..25_000 {
            assert_eq!(rates.take(&person.to_string(), Duration::ZERO), Ok(()));
        }
        assert!(rates.0.lock().expect("not poisoned").len() <= REMEMBERED);
    }
}
