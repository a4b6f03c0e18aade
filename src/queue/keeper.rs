//! What the queue does by itself: writes down the ends that time brings about, and removes what is kept too long.
//!
//! Nothing is looked for on the chance: the next end is known, and [`Ends`] tells the keeper when a change brings one forward.

use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::Queue;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::request::{Request, WorkState};
use crate::telemetry::metrics::KeeperMetrics;

/// Ends that are written down in one commit.
const SETTLED_AT_ONCE: usize = 256;
/// Requests that are removed in one commit.
const PURGED_AT_ONCE: usize = 500;
/// From one look at what is kept too long to the next.
const PURGE_EVERY: Duration = Duration::from_mins(1);
/// Between two batches of one removal, so that what clients write comes between.
const PURGE_PAUSE: Duration = Duration::from_millis(50);
/// How long to wait after the first failure of the store; twice as long after each one more.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// How long at most.
const MOST_PATIENCE: Duration = Duration::from_mins(1);

/// When the next request reaches its end by itself, as far as is known: never late, and possibly too early.
#[derive(Debug)]
pub(super) struct Ends {
    next: AtomicI64,
    brought_forward: Notify,
}

impl Default for Ends {
    fn default() -> Self {
        // Nobody knows yet what the store has.
        Self { next: AtomicI64::new(i64::MIN), brought_forward: Notify::new() }
    }
}

impl Ends {
    /// A request is as it is here from now on.
    pub(super) fn changed(&self, request: &Request) {
        let is_open = request.work().is_some_and(|work| !matches!(work.state, WorkState::Ended(_)));
        if let Some(end) = is_open.then(|| request.ends_at()).flatten() {
            self.note(end);
        }
    }

    fn note(&self, end: Timestamp) {
        if end.millis() < self.next.fetch_min(end.millis(), Ordering::AcqRel) {
            self.brought_forward.notify_one();
        }
    }

    /// The next end that is known; from here on none is, until one is noted.
    fn take(&self) {
        self.next.store(i64::MAX, Ordering::Release);
    }

    fn next(&self) -> Option<Timestamp> {
        let next = self.next.load(Ordering::Acquire);
        (next != i64::MAX).then(|| Timestamp::from_millis(next))
    }
}

/// What a store that fails is met with: one line in the log, and ever more time.
#[derive(Debug, Default)]
struct Patience {
    failures: u32,
}

impl Patience {
    /// How long to wait after a failure; none after a success.
    fn after<T>(&mut self, what: &str, done: Result<T, StoreError>) -> Result<T, Duration> {
        match done {
            Ok(value) => {
                if self.failures > 0 {
                    tracing::info!("the store {what} again");
                }
                self.failures = 0;
                Ok(value)
            }
            Err(error) => {
                if self.failures == 0 {
                    tracing::warn!("the store no longer {what}: {error}; it is tried again with growing pauses");
                }
                Err(self.more())
            }
        }
    }

    /// How long to wait, longer each time.
    fn more(&mut self) -> Duration {
        let wait = FIRST_PATIENCE.saturating_mul(2_u32.saturating_pow(self.failures)).min(MOST_PATIENCE);
        self.failures = self.failures.saturating_add(1);
        wait
    }
}

impl Queue {
    /// Keeps the house for as long as it is polled.
    pub async fn keep(&self, metrics: KeeperMetrics) -> Infallible {
        let (never, _) = tokio::join!(self.settle(&metrics), self.purge(&metrics));
        never
    }

    /// Writes down each end when it comes, and wakes who waits for it.
    async fn settle(&self, metrics: &KeeperMetrics) -> Infallible {
        let (ends, mut patience, mut stuck) = (self.watch.ends(), Patience::default(), Patience::default());
        loop {
            let due = async {
                match ends.next() {
                    Some(end) => self.clock.sleep_until(end).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = ends.brought_forward.notified() => continue,
            }
            ends.take();
            match patience.after("writes down what has expired", self.requests.settle(SETTLED_AT_ONCE).await) {
                Ok((settled, next)) => {
                    let now = self.clock.now();
                    let is_stuck = settled.is_empty() && next.is_some_and(|end| end <= now);
                    for request in settled {
                        metrics.settled(request.phase_at(now).1.status);
                        self.watch.changed(&request);
                    }
                    if is_stuck {
                        // A record that is due and can not be settled, because it is damaged, say, must not keep the store busy. But
                        // it may be that another gateway has it in hand.
                        self.clock.sleep(stuck.more()).await;
                    } else {
                        stuck = Patience::default();
                    }
                    if let Some(end) = next {
                        ends.note(end);
                    }
                }
                Err(wait) => {
                    self.clock.sleep(wait).await;
                    ends.note(self.clock.now());
                }
            }
        }
    }

    /// Removes what is kept too long, in small batches.
    async fn purge(&self, metrics: &KeeperMetrics) -> Infallible {
        let (mut patience, mut wait) = (Patience::default(), PURGE_EVERY);
        loop {
            self.clock.sleep(wait).await;
            let purged = self.requests.purge(self.retention, PURGED_AT_ONCE).await;
            wait = match patience.after("removes what is kept too long", purged) {
                Ok(purged) => {
                    metrics.purged(purged.requests, purged.payloads);
                    if purged.more { PURGE_PAUSE } else { PURGE_EVERY }
                }
                Err(wait) => wait.max(PURGE_PAUSE),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Patience;
    use crate::core::error::StoreError;

    #[test]
    fn a_store_that_fails_is_asked_ever_more_seldom() {
        let mut patience = Patience::default();
        let mut fail = |times: usize| -> Vec<u64> {
            let wait = |_| patience.after::<()>("works", Err(StoreError::Busy)).unwrap_err().as_secs();
            (0..times).map(wait).collect()
        };
        assert_eq!(fail(8), [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(patience.after("works", Ok(7)), Ok::<_, Duration>(7));
        assert_eq!(patience.after::<()>("works", Err(StoreError::Busy)), Err(Duration::from_secs(1)));
    }
}
