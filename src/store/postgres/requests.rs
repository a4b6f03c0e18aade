//! The port of the requests, carried out on the store's thread.

use std::sync::Arc;

use super::group::Group;
use super::shared::{LONG_PATIENCE, PATIENCE, Shared};
use super::submit::{Prepared, find_by_alias};
use super::thread::Thread;
use super::{acts, leases, reads, retention};
use crate::core::BoxFuture;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::ports::requests::{
    Backlog, Claim, Claimed, Filter, NewRequest, Order, Outcome, Position, Purged, Requests, Retention, Settled,
    Submission,
};
use crate::core::request::{Event, Output, Owner, Request, RequestId};

/// The requests in a database.
pub(super) struct PostgresRequests {
    pub(super) shared: Arc<Shared>,
    pub(super) group: Arc<Group>,
    pub(super) thread: Arc<Thread>,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Carries out `operation`, whose first argument is what the parts of the store share, within so long: `run` what changes something,
/// `read` what does not.
macro_rules! operate {
    ($how:ident, $self:ident, $patience:expr, |$shared:ident| $operation:expr) => {{
        let $shared = Arc::clone(&$self.shared);
        $self.thread.$how(async move { $shared.bounded($patience, $operation).await })
    }};
}

impl Requests for PostgresRequests {
    fn submit_all(&self, new: Vec<NewRequest>) -> Answer<'_, Vec<Submission>> {
        if new.is_empty() {
            return Box::pin(async { Ok(Vec::new()) });
        }
        let prepared: Vec<_> = new.into_iter().map(Prepared::from).collect();
        let group = Arc::clone(&self.group);
        operate!(run, self, PATIENCE, |shared| group.submit(prepared))
    }

    fn submit(&self, new: NewRequest) -> Answer<'_, Submission> {
        let submitted = self.submit_all(vec![new]);
        Box::pin(async move {
            let outcome = submitted.await?.pop();
            outcome.ok_or_else(|| StoreError::Failed("a submission has no outcome".into()))
        })
    }

    fn find<'a>(&'a self, owner: &'a Owner, id: RequestId) -> Answer<'a, Option<Arc<Request>>> {
        let owner = owner.clone();
        operate!(read, self, PATIENCE, |shared| reads::find(&shared, Some(&owner), id))
    }

    fn find_any(&self, id: RequestId) -> Answer<'_, Option<Arc<Request>>> {
        operate!(read, self, PATIENCE, |shared| reads::find(&shared, None, id))
    }

    fn find_by_alias<'a>(&'a self, owner: &'a Owner, alias: &'a str) -> Answer<'a, Option<Arc<Request>>> {
        let (owner, alias) = (owner.clone(), alias.to_owned());
        operate!(read, self, PATIENCE, |shared| async {
            let client = shared.session().await?;
            find_by_alias(&shared, &client, &owner, &alias).await
        })
    }

    fn list<'a>(
        &'a self,
        owner: Option<&'a Owner>,
        filter: &'a Filter,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, Vec<Arc<Request>>> {
        let (owner, filter) = (owner.cloned(), filter.clone());
        operate!(read, self, PATIENCE, |shared| reads::list(&shared, owner.as_ref(), &filter, after, limit, now))
    }

    fn count_open<'a>(&'a self, owner: &'a Owner, most: u64, now: Timestamp) -> Answer<'a, u64> {
        let owner = owner.clone();
        operate!(read, self, PATIENCE, |shared| reads::count_open(&shared, &owner, most, now))
    }

    fn act_all(&self, orders: Vec<Order>) -> Answer<'_, Vec<Option<Outcome>>> {
        operate!(run, self, PATIENCE, |shared| acts::act_all(&shared, &orders))
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Claimed> {
        operate!(run, self, PATIENCE, |shared| leases::claim(&shared, &claim))
    }

    fn payload(&self, id: RequestId) -> Answer<'_, Option<String>> {
        operate!(read, self, PATIENCE, |shared| reads::payload(&shared, id))
    }

    fn output(&self, id: RequestId) -> Answer<'_, Option<Output>> {
        operate!(read, self, PATIENCE, |shared| reads::output(&shared, id))
    }

    fn events(&self, id: RequestId) -> Answer<'_, Vec<Event>> {
        operate!(read, self, PATIENCE, |shared| reads::events(&shared, id))
    }

    fn settle(&self, most: usize) -> Answer<'_, Settled> {
        operate!(run, self, PATIENCE, |shared| leases::settle(&shared, most))
    }

    fn purge(&self, retention: Retention, most: usize) -> Answer<'_, Purged> {
        operate!(run, self, LONG_PATIENCE, |shared| retention::purge(&shared, retention, most))
    }

    fn backlogs(&self) -> Answer<'_, Vec<Backlog>> {
        operate!(read, self, PATIENCE, |shared| leases::backlogs(&shared))
    }
}
