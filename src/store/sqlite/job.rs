//! What is asked of the threads: closures over a connection, with a caller who waits for what they give.

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::checksum::Fault;
use crate::core::error::StoreError;

/// A read. It answers its caller itself.
pub(super) type ReadJob = Box<dyn FnOnce(&Connection) + Send>;

/// A write, as the writer sees it.
pub(super) trait WriteJob: Send {
    /// About how many bytes it writes.
    fn bytes(&self) -> usize;
    /// Whether it asks the clock, so that no reader may look between that moment and the commit.
    fn judges(&self) -> bool;
    /// Whether it can be run again when what it did was undone: then it needs no savepoint of its own beside others of the kind.
    fn repeats(&self) -> bool;
    /// Does it.
    ///
    /// # Errors
    /// What concerns the whole commit: the file or the disk.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<Done>;
    /// Tells the caller: the outcome when it was committed, else why it was not.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What to do with a job's changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Done {
    /// They belong to the commit.
    Keep,
    /// They are to be undone, and the job knows why.
    Undo,
}

/// What a write does, with a `T` as its outcome.
pub(super) trait Work<T>: Send {
    /// See [`WriteJob::repeats`].
    const REPEATS: bool;
    /// Does it; `None` when it was done before and can not be again.
    fn carry_out(&mut self, connection: &Connection) -> Option<Result<T, Fault>>;
}

/// Work that is done once.
pub(super) struct Once<F>(pub(super) Option<F>);

impl<T, F: FnOnce(&Connection) -> Result<T, Fault> + Send> Work<T> for Once<F> {
    const REPEATS: bool = false;

    fn carry_out(&mut self, connection: &Connection) -> Option<Result<T, Fault>> {
        self.0.take().map(|work| work(connection))
    }
}

/// A write of which the answer is a `T`.
pub(super) struct Write<T, W> {
    /// About how many bytes it writes.
    pub(super) bytes: usize,
    /// See [`WriteJob::judges`].
    pub(super) judges: bool,
    /// What to do.
    pub(super) work: W,
    /// What it gave.
    pub(super) outcome: Option<Result<T, Fault>>,
    /// Who waits for it. A lost reply tells the caller that the store has failed.
    pub(super) reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> WriteJob for Write<T, W>
where
    T: Send,
    W: Work<T>,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn judges(&self) -> bool {
        self.judges
    }

    fn repeats(&self) -> bool {
        W::REPEATS
    }

    fn run(&mut self, connection: &Connection) -> rusqlite::Result<Done> {
        let outcome = match self.work.carry_out(connection) {
            None => return Ok(Done::Undo),
            Some(Err(Fault::Sqlite(error))) if !is_of_the_job(&error) => return Err(error),
            Some(outcome) => self.outcome.insert(outcome),
        };
        Ok(if outcome.is_ok() { Done::Keep } else { Done::Undo })
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome.map_err(Fault::of_a_write),
            (Err(error), _) => Err(error),
            (Ok(()), None) => return,
        };
        // A caller who has gone does not want to know.
        drop(self.reply.send(answer));
    }
}

/// Whether the error lies in what the job asked for, and not in the file or the disk.
fn is_of_the_job(error: &rusqlite::Error) -> bool {
    use ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    matches!(error.sqlite_error_code(), None | Some(ConstraintViolation | TooBig | TypeMismatch))
}
