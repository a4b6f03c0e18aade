//! What the store commits: how often, how long it takes, and how many operations share a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::closed;
use super::histogram::Histogram;

closed! {
    /// What became of a commit.
    Commit {
        Done "done" "It is durable."
        Full "full" "There was no space; nothing was changed."
        Busy "busy" "Another program held the store; nothing was changed."
        Failed "failed" "Nobody knows; the store is not used any more."
    }
}

/// Counts the commits of the store.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    commits: Arc<[Counter]>,
    seconds: Histogram,
    sync_seconds: Histogram,
    waiting: Gauge,
    batch_size: Histogram,
    is_full: Arc<AtomicBool>,
}

impl StoreMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let commits = Family::<[(&'static str, &'static str); 1], Counter>::default();
        let of = |result: &Commit| commits.get_or_create_owned(&[("result", result.label())]);
        let metrics = Self {
            commits: Commit::ALL.iter().map(of).collect(),
            seconds: Histogram::quick(),
            sync_seconds: Histogram::quick(),
            waiting: Gauge::default(),
            batch_size: Histogram::batches(),
            is_full: Arc::default(),
        };
        registry.register("store_commits", "Commits of the store, by what became of them", commits);
        let help = "How long a commit took, from its first operation until it was durable";
        registry.register_with_unit("store_commit", help, Unit::Seconds, metrics.seconds.clone());
        let help = "How long the last step of a commit to SQLite took, which writes the log and syncs it";
        registry.register_with_unit("store_sync", help, Unit::Seconds, metrics.sync_seconds.clone());
        let help = "Operations that still waited for SQLite's writer when its last commit had taken its batch";
        registry.register("store_queue_depth", help, metrics.waiting.clone());
        registry.register("store_commit_batch_size", "Operations in one commit", metrics.batch_size.clone());
        metrics
    }

    /// A commit of so many operations has ended.
    pub fn committed(&self, result: Commit, batch: usize, took: Duration) {
        self.commits[result as usize].inc();
        self.is_full.store(result == Commit::Full, Ordering::Relaxed);
        self.seconds.took(took);
        self.batch_size.count(batch.try_into().unwrap_or(u64::MAX));
    }

    /// A commit has become durable; that step alone took so long.
    pub fn synced(&self, took: Duration) {
        self.sync_seconds.took(took);
    }

    /// A commit has taken its batch, and so many operations still wait.
    pub fn waiting(&self, operations: usize) {
        self.waiting.set(operations.try_into().unwrap_or(i64::MAX));
    }

    /// Whether the last commit found no space.
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }
}
