//! The store that forgets: requests in memory, for trials and tests, and the reference that the other stores are compared with.

use std::future::{pending, ready};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::BoxFuture;
use crate::core::clock::{Clock, Timestamp};
use crate::core::error::{Misconfiguration, StoreError};
use crate::core::ports::records::Records;
use crate::core::ports::requests::{
    Backlog, Claim, Claimed, Filter, NewRequest, Order, Outcome, Position, Purged, Requests, Retention, Submission,
};
use crate::core::ports::webhooks::Webhooks;
use crate::core::ports::{Store, StoreDescription};
use crate::core::request::{Event, Output, Owner, Request, RequestId};
use crate::telemetry::metrics::StoreMetrics;

mod leases;
mod records;
mod retention;
mod state;
mod webhooks;
mod webhooks_port;

use records::AllRecords;
use state::State;

/// Opens an empty store. There is no place to name, and nothing is committed that could be counted.
pub(super) fn open(
    place: &str,
    _data_dir: &Path,
    clock: Arc<dyn Clock>,
    _metrics: StoreMetrics,
) -> Result<Arc<dyn Store>, Misconfiguration> {
    if !place.is_empty() {
        return Err(super::mistake("the store in memory has no place", "Write it as \"memory:\""));
    }
    Ok(Arc::new(Memory(Arc::new(Kept { clock, state: Mutex::default(), records: Mutex::default() }))))
}

/// Nothing is kept that could be damaged.
#[expect(clippy::unnecessary_wraps, reason = "the stores that have a place have mistakes")]
pub(super) fn check(_place: &str, _data_dir: &Path) -> Result<Vec<String>, Misconfiguration> {
    Ok(Vec::new())
}

struct Memory(Arc<Kept>);

impl Store for Memory {
    fn requests(&self) -> Arc<dyn Requests> {
        Arc::clone(&self.0) as Arc<dyn Requests>
    }

    fn webhooks(&self) -> Arc<dyn Webhooks> {
        Arc::clone(&self.0) as Arc<dyn Webhooks>
    }

    fn records(&self) -> Arc<dyn Records> {
        Arc::clone(&self.0) as Arc<dyn Records>
    }

    fn describe(&self) -> StoreDescription {
        StoreDescription { scheme: "memory", durability: "none: forgotten when the process ends" }
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn failure(&self) -> BoxFuture<'static, String> {
        Box::pin(pending())
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }
}

struct Kept {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    records: Mutex<AllRecords>,
}

impl Kept {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that could panic happens between two changes of one operation: what a panic leaves is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges by the clock with the lock held: no reader comes between the judgement and the change.
    fn judged<'a, T: Send + 'a>(
        &'a self,
        judge: impl FnOnce(&mut State, Timestamp) -> T + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move {
            let mut state = self.state();
            let now = self.clock.now();
            Ok(judge(&mut state, now))
        })
    }
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl Requests for Kept {
    fn submit_all(&self, new: Vec<NewRequest>) -> Answer<'_, Vec<Submission>> {
        Box::pin(async move { self.state().submit_all(new) })
    }

    fn submit(&self, new: NewRequest) -> Answer<'_, Submission> {
        Box::pin(async move { self.state().submit(new) })
    }

    fn find<'a>(&'a self, owner: &'a Owner, id: RequestId) -> Answer<'a, Option<Arc<Request>>> {
        Box::pin(async move { Ok(self.state().find(Some(owner), id)) })
    }

    fn find_any(&self, id: RequestId) -> Answer<'_, Option<Arc<Request>>> {
        Box::pin(async move { Ok(self.state().find(None, id)) })
    }

    fn find_by_alias<'a>(&'a self, owner: &'a Owner, alias: &'a str) -> Answer<'a, Option<Arc<Request>>> {
        Box::pin(async move { Ok(self.state().find_by_alias(owner, alias)) })
    }

    fn list<'a>(
        &'a self,
        owner: Option<&'a Owner>,
        filter: &'a Filter,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, Vec<Arc<Request>>> {
        Box::pin(async move { Ok(self.state().list(owner, filter, after, limit, now)) })
    }

    fn count_open<'a>(&'a self, owner: &'a Owner, most: u64, now: Timestamp) -> Answer<'a, u64> {
        Box::pin(async move { Ok(self.state().count_open(owner, now).min(most)) })
    }

    fn act_all(&self, orders: Vec<Order>) -> Answer<'_, Vec<Option<Outcome>>> {
        self.judged(move |state, now| orders.iter().map(|order| state.act(order, now)).collect())
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed> {
        self.judged(move |state, now| state.claim(&claim, now))
    }

    fn payload(&self, id: RequestId) -> Answer<'_, Option<String>> {
        Box::pin(async move { Ok(self.state().payload(id)) })
    }

    fn output(&self, id: RequestId) -> Answer<'_, Option<Output>> {
        Box::pin(async move { Ok(self.state().output(id)) })
    }

    fn events(&self, id: RequestId) -> Answer<'_, Vec<Event>> {
        Box::pin(async move { Ok(self.state().events(id)) })
    }

    fn settle(&self, most: usize) -> Answer<'_, (Vec<Arc<Request>>, Option<Timestamp>)> {
        self.judged(move |state, now| state.settle(most, now))
    }

    fn purge(&self, retention: Retention, most: usize) -> Answer<'_, Purged> {
        self.judged(move |state, now| state.purge(retention, most, now))
    }

    fn backlogs(&self) -> Answer<'_, Vec<Backlog>> {
        self.judged(|state, now| state.backlogs(now))
    }
}
