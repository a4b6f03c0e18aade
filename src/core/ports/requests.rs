//! The port of the requests: submit, find, list, act, lease, and what the gateway does with them by itself.

use std::sync::Arc;
use std::time::Duration;

use crate::core::BoxFuture;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::request::{
    Act, By, Event, Output, Owner, Refused, Request, RequestId, Status, Tags, View, Worker, view,
};

/// A request to be stored.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// The request, at its first version.
    pub request: Request,
    /// The payload, as JSON text, kept as it came.
    pub payload: String,
    /// The key under which the same submission is recognized.
    pub idempotency: Option<Idempotency>,
    /// Who submits it.
    pub by: By,
}

/// An idempotency key in its scope, with the fingerprint of the body that it came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The operation it was sent to; with the owner it is the key's scope.
    pub route: &'static str,
    /// The key, as the client chose it.
    pub key: String,
    /// SHA-256 over the body in canonical form.
    pub fingerprint: [u8; 32],
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq)]
pub enum Submission {
    /// It is stored, durably.
    Accepted(Arc<Request>),
    /// The same submission came before, and this is its request.
    Replayed(Arc<Request>),
    /// The idempotency key came before with another body.
    KeyReused,
}

/// Which request somebody means, and by which right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its owner's; none: anybody's, for workers and operators.
    pub owner: Option<Owner>,
    /// Its name.
    pub id: RequestId,
}

/// An act to be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// On which request.
    pub target: Target,
    /// What is done.
    pub act: Act,
    /// Who does it.
    pub by: By,
}

/// What became of an act.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The request as it stands now, durably.
    pub request: Arc<Request>,
    /// Why the act was not carried out.
    pub refused: Option<Refused>,
}

/// Which requests to list. What is empty or none lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those with one of these statuses at the time of the listing.
    pub statuses: Vec<Status>,
    /// Those in the stage of this name then.
    pub stage: Option<String>,
    /// Those of one of these types.
    pub kinds: Vec<String>,
    /// Those of none of these types.
    pub closed_kinds: Vec<String>,
    /// Those with all of these labels.
    pub tags: Tags,
    /// Those submitted later than this.
    pub submitted_after: Option<Timestamp>,
    /// Those submitted earlier than this.
    pub submitted_before: Option<Timestamp>,
    /// Those that have changed later than this.
    pub updated_after: Option<Timestamp>,
    /// The one that was submitted with this idempotency key: the route and the key.
    pub idempotency_key: Option<(&'static str, String)>,
    /// Those of these names.
    pub ids: Vec<RequestId>,
    /// Those that workers work on.
    pub leased_types_only: bool,
}

impl Filter {
    /// Whether it lets a request through that is as `view` says. A store may leave requests out of sight before it asks this, and has
    /// no other rule; the idempotency key it has to look up.
    pub fn lets_through(&self, request: &Request, view: &View) -> bool {
        let Self { statuses, stage, kinds, closed_kinds, tags, ids, .. } = self;
        request.erased_at.is_none()
            && (statuses.is_empty() || statuses.contains(&view.status))
            && stage.as_ref().is_none_or(|stage| *stage == view.stage)
            && (kinds.is_empty() || kinds.contains(&request.kind))
            && !closed_kinds.contains(&request.kind)
            && tags.iter().all(|(name, value)| request.tags.get(name) == Some(value))
            && (ids.is_empty() || ids.contains(&request.id))
            && self.submitted_after.is_none_or(|after| request.submitted_at > after)
            && self.submitted_before.is_none_or(|before| request.submitted_at < before)
            && self.updated_after.is_none_or(|after| view.updated_at > after)
            && (!self.leased_types_only || request.work().is_some())
    }

    /// [`Filter::lets_through`], with the view of that time.
    pub fn lets_through_at(&self, request: &Request, now: Timestamp) -> bool {
        self.lets_through(request, &view(request, now))
    }
}

/// The place in a list after which a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// When the last request of the page before was submitted.
    pub submitted_at: Timestamp,
    /// Its id.
    pub id: RequestId,
}

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Of which types, with how long an attempt at each may take. Each type once.
    pub kinds: Vec<(String, Duration)>,
    /// How many at most.
    pub most: usize,
    /// How long each lease lasts.
    pub lease: Duration,
    /// Who asks.
    pub worker: Worker,
    /// In whose name.
    pub by: By,
}

/// What a worker got.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// The requests, leased, with their payloads.
    pub leased: Vec<(Arc<Request>, String)>,
    /// When, if nothing is submitted or given back before, there will be something to lease of these types.
    pub next_ready_at: Option<Timestamp>,
}

/// The requests of which the end was written down, and when the next is due.
pub type Settled = (Vec<Arc<Request>>, Option<Timestamp>);

/// How long requests are kept, how many, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long a request is kept after its end.
    pub request: Duration,
    /// How long its payload and its result are.
    pub payload: Duration,
    /// More requests than this: those that have ended longest ago go.
    pub most_requests: Option<u64>,
    /// More bytes than this: the same.
    pub most_bytes: Option<u64>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Requests, with all that belongs to them.
    pub requests: usize,
    /// Payloads and results of requests that are kept.
    pub payloads: usize,
    /// Whether there is more to remove at once.
    pub more: bool,
}

/// How the requests of a type stand that workers work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The type.
    pub kind: String,
    /// Those that may be leased now.
    pub ready: u64,
    /// Those that wait for their time.
    pub waiting: u64,
    /// Those that workers have leases on.
    pub in_flight: u64,
    /// Since when the one that has waited longest may be leased.
    pub oldest_ready: Option<Timestamp>,
}

/// Where requests are kept.
pub trait Requests: Send + Sync {
    /// Stores requests together with their idempotency rows, in one commit that is durable when this answers. Each has an outcome of
    /// its own, in the same order.
    ///
    /// A key that this owner used on the same route, or an alias that this owner has, answers the request stored then. The key is
    /// looked at first. An error is all of theirs.
    fn submit_all(&self, new: Vec<NewRequest>) -> BoxFuture<'_, Result<Vec<Submission>, StoreError>>;

    /// Stores one request, as [`Requests::submit_all`] does.
    fn submit(&self, new: NewRequest) -> BoxFuture<'_, Result<Submission, StoreError>>;

    /// The owner's request of that id, a tombstone too.
    fn find<'a>(&'a self, owner: &'a Owner, id: RequestId) -> BoxFuture<'a, Result<Option<Arc<Request>>, StoreError>>;

    /// The request of that id, whoever's it is, a tombstone too.
    fn find_any(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Arc<Request>>, StoreError>>;

    /// The owner's request of that alias.
    fn find_by_alias<'a>(
        &'a self,
        owner: &'a Owner,
        alias: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<Request>>, StoreError>>;

    /// The owner's requests (of no owner: everybody's) that the filter lets through at `now`, newest first (by submission time, then
    /// id), at most `limit`, beginning after `after`.
    ///
    /// Damaged records are left out, and logged.
    fn list<'a>(
        &'a self,
        owner: Option<&'a Owner>,
        filter: &'a Filter,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Arc<Request>>, StoreError>>;

    /// How many of the owner's requests have not reached their end at `now`; no more than `most` are counted. Of those that time alone
    /// moves on, these are the ones whose end lies ahead: again, when the clock has gone back.
    fn count_open<'a>(&'a self, owner: &'a Owner, most: u64, now: Timestamp) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Carries out acts in one commit, in their order; each has an outcome of its own, `None` when there is no such request. The
    /// writer judges by its own clock, at the moment of the commit; so no reader can have seen an end that an act then undoes.
    ///
    /// What [`Request::act`] gives is written, refused or not, together with its events and, when it completes or erases, with its
    /// result, payload and idempotency row. A tombstone is not there for any act.
    fn act_all(&self, orders: Vec<Order>) -> BoxFuture<'_, Result<Vec<Option<Outcome>>, StoreError>>;

    /// Leases requests that are ready: of each owner the one that is ready longest, and the owners in turn, over all claims, so that
    /// none waits for the rest of another's.
    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<Claimed, StoreError>>;

    /// The payload of a request; none when it is no longer kept.
    fn payload(&self, id: RequestId) -> BoxFuture<'_, Result<Option<String>, StoreError>>;

    /// What a request gave; none when it gave nothing, or that is no longer kept.
    fn output(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Output>, StoreError>>;

    /// The stored events of a request, in order. [`crate::core::request::history`] adds what time has brought about.
    fn events(&self, id: RequestId) -> BoxFuture<'_, Result<Vec<Event>, StoreError>>;

    /// Writes down the ends that time has brought about ([`Act::Settle`]), at most so many; answers those, and when the next is due.
    fn settle(&self, most: usize) -> BoxFuture<'_, Result<Settled, StoreError>>;

    /// Removes what is kept too long, those first that have ended longest ago: at most so many requests at once, and of the
    /// payloads and results of those that stay as many as the store likes. What has not ended is kept, however much it is.
    fn purge(&self, retention: Retention, most: usize) -> BoxFuture<'_, Result<Purged, StoreError>>;

    /// How the types stand that workers work on, by name; one that has nothing left to do may be left out.
    fn backlogs(&self) -> BoxFuture<'_, Result<Vec<Backlog>, StoreError>>;
}
