//! The thread that writes: commits together what is waiting, and answers after the commit.
//!
//! What an error means for the store:
//! - **No space (`SQLITE_FULL`)** is clean, in an operation and in the commit alike. The log is written front to back, the commit
//!   mark is in the last frame, and `cache_spill` is off: an error from a write means that the mark is not in the log whole, so
//!   neither a reader nor a recovery after a crash takes the frames for a commit, and the next commit overwrites them. (No frame
//!   follows the mark, since SQLite on Unix assumes power-safe overwrite; and a failed *sync* is never `SQLITE_FULL`.)
//! - **A stranger's lock (`SQLITE_BUSY`)** comes before anything is written.
//! - **Any other error of the disk** leaves a commit of which nobody knows whether it is there. It is not tried again, since after
//!   a failed sync a later sync says nothing about the pages of the first: the store has failed.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::mpsc;

use super::Trouble;
use super::failure::Failure;
use super::job::{Done, WriteJob};
use super::job_queue::{JobQueue, Serving};
use crate::core::clock::Clock;
use crate::core::error::StoreError;
use crate::telemetry::metrics::{Commit, StoreMetrics};

/// The most operations in one commit.
const BATCH_JOBS: usize = 256;
/// The most bytes in one commit, unless one operation alone has more.
const BATCH_BYTES: usize = 4 << 20;
/// Pages in the log at which they are moved to the database. Whoever comes meanwhile waits: seldom, rather than short.
const CHECKPOINT_PAGES: i64 = 3000;
/// As many pages as the log has room for. From 4062 on its index needs more memory, which a full disk could refuse in mid-commit: so a
/// batch that may lead there waits until the log is empty.
const LOG_PAGES: i64 = 4000;
/// So many bytes of a batch are a page in the log, at the worst.
const BYTES_OF_A_PAGE: usize = 1536;

/// Starts the thread. It ends when the queue is shut or dropped, or when the store fails.
pub(super) fn start(
    connection: Connection,
    lock: Arc<File>,
    failure: Arc<Failure>,
    judging: Arc<RwLock<()>>,
    meter: Meter,
) -> Result<JobQueue<Box<dyn WriteJob>>, Trouble> {
    let (queue, jobs, serving) = JobQueue::new();
    let writer = Writer { connection, judging, batch: Vec::new(), held: None, meter, _lock: lock };
    thread::Builder::new().name("sqlite-writer".into()).spawn(move || writer.run(jobs, &failure, serving))?;
    Ok(queue)
}

/// Counts commits, and the time that they take.
pub(super) struct Meter {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: StoreMetrics,
}

/// What became of a commit that the store survived.
#[derive(Clone, Copy)]
enum Fate {
    Committed,
    Full,
    Busy,
}

/// The fields are dropped in this order: the lock goes after the connection.
struct Writer {
    connection: Connection,
    judging: Arc<RwLock<()>>,
    batch: Vec<Box<dyn WriteJob>>,
    /// The first of the next batch, for which there was no room in the last.
    held: Option<Box<dyn WriteJob>>,
    meter: Meter,
    _lock: Arc<File>,
}

impl Writer {
    fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn WriteJob>>, failure: &Failure, serving: Serving) {
        let end = catch_unwind(AssertUnwindSafe(|| self.serve(&mut jobs)));
        let trouble = match end {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("the store can not be written any more: {error}")),
            Err(_) => Some("the store can not be written any more: its writer panicked".into()),
        };
        if let Some(sentence) = trouble {
            // In this order: whoever learns from a lost reply that the write failed finds the store failed.
            failure.declare(sentence);
            // The file is left as it is, for the recovery at the next start to read.
            let left = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            if left.is_err() {
                tracing::error!("SQLite did not take the order to leave the log as it is");
            }
        }
        drop(self);
        drop(jobs);
        drop(serving);
    }

    fn serve(&mut self, jobs: &mut mpsc::Receiver<Box<dyn WriteJob>>) -> rusqlite::Result<()> {
        while let Some(first) = self.held.take().or_else(|| jobs.blocking_recv()) {
            self.gather(first, jobs);
            self.meter.metrics.waiting(jobs.len() + usize::from(self.held.is_some()));
            self.make_room()?;
            self.commit()?;
            self.checkpoint(CHECKPOINT_PAGES)?;
        }
        self.move_log("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// Takes what is waiting, and waits for nothing: a lone job is committed at once.
    fn gather(&mut self, first: Box<dyn WriteJob>, jobs: &mut mpsc::Receiver<Box<dyn WriteJob>>) {
        let mut bytes = first.bytes();
        self.batch.push(first);
        while self.batch.len() < BATCH_JOBS && bytes < BATCH_BYTES {
            let Ok(job) = jobs.try_recv() else { return };
            bytes += job.bytes();
            if bytes > BATCH_BYTES {
                self.held = Some(job);
                return;
            }
            self.batch.push(job);
        }
    }

    /// Commits the batch and answers it.
    fn commit(&mut self) -> rusqlite::Result<()> {
        let began = self.meter.clock.monotonic();
        let judges = self.batch.iter().any(|job| job.judges());
        let gate = Arc::clone(&self.judging);
        let judging = judges.then(|| gate.write().unwrap_or_else(PoisonError::into_inner));
        let before = self.connection.total_changes();
        let done = self.transact();
        // What found nothing to do has committed nothing.
        if done.is_err() || self.connection.total_changes() != before {
            self.count(&done, began);
        }
        let fate = match done {
            Ok(_) => Fate::Committed,
            Err(error) => {
                let Some(fate) = fate(&error) else { return Err(error) };
                tracing::warn!(%error, writes = self.batch.len(), "the store refused writes; nothing was changed");
                self.roll_back()?;
                fate
            }
        };
        drop(judging);
        for job in self.batch.drain(..) {
            job.answer(match fate {
                Fate::Committed => Ok(()),
                Fate::Full => Err(StoreError::Full),
                Fate::Busy => Err(StoreError::Busy),
            });
        }
        Ok(())
    }

    fn count(&self, done: &rusqlite::Result<Duration>, began: Duration) {
        let result = match done.as_ref().map_err(fate) {
            Ok(synced) => {
                self.meter.metrics.synced(*synced);
                Commit::Done
            }
            Err(Some(Fate::Busy)) => Commit::Busy,
            Err(Some(_)) => Commit::Full,
            Err(None) => Commit::Failed,
        };
        let took = self.meter.clock.monotonic().saturating_sub(began);
        self.meter.metrics.committed(result, self.batch.len(), took);
    }

    /// Carries out the batch, and commits it. How long it took to write and sync the log.
    fn transact(&mut self) -> rusqlite::Result<Duration> {
        let Self { connection, batch, meter, .. } = self;
        let jobs = batch.len();
        execute(connection, "BEGIN IMMEDIATE")?;
        for group in batch.chunk_by_mut(|one, next| one.repeats() && next.repeats()) {
            if group.len() == jobs { run_alone(connection, group)? } else { run_among_others(connection, group)? }
        }
        let began = meter.clock.monotonic();
        execute(connection, "COMMIT")?;
        Ok(meter.clock.monotonic().saturating_sub(began))
    }

    fn roll_back(&self) -> rusqlite::Result<()> {
        // Some errors make SQLite roll back by itself.
        if self.connection.is_autocommit() { Ok(()) } else { self.connection.execute_batch("ROLLBACK") }
    }

    /// Moves the log into the database when the batch is large.
    fn make_room(&self) -> rusqlite::Result<()> {
        let pages = self.batch.iter().map(|job| job.bytes()).sum::<usize>() / BYTES_OF_A_PAGE;
        let pages = i64::try_from(pages).unwrap_or(i64::MAX);
        // A small one has room, however long the log is.
        if pages <= LOG_PAGES - CHECKPOINT_PAGES { Ok(()) } else { self.checkpoint(LOG_PAGES.saturating_sub(pages)) }
    }

    /// Moves the log into the database when it has so many pages.
    fn checkpoint(&self, at: i64) -> rusqlite::Result<()> {
        let pages: i64 = self
            .connection
            .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
            .query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))?;
        if pages < at.max(1) { Ok(()) } else { self.move_log("PRAGMA wal_checkpoint(PASSIVE)") }
    }

    /// A full disk only puts it off: the log keeps what was committed.
    fn move_log(&self, checkpoint: &str) -> rusqlite::Result<()> {
        match self.connection.prepare_cached(checkpoint)?.query_row([], |_| Ok(())) {
            Err(error) if fate(&error).is_some() => {
                tracing::warn!(%error, "the store's log could not be moved into the database; it is tried again");
                Ok(())
            }
            done => done,
        }
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// Runs jobs that are all there is in the transaction. They need no savepoint, for which SQLite would copy each page that they change:
/// when one of them is to be undone, which is rare, they begin again.
fn run_alone(connection: &Connection, jobs: &mut [Box<dyn WriteJob>]) -> rusqlite::Result<()> {
    if run(connection, jobs)? {
        return Ok(());
    }
    execute(connection, "ROLLBACK")?;
    execute(connection, "BEGIN IMMEDIATE")?;
    if jobs.len() > 1 { run_each(connection, jobs) } else { Ok(()) }
}

/// Runs jobs beside others in the transaction: one, or several that can be run again.
fn run_among_others(connection: &Connection, jobs: &mut [Box<dyn WriteJob>]) -> rusqlite::Result<()> {
    execute(connection, "SAVEPOINT job")?;
    let are_kept = run(connection, jobs)?;
    if !are_kept {
        execute(connection, "ROLLBACK TO job")?;
    }
    execute(connection, "RELEASE job")?;
    if are_kept || jobs.len() == 1 { Ok(()) } else { run_each(connection, jobs) }
}

/// Runs each of them so that it can be undone alone.
fn run_each(connection: &Connection, jobs: &mut [Box<dyn WriteJob>]) -> rusqlite::Result<()> {
    jobs.chunks_mut(1).try_for_each(|job| run_among_others(connection, job))
}

/// Runs them up to the first that is to be undone. Whether there is none.
fn run(connection: &Connection, jobs: &mut [Box<dyn WriteJob>]) -> rusqlite::Result<bool> {
    for job in jobs {
        if matches!(job.run(connection)?, Done::Undo) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What an error makes of a commit; `None` when nobody knows.
fn fate(error: &rusqlite::Error) -> Option<Fate> {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Some(Fate::Full),
        Some(ErrorCode::DatabaseBusy) => Some(Fate::Busy),
        _ => None,
    }
}
