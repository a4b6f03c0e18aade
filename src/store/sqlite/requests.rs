//! The port of the requests over the two queues: what is prepared before a job is queued, and what the job does.

use std::future::ready;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::Known;
use super::acts::{Changed, Writing};
use super::checksum::Fault;
use super::claims::{self, Turns};
use super::failure::Failure;
use super::job::{Once, ReadJob, Work, Write, WriteJob};
use super::job_queue::JobQueue;
use super::list::{self, Wanted};
use super::purge::Forgotten;
use super::recent::{Generation, Recent};
use super::writes::{NewRow, Rows};
use super::{event_rows, reads};
use crate::core::BoxFuture;
use crate::core::clock::{Clock, Timestamp};
use crate::core::error::StoreError;
use crate::core::ports::requests::{
    Backlog, Claim, Claimed, Filter, NewRequest, Order, Outcome, Position, Purged, Requests, Retention, Submission,
};
use crate::core::request::{Act, Event, Output, Owner, Request, RequestId};

type Answer<T> = Result<T, StoreError>;

/// About how many bytes an act writes besides an output: the state, an event, and pages of indexes.
const ACT_BYTES: usize = 4096;

/// The requests in an SQLite file.
pub(super) struct SqliteRequests {
    writes: JobQueue<Box<dyn WriteJob>>,
    reads: JobQueue<ReadJob>,
    known: Arc<Known>,
    recent: Arc<Recent>,
    turns: Arc<Turns>,
    forgotten: Forgotten,
    failure: Arc<Failure>,
    clock: Arc<dyn Clock>,
}

impl SqliteRequests {
    pub(super) fn new(
        writes: JobQueue<Box<dyn WriteJob>>,
        reads: JobQueue<ReadJob>,
        known: Arc<Known>,
        failure: Arc<Failure>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (recent, turns, forgotten) = (Arc::new(Recent::new()), Arc::default(), Forgotten::default());
        Self { writes, reads, known, recent, turns, forgotten, failure, clock }
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

    pub(super) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known)
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        judges: bool,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<T> {
        self.carry_out(bytes, judges, Once(Some(work))).await
    }

    async fn carry_out<T: Send + 'static>(
        &self,
        bytes: usize,
        judges: bool,
        work: impl Work<T> + 'static,
    ) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let job = Write { bytes, judges, work, outcome: None, reply };
        self.writes.put(Box::new(job)).ok_or_else(|| self.failure.of_a_write())??;
        answer.await.unwrap_or_else(|_| Err(self.failure.of_a_write()))
    }

    /// A write that changes what readers may have in hand, and is judged by the clock.
    async fn judge<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&Writing<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<T> {
        let (known, recent, clock) = (Arc::clone(&self.known), Arc::clone(&self.recent), Arc::clone(&self.clock));
        self.write(bytes, true, move |connection| {
            let _shut = recent.shut();
            let now = clock.now();
            work(&Writing { connection, timelines: &known.timelines, listened: &known.listened, recent: &recent, now })
        })
        .await
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &Known) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<T> {
        if self.failure.reason().is_some() {
            return Err(self.failure.of_a_read());
        }
        let (reply, answer) = oneshot::channel();
        let known = Arc::clone(&self.known);
        let job: ReadJob =
            Box::new(move |connection| drop(reply.send(work(connection, &known).map_err(Fault::of_a_read))));
        self.reads.put(job).ok_or_else(|| self.failure.of_a_read())??;
        answer.await.unwrap_or_else(|_| Err(self.failure.of_a_read()))
    }

    async fn store(&self, rows: Vec<NewRow>, generations: &[Generation]) -> Answer<Vec<Submission>> {
        let bytes = rows.iter().map(NewRow::bytes).sum();
        let stored = self.carry_out(bytes, false, Rows { rows, known: Arc::clone(&self.known) }).await?;
        let committed = stored.into_iter().zip(generations).map(|((submission, learnt), generation)| {
            if let Submission::Accepted(request) = &submission {
                learnt.keep(request, &self.known);
                self.recent.keep(request, *generation);
            }
            submission
        });
        Ok(committed.collect())
    }

    /// A request that is about to be stored.
    fn prepare(&self, new: NewRequest) -> Answer<(NewRow, Generation)> {
        let generation = self.recent.generation(new.request.id);
        Ok((NewRow::prepare(new, &self.known)?, generation))
    }

    fn look(&self, id: RequestId, owner: Option<&Owner>) -> BoxFuture<'_, Answer<Option<Arc<Request>>>> {
        let owner = owner.cloned();
        let theirs = move |request: &Arc<Request>| owner.as_ref().is_none_or(|owner| request.owner == *owner);
        if let Some(request) = self.recent.get(id).filter(|_| self.failure.reason().is_none()) {
            return Box::pin(ready(Ok(Some(request).filter(theirs))));
        }
        let generation = self.recent.generation(id);
        Box::pin(async move {
            let found = self.read(move |connection, known| reads::find(connection, &known.timelines, id)).await?;
            if let Some(request) = &found {
                self.recent.keep(request, generation);
            }
            Ok(found.filter(theirs))
        })
    }

    fn keep(&self, changed: Vec<Changed>) -> Vec<Arc<Request>> {
        let keep = |(request, generation): Changed| {
            self.recent.keep(&request, generation);
            request
        };
        changed.into_iter().map(keep).collect()
    }
}

impl Requests for SqliteRequests {
    fn submit_all(&self, new: Vec<NewRequest>) -> BoxFuture<'_, Answer<Vec<Submission>>> {
        Box::pin(async move {
            let prepared = new.into_iter().map(|new| self.prepare(new)).collect::<Answer<Vec<_>>>()?;
            let (rows, generations): (Vec<_>, Vec<_>) = prepared.into_iter().unzip();
            if rows.is_empty() { Ok(Vec::new()) } else { self.store(rows, &generations).await }
        })
    }

    fn submit(&self, new: NewRequest) -> BoxFuture<'_, Answer<Submission>> {
        Box::pin(async move {
            let (row, generation) = self.prepare(new)?;
            let stored = self.store(vec![row], &[generation]).await?;
            stored.into_iter().next().ok_or_else(|| self.failure.of_a_write())
        })
    }

    fn find<'a>(&'a self, owner: &'a Owner, id: RequestId) -> BoxFuture<'a, Answer<Option<Arc<Request>>>> {
        self.look(id, Some(owner))
    }

    fn find_any(&self, id: RequestId) -> BoxFuture<'_, Answer<Option<Arc<Request>>>> {
        self.look(id, None)
    }

    fn find_by_alias<'a>(&'a self, owner: &'a Owner, alias: &'a str) -> BoxFuture<'a, Answer<Option<Arc<Request>>>> {
        let (owner, alias) = (owner.clone(), alias.to_owned());
        Box::pin(self.read(move |connection, known| reads::find_by_alias(connection, &known.timelines, &owner, &alias)))
    }

    fn list<'a>(
        &'a self,
        owner: Option<&'a Owner>,
        filter: &'a Filter,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> BoxFuture<'a, Answer<Vec<Arc<Request>>>> {
        let wanted = Wanted { owner: owner.cloned(), filter: filter.clone(), after, limit, now };
        Box::pin(self.read(move |connection, known| list::list(connection, &known.timelines, &wanted)))
    }

    fn count_open<'a>(&'a self, owner: &'a Owner, most: u64, now: Timestamp) -> BoxFuture<'a, Answer<u64>> {
        let owner = owner.clone();
        Box::pin(self.read(move |connection, known| list::count_open(connection, &known.timelines, &owner, most, now)))
    }

    fn act_all(&self, orders: Vec<Order>) -> BoxFuture<'_, Answer<Vec<Option<Outcome>>>> {
        let output = |order: &Order| match &order.act {
            Act::Complete { output, .. } => output.body.len(),
            _ => 0,
        };
        let bytes = orders.iter().map(|order| ACT_BYTES + output(order)).sum();
        Box::pin(async move {
            let carry_out = move |writing: &Writing<'_>| {
                orders.iter().map(|order| writing.carry_out(order)).collect::<Result<Vec<_>, Fault>>()
            };
            let outcomes = self.judge(bytes, carry_out).await?;
            let keep = |(outcome, generation): (Outcome, Generation)| {
                self.recent.keep(&outcome.request, generation);
                outcome
            };
            Ok(outcomes.into_iter().map(|outcome| outcome.map(keep)).collect())
        })
    }

    fn claim(&self, claim: Claim) -> BoxFuture<'_, Answer<Claimed>> {
        let turns = Arc::clone(&self.turns);
        Box::pin(async move {
            let bytes = claim.most.saturating_mul(ACT_BYTES);
            let (claimed, changed) = self.judge(bytes, move |writing| writing.claim(&claim, &turns)).await?;
            self.keep(changed);
            Ok(claimed)
        })
    }

    fn payload(&self, id: RequestId) -> BoxFuture<'_, Answer<Option<String>>> {
        Box::pin(self.read(move |connection, _| reads::payload(connection, id)))
    }

    fn output(&self, id: RequestId) -> BoxFuture<'_, Answer<Option<Output>>> {
        Box::pin(self.read(move |connection, _| reads::output(connection, id)))
    }

    fn events(&self, id: RequestId) -> BoxFuture<'_, Answer<Vec<Event>>> {
        Box::pin(self.read(move |connection, _| event_rows::of(connection, id)))
    }

    fn settle(&self, most: usize) -> BoxFuture<'_, Answer<(Vec<Arc<Request>>, Option<Timestamp>)>> {
        Box::pin(async move {
            let bytes = most.saturating_mul(ACT_BYTES);
            let (settled, next) = self.judge(bytes, move |writing| writing.settle(most)).await?;
            Ok((self.keep(settled), next))
        })
    }

    fn purge(&self, retention: Retention, most: usize) -> BoxFuture<'_, Answer<Purged>> {
        Box::pin(async move {
            let up_to = self.forgotten.up_to();
            let (purged, forgotten) = self.judge(0, move |writing| writing.purge(retention, most, up_to)).await?;
            self.forgotten.learn(forgotten);
            Ok(purged)
        })
    }

    fn backlogs(&self) -> BoxFuture<'_, Answer<Vec<Backlog>>> {
        let now = self.clock.now();
        Box::pin(self.read(move |connection, _| Ok(claims::backlogs(connection, now)?)))
    }
}
