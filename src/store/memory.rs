//! The store that forgets: requests in memory, for trials and tests.

use std::collections::{BTreeSet, HashMap};
use std::future::{pending, ready};
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::BoxFuture;
use crate::core::clock::{Clock, Timestamp};
use crate::core::error::{Misconfiguration, StoreError};
use crate::core::ports::Store;
use crate::core::ports::requests::{Cancellation, Filter, NewRequest, Position, Requests, Submission};
use crate::core::request::{Owner, Request, RequestId, view};
use crate::telemetry::metrics::StoreMetrics;

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
    Ok(Arc::new(Memory(Arc::new(Kept { clock, state: Mutex::default() }))))
}

struct Memory(Arc<Kept>);

impl Store for Memory {
    fn requests(&self) -> Arc<dyn Requests> {
        Arc::clone(&self.0) as Arc<dyn Requests>
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
}

#[derive(Default)]
struct State {
    requests: HashMap<RequestId, Arc<Request>>,
    tenants: HashMap<Owner, Tenant>,
}

/// What one owner has. No operation looks into another's.
#[derive(Default)]
struct Tenant {
    by_time: BTreeSet<(Timestamp, RequestId)>,
    aliases: HashMap<String, RequestId>,
    keys: HashMap<(&'static str, String), ([u8; 32], RequestId)>,
}

impl Kept {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that could panic happens between two changes of one operation: what a panic leaves is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn submit(&mut self, new: NewRequest) -> Result<Submission, StoreError> {
        let NewRequest { request, idempotency, payload: _ } = new;
        let tenant = self.tenants.entry(request.owner.clone()).or_default();
        let stored = |id: &RequestId| self.requests.get(id).cloned();
        let key = idempotency.map(|sent| ((sent.route, sent.key), sent.fingerprint));
        if let Some((fingerprint, id)) = key.as_ref().and_then(|(key, _)| tenant.keys.get(key)) {
            let same = key.as_ref().is_some_and(|(_, sent)| sent == fingerprint);
            return Ok(stored(id).filter(|_| same).map_or(Submission::KeyReused, Submission::Replayed));
        }
        if let Some(earlier) = request.alias.as_ref().and_then(|alias| tenant.aliases.get(alias)).and_then(stored) {
            return Ok(Submission::Replayed(earlier));
        }
        if self.requests.contains_key(&request.id) {
            return Err(StoreError::Failed(format!("the id {} is taken", request.id).into()));
        }
        let request = Arc::new(request);
        if let Some((key, fingerprint)) = key {
            tenant.keys.insert(key, (fingerprint, request.id));
        }
        if let Some(alias) = &request.alias {
            tenant.aliases.insert(alias.clone(), request.id);
        }
        tenant.by_time.insert((request.submitted_at, request.id));
        self.requests.insert(request.id, Arc::clone(&request));
        Ok(Submission::Accepted(request))
    }

    fn find(&self, owner: &Owner, id: RequestId) -> Option<Arc<Request>> {
        self.requests.get(&id).filter(|request| request.owner == *owner).cloned()
    }

    fn find_by_alias(&self, owner: &Owner, alias: &str) -> Option<Arc<Request>> {
        self.requests.get(self.tenants.get(owner)?.aliases.get(alias)?).cloned()
    }

    fn list(
        &self,
        owner: &Owner,
        filter: &Filter,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> Vec<Arc<Request>> {
        let Some(tenant) = self.tenants.get(owner) else { return Vec::new() };
        let keyed = filter.idempotency_key.as_ref().map(|key| tenant.keys.get(key).map(|(_, id)| *id));
        let fits = |request: &&Arc<Request>| {
            keyed.is_none_or(|id| id == Some(request.id))
                && filter.kind.as_ref().is_none_or(|kind| *kind == request.kind)
                && filter.status.is_none_or(|status| view(request, now).status == status)
        };
        let end = after.map_or(Bound::Unbounded, |after| Bound::Excluded((after.submitted_at, after.id)));
        let newest_first = tenant.by_time.range((Bound::Unbounded, end)).rev();
        newest_first.filter_map(|(_, id)| self.requests.get(id)).filter(fits).take(limit).cloned().collect()
    }

    fn cancel(&mut self, owner: &Owner, id: RequestId, now: Timestamp) -> Option<Cancellation> {
        let request = self.find(owner, id)?;
        let Some(cancelled) = request.cancelled(now).map(Arc::new) else {
            return Some(Cancellation::TooLate(request));
        };
        self.requests.insert(id, Arc::clone(&cancelled));
        Some(Cancellation::Cancelled(cancelled))
    }
}

impl Requests for Kept {
    fn submit(&self, new: NewRequest) -> BoxFuture<'_, Result<Submission, StoreError>> {
        Box::pin(async move { self.state().submit(new) })
    }

    fn find<'a>(&'a self, owner: &'a Owner, id: RequestId) -> BoxFuture<'a, Result<Option<Arc<Request>>, StoreError>> {
        Box::pin(async move { Ok(self.state().find(owner, id)) })
    }

    fn find_by_alias<'a>(
        &'a self,
        owner: &'a Owner,
        alias: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<Request>>, StoreError>> {
        Box::pin(async move { Ok(self.state().find_by_alias(owner, alias)) })
    }

    fn list<'a>(
        &'a self,
        owner: &'a Owner,
        filter: &'a Filter,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Arc<Request>>, StoreError>> {
        Box::pin(async move { Ok(self.state().list(owner, filter, after, limit, now)) })
    }

    fn cancel<'a>(
        &'a self,
        owner: &'a Owner,
        id: RequestId,
    ) -> BoxFuture<'a, Result<Option<Cancellation>, StoreError>> {
        Box::pin(async move {
            // The clock is asked with the lock held: no reader comes between the judgement and the change.
            let mut state = self.state();
            let now = self.clock.now();
            Ok(state.cancel(owner, id, now))
        })
    }
}
