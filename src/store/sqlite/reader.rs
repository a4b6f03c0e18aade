//! The threads that read, each on a connection of its own.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::job::ReadJob;
use super::job_queue::{JobQueue, Serving};
use super::{Trouble, connection};

/// One for each of two cores: a read takes microseconds.
const THREADS: usize = 2;

/// Starts the threads. They end when the queue is shut or dropped.
pub(super) fn start(path: &Path, lock: &Arc<File>, judging: &Arc<RwLock<()>>) -> Result<JobQueue<ReadJob>, Trouble> {
    let (queue, jobs, serving) = JobQueue::new();
    let jobs = Arc::new(Mutex::new(jobs));
    for number in 1..=THREADS {
        let reader = Reader {
            connection: connection::open_to_read(path)?,
            jobs: Arc::clone(&jobs),
            judging: Arc::clone(judging),
            _lock: Arc::clone(lock),
            _serving: serving.clone(),
        };
        thread::Builder::new().name(format!("sqlite-reader-{number}")).spawn(move || reader.run())?;
    }
    Ok(queue)
}

/// The fields are dropped in this order: the lock goes after the connection, and the word that the thread has ended comes last.
struct Reader {
    connection: Connection,
    jobs: Arc<Mutex<mpsc::Receiver<ReadJob>>>,
    judging: Arc<RwLock<()>>,
    _lock: Arc<File>,
    _serving: Serving,
}

impl Reader {
    fn run(self) {
        while let Some(job) = self.next() {
            // A job that panics drops its caller's reply, which tells the caller; the snapshot ends in any case.
            let done = catch_unwind(AssertUnwindSafe(|| self.read(job)));
            if done.is_err() {
                tracing::error!("a read of the store panicked");
            }
            if !self.connection.is_autocommit() && self.connection.execute_batch("ROLLBACK").is_err() {
                tracing::error!("a read of the store did not end its transaction");
            }
        }
    }

    fn next(&self) -> Option<ReadJob> {
        // Whoever has the lock waits for a job, the others wait for the lock.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
    }

    fn read(&self, job: ReadJob) {
        if let Err(error) = self.begin() {
            // The job meets the same error, or finds that it is gone, and tells its caller.
            tracing::warn!(%error, "a read of the store did not get its snapshot");
        }
        job(&self.connection);
    }

    /// Takes the snapshot that the whole job sees. Not while the writer is judging a cancellation: a snapshot from between the
    /// judgement and the commit would show a request that runs on, for as long as the commit takes, past the end that the
    /// cancellation has just undone.
    fn begin(&self) -> rusqlite::Result<()> {
        let _judged = self.judging.read().unwrap_or_else(PoisonError::into_inner);
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        self.connection.prepare_cached("SELECT count(*) FROM timelines WHERE timeline = 0")?.query_row([], |_| Ok(()))
    }
}
