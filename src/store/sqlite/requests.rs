//! The port of the requests over the two queues: what is prepared before a job is queued, and what the job does.

use std::future::ready;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::failure::Failure;
use super::job::{ReadJob, Write, WriteJob};
use super::job_queue::JobQueue;
use super::recent::Recent;
use super::rows::{Fault, Timelines};
use super::{reads, writes};
use crate::core::BoxFuture;
use crate::core::clock::{Clock, Timestamp};
use crate::core::error::StoreError;
use crate::core::ports::requests::{Cancellation, Filter, NewRequest, Position, Requests, Submission};
use crate::core::request::{Owner, Request, RequestId};

type Answer<T> = Result<T, StoreError>;

/// The requests in an SQLite file.
pub(super) struct SqliteRequests {
    writes: JobQueue<Box<dyn WriteJob>>,
    reads: JobQueue<ReadJob>,
    timelines: Arc<Timelines>,
    recent: Arc<Recent>,
    failure: Arc<Failure>,
    clock: Arc<dyn Clock>,
}

impl SqliteRequests {
    pub(super) fn new(
        writes: JobQueue<Box<dyn WriteJob>>,
        reads: JobQueue<ReadJob>,
        timelines: Arc<Timelines>,
        failure: Arc<Failure>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { writes, reads, timelines, recent: Arc::new(Recent::new()), failure, clock }
    }

    pub(super) fn is_open(&self) -> bool {
        self.writes.is_open()
    }

    /// Ends the readers, then the writer: the last connection to close moves the log into the database.
    pub(super) fn close(&self) -> BoxFuture<'static, ()> {
        let (reads, writes) = (self.reads.shut(), self.writes.shut());
        Box::pin(async move {
            reads.end().await;
            writes.end().await;
        })
    }

    async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        judges: bool,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let job = Write { bytes, judges, work: Some(work), outcome: None, reply };
        self.writes.put(Box::new(job)).ok_or_else(|| self.failure.error())??;
        answer.await.unwrap_or_else(|_| Err(self.failure.error()))
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &Timelines) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<T> {
        if self.failure.reason().is_some() {
            return Err(self.failure.error());
        }
        let (reply, answer) = oneshot::channel();
        let timelines = Arc::clone(&self.timelines);
        let job: ReadJob =
            Box::new(move |connection| drop(reply.send(work(connection, &timelines).map_err(StoreError::from))));
        self.reads.put(job).ok_or_else(|| self.failure.error())??;
        answer.await.unwrap_or_else(|_| Err(self.failure.error()))
    }
}

impl Requests for SqliteRequests {
    fn submit(&self, new: NewRequest) -> BoxFuture<'_, Answer<Submission>> {
        Box::pin(async move {
            let row = writes::NewRow::prepare(new)?;
            let timelines = Arc::clone(&self.timelines);
            let generation = self.recent.generation();
            let submission =
                self.write(row.bytes(), false, move |connection| row.store(connection, &timelines)).await?;
            if let Submission::Accepted(request) = &submission {
                self.recent.keep(request, generation);
            }
            Ok(submission)
        })
    }

    fn find<'a>(&'a self, owner: &'a Owner, id: RequestId) -> BoxFuture<'a, Answer<Option<Arc<Request>>>> {
        if let Some(request) = self.recent.get(id).filter(|_| self.failure.reason().is_none()) {
            let is_theirs = request.owner == *owner;
            return Box::pin(ready(Ok(is_theirs.then_some(request))));
        }
        let (owner, generation) = (owner.clone(), self.recent.generation());
        Box::pin(async move {
            let found = self.read(move |connection, timelines| reads::find(connection, timelines, &owner, id)).await?;
            if let Some(request) = &found {
                self.recent.keep(request, generation);
            }
            Ok(found)
        })
    }

    fn find_by_alias<'a>(&'a self, owner: &'a Owner, alias: &'a str) -> BoxFuture<'a, Answer<Option<Arc<Request>>>> {
        let (owner, alias) = (owner.clone(), alias.to_owned());
        Box::pin(self.read(move |connection, timelines| reads::find_by_alias(connection, timelines, &owner, &alias)))
    }

    fn list<'a>(
        &'a self,
        owner: &'a Owner,
        filter: &'a Filter,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> BoxFuture<'a, Answer<Vec<Arc<Request>>>> {
        let (owner, filter) = (owner.clone(), filter.clone());
        Box::pin(
            self.read(move |connection, timelines| {
                reads::list(connection, timelines, &owner, &filter, after, limit, now)
            }),
        )
    }

    fn cancel<'a>(&'a self, owner: &'a Owner, id: RequestId) -> BoxFuture<'a, Answer<Option<Cancellation>>> {
        let owner = owner.clone();
        let (timelines, clock) = (Arc::clone(&self.timelines), Arc::clone(&self.clock));
        let recent = Arc::clone(&self.recent);
        Box::pin(self.write(0, true, move |connection| {
            recent.withdraw(id);
            writes::cancel(connection, &timelines, &owner, id, &*clock)
        }))
    }
}
