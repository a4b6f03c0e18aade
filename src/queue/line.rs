//! Where workers stand in line: each request that becomes ready wakes one of them, and a wake-up is never lost.
//!
//! Whoever waits joins the line, looks at the store, and then sleeps. One that is woken has left the line; if it goes away before it
//! has looked at the store again, its wake-up passes to the next. What time makes ready is kept as an alarm per type, and one of those
//! who wait keeps the time for all of them: a thousand idle workers look at the store no more often than one.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::core::clock::{Clock, Timestamp};

/// The line.
#[derive(Clone)]
pub struct Line(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Whoever holds this keeps the time.
    timekeeper: tokio::sync::Mutex<()>,
    /// Tells the timekeeper that an alarm was set.
    alarm_set: Notify,
}

#[derive(Default)]
struct State {
    joined: u64,
    /// By type and order of joining.
    waiting: HashMap<String, BTreeMap<u64, Arc<Waiting>>>,
    /// When there may be work of a type that somebody waits for.
    alarms: HashMap<String, Timestamp>,
}

struct Waiting {
    ticket: u64,
    kinds: Vec<String>,
    woken: AtomicBool,
    notify: Notify,
}

impl Line {
    /// Nobody stands in it yet.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let (timekeeper, alarm_set) = (tokio::sync::Mutex::default(), Notify::new());
        Self(Arc::new(Inner { clock, state: Mutex::default(), timekeeper, alarm_set }))
    }

    /// Joins the line, for work of these types. To be done before looking at the store: what becomes ready after this call wakes.
    pub fn join(&self, kinds: &[String]) -> Place {
        let mut state = self.state();
        state.joined += 1;
        let (ticket, kinds) = (state.joined, kinds.to_vec());
        let waiting = Arc::new(Waiting { ticket, kinds, woken: AtomicBool::new(false), notify: Notify::new() });
        for kind in &waiting.kinds {
            state.waiting.entry(kind.clone()).or_default().insert(ticket, Arc::clone(&waiting));
        }
        drop(state);
        Place { line: self.clone(), waiting }
    }

    /// There may be work of a type from then on.
    pub fn ready(&self, kind: &str, at: Timestamp) {
        if at <= self.0.clock.now() {
            self.state().wake(kind);
        } else {
            self.set_alarm(std::slice::from_ref(&kind), at);
        }
    }

    /// There may be more work of these types than the one who has just looked could take.
    pub(super) fn pass_on(&self, kinds: &[String]) {
        let mut state = self.state();
        for kind in kinds {
            state.wake(kind);
        }
    }

    /// There may be work of any type.
    pub(super) fn look(&self) {
        let mut state = self.state();
        let kinds: Vec<_> = state.waiting.keys().cloned().collect();
        for kind in kinds {
            state.wake(&kind);
        }
    }

    /// There will be work of one of these types then, as far as is known.
    pub(super) fn set_alarm<K: AsRef<str>>(&self, kinds: &[K], at: Timestamp) {
        let mut state = self.state();
        let mut is_sooner = false;
        for kind in kinds.iter().map(AsRef::as_ref) {
            // Whoever joins later looks at the store itself.
            if state.waiting.contains_key(kind) && state.alarms.get(kind).is_none_or(|known| at < *known) {
                state.alarms.insert(kind.to_owned(), at);
                is_sooner = true;
            }
        }
        drop(state);
        if is_sooner {
            self.0.alarm_set.notify_one();
        }
    }

    /// Wakes one for each type whose alarm is due, for as long as this is awaited.
    async fn keep_time(&self) {
        let _timekeeper = self.0.timekeeper.lock().await;
        loop {
            let now = self.0.clock.now();
            let next = self.state().ring(now);
            let sleep = async {
                match next {
                    Some(at) => self.0.clock.sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                () = self.0.alarm_set.notified() => {}
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Wakes the one who has waited longest for work of that type.
    fn wake(&mut self, kind: &str) {
        let Some(first) = self.waiting.get(kind).and_then(|line| line.values().next()).cloned() else { return };
        self.leave(&first);
        first.woken.store(true, Ordering::Relaxed);
        first.notify.notify_one();
    }

    fn leave(&mut self, waiting: &Waiting) {
        for kind in &waiting.kinds {
            let Some(line) = self.waiting.get_mut(kind) else { continue };
            line.remove(&waiting.ticket);
            if line.is_empty() {
                self.waiting.remove(kind);
                self.alarms.remove(kind);
            }
        }
    }

    /// Wakes one for each alarm that is due, and answers when the next one is.
    fn ring(&mut self, now: Timestamp) -> Option<Timestamp> {
        let due: Vec<_> = self.alarms.iter().filter(|(_, at)| **at <= now).map(|(kind, _)| kind.clone()).collect();
        for kind in due {
            self.alarms.remove(&kind);
            self.wake(&kind);
        }
        self.alarms.values().min().copied()
    }
}

/// A place in the line; it goes with this, and a wake-up that nobody has followed passes to the next.
pub struct Place {
    line: Line,
    waiting: Arc<Waiting>,
}

impl Place {
    /// Completes when there may be work.
    pub async fn woken(&self) {
        tokio::select! {
            biased;
            () = self.waiting.notify.notified() => {}
            () = self.line.keep_time() => {}
        }
    }

    /// The wake-up was followed: the store has been looked at since.
    pub(super) fn followed(self) {
        self.waiting.woken.store(false, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.line.state();
        state.leave(&self.waiting);
        if self.waiting.woken.load(Ordering::Relaxed) {
            for kind in &self.waiting.kinds {
                state.wake(kind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::{Line, Place};
    use crate::core::clock::{Clock, SetClock, Timestamp};

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn line() -> (SetClock, Line) {
        let clock = SetClock::at(START);
        (clock.clone(), Line::new(Arc::new(clock)))
    }

    fn kinds(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn join(line: &Line, names: &[&str]) -> Place {
        line.join(&kinds(names))
    }

    fn is_woken(place: &Place) -> bool {
        place.woken().now_or_never().is_some()
    }

    #[test]
    fn one_that_is_ready_wakes_the_one_who_waits_longest() {
        let (clock, line) = line();
        let places = [join(&line, &["b"]), join(&line, &["a", "b"]), join(&line, &["a"])];
        line.ready("a", clock.now());
        assert_eq!(places.each_ref().map(is_woken), [false, true, false]);
        line.ready("a", clock.now());
        line.ready("a", clock.now());
        assert_eq!(places.each_ref().map(is_woken), [false, false, true]);
        line.ready("b", clock.now());
        assert_eq!(places.each_ref().map(is_woken), [true, false, false]);
    }

    #[test]
    fn a_wake_up_that_nobody_follows_passes_on() {
        let (clock, line) = line();
        let [first, second, third, fourth] = [(); 4].map(|()| join(&line, &["a"]));
        line.ready("a", clock.now());
        drop(first);
        assert!(is_woken(&second));
        drop(second);
        assert!(is_woken(&third));
        third.followed();
        assert!(!is_woken(&fourth));
        drop(fourth);
        assert!(line.state().waiting.is_empty());
    }

    #[test]
    fn one_keeps_the_time_for_all() {
        let (clock, line) = line();
        let places = [(); 3].map(|()| join(&line, &["a", "b"]));
        let mut woken: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> =
            places.iter().map(|place| Box::pin(place.woken()) as _).collect();
        // Twice, since the one that keeps the time may wake itself.
        let mut waiting = || {
            (0..2).for_each(|_| woken.retain_mut(|woken| woken.now_or_never().is_none()));
            woken.len()
        };
        assert_eq!(waiting(), 3);
        line.set_alarm(&kinds(&["a", "b"]), START.plus_millis(5_000));
        line.ready("a", START.plus_millis(3_000));
        line.ready("c", START.plus_millis(1));
        clock.advance(Duration::from_millis(2_999));
        assert_eq!(waiting(), 3);
        clock.advance(Duration::from_millis(1));
        assert_eq!(waiting(), 2);
        drop(woken);
        assert_eq!(places.each_ref().map(is_woken).iter().filter(|woken| **woken).count(), 0);
        let [first, rest @ ..] = places;
        first.followed();
        clock.advance(Duration::from_secs(2));
        assert_eq!(rest.each_ref().map(is_woken), [false, false], "it keeps the time, and wakes itself");
        assert_eq!(rest.each_ref().map(is_woken), [true, false], "by the alarm of the other type");
        drop(rest);
        assert!(line.state().waiting.is_empty() && line.state().alarms.is_empty());
    }
}
