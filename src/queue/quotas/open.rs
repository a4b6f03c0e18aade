//! How many requests of an owner have not reached their end: an upper bound that costs nothing, and a count in the store where the
//! bound says that there is no room.
//!
//! Ends are not noticed here, for time alone brings most of them about. So the bound only grows, until the store is asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::core::ports::requests::Submission;

/// The store is asked about an owner no more often than this.
const RECOUNT: Duration = Duration::from_secs(1);
/// And for no more than one part in so many of the time.
const SHARE: u32 = 20;

/// What is known of one owner.
#[derive(Default)]
pub(super) struct Open {
    count: Mutex<Count>,
    /// Held by the one who asks the store: the others wait for its answer.
    pub(super) recounting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Count {
    /// At most so many are open; none: nobody knows.
    most: Option<u64>,
    /// Those on their way into the store.
    pending: u64,
    /// Those that the count under way may not see.
    unseen: u64,
    /// Until then (monotonic) the last count has to do.
    counted_until: Option<Duration>,
}

impl Open {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the room of one request, if the bound is known to be below the limit; without a limit always.
    pub(super) fn take(self: &Arc<Self>, limit: Option<u64>) -> Option<Taken> {
        let mut count = self.count();
        if limit.is_some_and(|limit| count.most.is_none_or(|most| most >= limit)) {
            return None;
        }
        count.most = count.most.map(|most| most.saturating_add(1));
        count.pending += 1;
        count.unseen += 1;
        Some(Taken(Arc::clone(self)))
    }

    /// How long the last count has to do yet.
    pub(super) fn counts_for(&self, now: Duration) -> Duration {
        self.count().counted_until.map_or(Duration::ZERO, |until| until.saturating_sub(now))
    }

    /// The store is about to be asked.
    pub(super) fn begin(&self) {
        let mut count = self.count();
        count.unseen = count.pending;
    }

    /// The store has counted so many, which took from then until now.
    pub(super) fn learn(&self, counted: u64, began: Duration, now: Duration) {
        let mut count = self.count();
        count.most = Some(counted.saturating_add(count.unseen));
        count.counted_until = Some(now.saturating_add(RECOUNT.max(now.saturating_sub(began) * SHARE)));
    }
}

/// The room of one request, until it is stored or is not.
pub(in crate::queue) struct Taken(Arc<Open>);

impl Taken {
    /// Says what became of the submission: one that was there before takes no room.
    pub(in crate::queue) fn settle(self, submission: &Submission) {
        if !matches!(submission, Submission::Accepted(_)) {
            let mut count = self.0.count();
            count.most = count.most.map(|most| most.saturating_sub(1));
            count.unseen = count.unseen.saturating_sub(1);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut count = self.0.count();
        count.pending = count.pending.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::Open;
    use crate::core::ports::requests::Submission;

    const ZERO: Duration = Duration::ZERO;

    #[test]
    fn what_is_on_its_way_while_the_store_counts_is_not_forgotten() {
        let open = Arc::new(Open::default());
        assert!(open.take(Some(3)).is_none(), "nobody has counted");
        open.begin();
        open.learn(0, ZERO, ZERO);
        let on_its_way = open.take(Some(3)).expect("room");
        open.begin();
        let meanwhile = open.take(Some(3)).expect("room");
        // The store has seen neither.
        open.learn(1, ZERO, ZERO);
        assert!(open.take(Some(3)).is_none());
        on_its_way.settle(&Submission::KeyReused);
        let third = open.take(Some(3)).expect("the room that was given back");
        assert!(open.take(Some(3)).is_none());
        drop((meanwhile, third));
        // They are stored, and not given back.
        assert!(open.take(Some(3)).is_none());
        assert!(open.take(None).is_some(), "who has no limit is counted and let through");
    }

    #[test]
    fn a_count_that_takes_long_has_to_do_for_longer() {
        let (open, second) = (Open::default(), Duration::from_secs(1));
        assert_eq!(open.counts_for(second), ZERO);
        open.learn(5, second, second);
        assert_eq!(open.counts_for(second), second);
        open.learn(5, second, second * 2);
        assert_eq!(open.counts_for(second * 2), second * 20);
        assert_eq!(open.counts_for(second * 30), ZERO);
    }
}
