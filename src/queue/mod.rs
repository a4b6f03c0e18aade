//! The queue: takes requests in, tells how they get on, cancels them; each act on proof that the caller may.

use std::sync::Arc;
use std::time::Duration;

use crate::core::clock::{Clock, Timestamp};
use crate::core::entropy::Entropy;
use crate::core::error::Error;
use crate::core::policy::{Permit, ReadRequests, WriteRequests};
use crate::core::ports::requests::{Filter, Order, Outcome, Position, Requests, Retention, Target};
use crate::core::request::{Act, By, Output, Owner, Request, RequestId, Status, Version};
use crate::telemetry::metrics::LeaseMetrics;

mod backlog;
mod batch;
mod dead_letters;
mod durations;
mod following;
mod inspect;
mod keeper;
pub mod leases;
mod line;
mod opening;
pub mod partner;
pub mod payload;
pub mod quotas;
pub mod retention;
mod room;
mod schedule;
mod schema;
mod snapshot;
mod submit;
mod tags;
mod to_its_end;
pub mod types;
mod waiting;
mod watch;
pub mod work;

use backlog::Backlogs;
use durations::Durations;
pub use following::{Following, News};
pub use line::{Line, Place};
use quotas::Quotas;
use retention::RetentionSettings;
pub use snapshot::{Seen, Snapshot};
pub use submit::{Draft, SUBMISSIONS, Submitted};
use to_its_end::to_its_end;
use types::Types;
pub use watch::Watch;

/// The request service.
pub struct Queue {
    requests: Arc<dyn Requests>,
    types: Types,
    watch: Watch,
    backlogs: Backlogs,
    durations: Durations,
    retention: Retention,
    quotas: Option<Arc<Quotas>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    leases: LeaseMetrics,
}

/// What the owner of a tombstone is told.
const ERASED: Error = Error::Gone("You have erased this request.");

impl Queue {
    /// A queue over a store of requests, for the given types.
    pub fn new(
        requests: Arc<dyn Requests>,
        types: Types,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        leases: LeaseMetrics,
    ) -> Self {
        let (watch, durations) = (Watch::new(Arc::clone(&clock)), Durations::default());
        let (backlogs, retention) = (Backlogs::default(), RetentionSettings::default().retention());
        Self { requests, types, watch, backlogs, durations, retention, quotas: None, clock, entropy, leases }
    }

    /// The same queue, which keeps requests for as long as this says.
    #[must_use]
    pub fn retaining(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// The types that may be submitted.
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// How long requests and what belongs to them are kept.
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// Where those wait who want to know when something changes.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The caller's request of that id.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or it is another's; [`Error::InsufficientScope`] when the permit does not open its type;
    /// [`Error::Gone`] when it is erased; the store.
    pub async fn get(&self, permit: &Permit<ReadRequests>, id: RequestId) -> Result<Snapshot, Error> {
        self.find(permit, id).await.map(Seen::look)
    }

    /// The caller's request of that id, for who may know already how it looks.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub async fn find(&self, permit: &Permit<ReadRequests>, id: RequestId) -> Result<Seen, Error> {
        let now = self.clock.now();
        let request = self.requests.find(&permit.caller().owner, id).await?.ok_or(Error::NotFound)?;
        self.types.open(permit, &request.kind)?;
        Ok(Seen { request: self.present(request).await?, now })
    }

    /// The same, of what is at hand without asking anybody; none where there is more to it.
    pub fn find_at_hand(&self, permit: &Permit<ReadRequests>, id: RequestId, now: Timestamp) -> Option<Seen> {
        let request = self.requests.at_hand(&permit.caller().owner, id)?;
        self.types.open(permit, &request.kind).ok()?;
        let is_settled = request.erased_at.is_none() && !is_unsettled(&request, now);
        is_settled.then_some(Seen { request, now })
    }

    /// The owner's request of that id, which the caller has seen. The time is taken before the row is read: a view never shows an end
    /// that a cancellation then undoes.
    async fn look(&self, owner: &Owner, id: RequestId) -> Result<Snapshot, Error> {
        let now = self.clock.now();
        let request = self.requests.find(owner, id).await?.ok_or(Error::NotFound)?;
        Ok(Snapshot::of(self.present(request).await?, now))
    }

    /// A request as it may be shown: one that is erased is gone, and an end that time has brought about is written down first, so that
    /// nothing can undo it.
    async fn present(&self, request: Arc<Request>) -> Result<Arc<Request>, Error> {
        if request.erased_at.is_some() {
            return Err(ERASED);
        }
        if !is_unsettled(&request, self.clock.now()) {
            return Ok(request);
        }
        let target = Target { owner: None, id: request.id };
        Ok(self.act(Order { target, act: Act::Settle, by: By::default() }).await?.request)
    }

    /// Carries out one act, and wakes who waits for the request to change.
    async fn act(&self, order: Order) -> Result<Outcome, Error> {
        let target = order.target.clone();
        let (requests, watch) = (Arc::clone(&self.requests), self.watch.clone());
        let outcome = to_its_end(async move {
            let outcome = requests.act_all(vec![order]).await?.into_iter().next().flatten();
            if let Some(outcome) = &outcome {
                watch.changed(&outcome.request);
            }
            Ok(outcome)
        });
        match (outcome.await?, target.owner) {
            (Some(outcome), _) => Ok(outcome),
            // Its owner is told what became of it.
            (None, Some(owner)) => match self.requests.find(&owner, target.id).await? {
                Some(_) => Err(ERASED),
                None => Err(Error::NotFound),
            },
            (None, None) => Err(Error::NotFound),
        }
    }

    /// The caller's request that the partner prototype's door named `alias`.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub async fn get_partner(&self, permit: &Permit<ReadRequests>, alias: &str) -> Result<Snapshot, Error> {
        let now = self.clock.now();
        let request = self.requests.find_by_alias(&permit.caller().owner, alias).await?.ok_or(Error::NotFound)?;
        self.types.open(permit, &request.kind)?;
        Ok(Snapshot::of(self.present(request).await?, now))
    }

    /// The caller's requests, newest first; those of types that the permit does not open are not among them.
    ///
    /// # Errors
    /// The store.
    pub async fn list(
        &self,
        permit: &Permit<ReadRequests>,
        filter: &Filter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Snapshot>, Error> {
        let now = self.clock.now();
        let Some(filter) = self.types.seen_by(permit, filter) else { return Ok(Vec::new()) };
        let requests = self.requests.list(Some(&permit.caller().owner), &filter, after, limit, now).await?;
        Ok(requests.into_iter().map(|request| Snapshot::of(request, now)).collect())
    }

    /// What was submitted with a request that the caller has seen.
    ///
    /// # Errors
    /// [`Error::Gone`] when it is no longer kept; the store.
    pub async fn payload(&self, seen: &Snapshot) -> Result<String, Error> {
        let payload = self.requests.payload(seen.request.id).await?;
        payload.ok_or(Error::Gone("The payload is no longer kept. How the request ended still is."))
    }

    /// What a request gave that the caller has seen succeed.
    ///
    /// # Errors
    /// [`Error::Gone`] when it is no longer kept; the store.
    pub async fn result(&self, seen: &Snapshot) -> Result<Output, Error> {
        if seen.request.simulation().is_some() {
            let body = seen.view.result.as_ref().map_or_else(|| "null".into(), ToString::to_string);
            return Ok(Output { content_type: Output::JSON.into(), body: body.into_bytes() });
        }
        let output = self.requests.output(seen.request.id).await?;
        output.ok_or(Error::Gone("The result is no longer kept. Submit the request again if you still need it."))
    }

    /// Cancels the caller's request of that id, or asks its worker to stop; only in one of those states, if some are given.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub async fn cancel(
        &self,
        permit: &Permit<WriteRequests>,
        id: RequestId,
        only_at: Option<Vec<Version>>,
        by: By,
    ) -> Result<Outcome, Error> {
        self.act_on_own(permit, id, only_at.map_or(Act::Cancel, Act::CancelAt), by).await
    }

    /// Erases the caller's request of that id, which has reached its end.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub async fn erase(&self, permit: &Permit<WriteRequests>, id: RequestId, by: By) -> Result<Outcome, Error> {
        self.act_on_own(permit, id, Act::Erase, by).await
    }

    /// Moves the caller's request of that id to the next stage of its timeline.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub async fn advance(&self, permit: &Permit<WriteRequests>, id: RequestId, by: By) -> Result<Outcome, Error> {
        self.act_on_own(permit, id, Act::Advance, by).await
    }

    async fn act_on_own(
        &self,
        permit: &Permit<WriteRequests>,
        id: RequestId,
        act: Act,
        by: By,
    ) -> Result<Outcome, Error> {
        let owner = permit.caller().owner.clone();
        if !self.types.scopes().is_empty() {
            // A request keeps its type, so that this still holds when it is acted on.
            let request = self.requests.find(&owner, id).await?.ok_or(Error::NotFound)?;
            self.types.open(permit, &request.kind)?;
        }
        self.act(Order { target: Target { owner: Some(owner), id }, act, by }).await
    }

    /// A request that an act has just given, as it stands.
    pub fn snapshot(&self, request: Arc<Request>) -> Snapshot {
        Snapshot::of(request, self.clock.now())
    }

    /// After what time, from `now` on, a request that the caller has seen is worth another look: where time moves it on, when it will
    /// have changed; where workers do, when requests of its type usually are done. None at its end, and when nobody knows.
    pub fn retry_after(&self, seen: &Snapshot, now: Timestamp) -> Option<Duration> {
        let waits_for_workers = matches!(seen.view.status, Status::Queued | Status::Running);
        if seen.request.work().is_some() && waits_for_workers {
            return self.durations.left(&seen.request, now, &*self.entropy);
        }
        let next = seen.view.next_change_at?;
        Some(Duration::from_millis(u64::try_from(next.millis_since(now)).unwrap_or(0)))
    }

    /// Notes how long a request took on which workers worked; to be told of each that is done.
    pub fn finished(&self, request: &Request) {
        self.durations.note(request);
    }
}

/// Whether time has brought about the end of a request that workers work on, and that is not written down.
fn is_unsettled(request: &Request, now: Timestamp) -> bool {
    request.work().is_some() && {
        let (number, phase) = request.phase_at(now);
        number > 0 && phase.status.is_terminal()
    }
}
