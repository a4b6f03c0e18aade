//! What the parts of an open store share, and how each gets a session.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::time::timeout;
use tokio_postgres::Row;

use super::announcer::News;
use super::fault::Fault;
use super::names::Names;
use super::rows;
use crate::core::clock::{Clock, Timestamp};
use crate::core::request::Request;
use crate::telemetry::metrics::{Commit, StoreMetrics};

/// How often an operation is tried that another transaction was in the way of.
pub(super) const TRIES: usize = 4;

/// How long an operation may take, the wait for a session included: longer than the server lets anybody wait for a lock.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// The same of what no caller waits for, and what may have much to look at.
pub(super) const LONG_PATIENCE: Duration = Duration::from_mins(1);

/// What the parts share.
pub(super) struct Shared {
    pub(super) pool: Pool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: StoreMetrics,
    pub(super) names: Names,
    pub(super) news: News,
    /// Whose request of a type was leased here last, by number.
    pub(super) turns: Mutex<HashMap<String, i64>>,
    /// What the server says of itself.
    pub(super) known: Known,
    /// Whether the server was there when it was last asked.
    pub(super) is_reached: AtomicBool,
}

/// What the server said of itself when it was last asked.
#[derive(Default)]
pub(super) struct Known {
    /// How many milliseconds the database's clock is ahead of the machine's.
    pub(super) ahead: AtomicI64,
    /// Whether it does not see to it that what is committed outlives a failure of its machine.
    pub(super) is_unsynced: AtomicBool,
}

impl Known {
    pub(super) fn is_synced(&self) -> bool {
        !self.is_unsynced.load(Ordering::Relaxed)
    }
}

impl Shared {
    pub(super) async fn session(&self) -> Result<Object, Fault> {
        Ok(self.pool.get().await?)
    }

    /// Carries out an operation, or gives it up after `patience`, by the time of this machine: a server that hangs says nothing, and
    /// ends nothing by itself. Of what was given up nobody knows how far it came.
    pub(super) async fn bounded<T>(
        &self,
        patience: Duration,
        operation: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        let mut operation = Box::pin(operation);
        if let Ok(done) = timeout(patience, &mut operation).await {
            return done;
        }
        // Its session goes back to the pool, and from there with all that are idle: nobody is to wait for the server on one of them, or
        // to hear what it has yet to say. On the one thread that speaks to the server, nobody takes it in between.
        drop(operation);
        self.distrust_idle();
        Err(Fault::Failed("the server does not answer in time".into()))
    }

    /// Closes the sessions that are idle.
    pub(super) fn distrust_idle(&self) {
        self.pool.retain(|_, _| false);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.is_reached.load(Ordering::Relaxed) && !self.pool.is_closed()
    }

    /// The requests in rows of [`rows::COLUMNS`]. A damaged one is an error.
    pub(super) async fn read(
        &self,
        client: &impl deadpool_postgres::GenericClient,
        rows: &[Row],
    ) -> Result<Vec<Arc<Request>>, Fault> {
        self.names.learn(client, rows.iter().filter_map(rows::timeline).collect()).await?;
        rows.iter().map(|row| rows::read(row, &self.names.timelines)).collect()
    }

    /// Counts a commit of so many operations that began at `began`.
    pub(super) fn count<T>(&self, done: &Result<T, Fault>, operations: usize, began: Duration) {
        let result = match done {
            Ok(_) => Commit::Done,
            Err(Fault::Full) => Commit::Full,
            Err(Fault::Busy | Fault::Conflict) => Commit::Busy,
            Err(_) => Commit::Failed,
        };
        self.metrics.committed(result, operations, self.clock.monotonic().saturating_sub(began));
    }
}

/// Tries again, a few times, what another transaction was in the way of.
macro_rules! again {
    ($attempt:expr) => {{
        let mut tried = 1;
        loop {
            match $attempt.await {
                Err(Fault::Conflict) if tried < crate::store::postgres::shared::TRIES => tried += 1,
                done => break done,
            }
        }
    }};
}
pub(super) use again;
