//! The queue: takes requests in, tells how they get on, cancels them; each act on proof that the caller may.

use std::sync::Arc;

use crate::core::clock::{Clock, Timestamp};
use crate::core::entropy::Entropy;
use crate::core::error::{Error, Fault};
use crate::core::policy::{Permit, ReadRequests, WriteRequests};
use crate::core::ports::requests::{
    Filter, Idempotency, NewRequest, Order, Outcome, Position, Requests, Submission, Target,
};
use crate::core::request::{Act, By, Request, RequestId, Tags, Version};

pub mod partner;
pub mod payload;
mod schema;
mod tags;
pub mod types;
mod watch;

use payload::Payload;
use types::{RequestType, Types};
pub use watch::Watch;

/// The route whose idempotency keys `submit` keeps.
pub const SUBMIT_ROUTE: &str = "POST /v1/requests";

/// What a client submits.
#[derive(Debug)]
pub struct Draft {
    /// The name of the type.
    pub kind: String,
    /// The payload.
    pub payload: Payload,
    /// The client's labels.
    pub tags: Tags,
}

/// A request that was taken in, now or before.
#[derive(Debug)]
pub struct Submitted {
    /// The request.
    pub request: Arc<Request>,
    /// Whether the same submission came before.
    pub replayed: bool,
}

/// The request service.
pub struct Queue {
    requests: Arc<dyn Requests>,
    types: Types,
    watch: Watch,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Queue {
    /// A queue over a store of requests, for the given types.
    pub fn new(requests: Arc<dyn Requests>, types: Types, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { requests, types, watch: Watch::default(), clock, entropy }
    }

    /// The types that may be submitted.
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// The time that views are to be taken at.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes a request in. When this answers, it is on disk together with its idempotency row.
    ///
    /// # Errors
    /// An unknown type or bad tags ([`Error::Malformed`]), a payload that breaks the type's schema ([`Error::Invalid`]), a reused
    /// key, or the store.
    pub async fn submit(
        &self,
        permit: &Permit<WriteRequests>,
        draft: Draft,
        idempotency_key: Option<String>,
        by: By,
    ) -> Result<Submitted, Error> {
        let kind = self.types.get(&draft.kind).ok_or_else(|| self.unknown_type(&draft.kind))?;
        tags::check(&draft.tags)?;
        kind.check(draft.payload.value(), "/payload")?;
        let idempotency = idempotency_key.map(|key| Idempotency {
            route: SUBMIT_ROUTE,
            key,
            fingerprint: payload::fingerprint(&draft.kind, &draft.payload, &draft.tags),
        });
        let request = self.new_request(permit, kind, draft.tags, None, &by);
        self.store(NewRequest { request, payload: draft.payload.into_text(), idempotency, by }).await
    }

    /// Takes a request in at the partner prototype's door, whose name for it follows from its content: the same body again is the
    /// same request.
    ///
    /// # Errors
    /// As [`Queue::submit`]; [`Error::NotFound`] when no type speaks the prototype's dialect.
    pub async fn submit_partner(
        &self,
        permit: &Permit<WriteRequests>,
        payload: Payload,
        by: By,
    ) -> Result<Submitted, Error> {
        let kind = self.types.partner().ok_or(Error::NotFound)?;
        kind.check(payload.value(), "")?;
        let alias = partner::alias(payload.value(), &permit.caller().subject);
        let request = self.new_request(permit, kind, Tags::new(), Some(alias), &by);
        self.store(NewRequest { request, payload: payload.into_text(), idempotency: None, by }).await
    }

    fn new_request(
        &self,
        permit: &Permit<WriteRequests>,
        kind: &RequestType,
        tags: Tags,
        alias: Option<String>,
        by: &By,
    ) -> Request {
        let now = self.clock.now();
        Request {
            id: RequestId::draw(now, &*self.entropy),
            owner: permit.caller().owner.clone(),
            kind: kind.name.clone(),
            submitted_at: now,
            trace_id: by.trace_id.clone(),
            not_before: None,
            deadline: None,
            alias,
            tags,
            process: kind.begin(now, now),
            version: Version::default(),
            erased_at: None,
        }
    }

    async fn store(&self, new: NewRequest) -> Result<Submitted, Error> {
        match self.requests.submit(new).await? {
            Submission::Accepted(request) => {
                self.watch.changed(&request);
                Ok(Submitted { request, replayed: false })
            }
            Submission::Replayed(request) => Ok(Submitted { request, replayed: true }),
            Submission::KeyReused => Err(Error::IdempotencyKeyReused),
        }
    }

    fn unknown_type(&self, name: &str) -> Error {
        let known = self.types.names().collect::<Vec<_>>().join(", ");
        Error::Malformed {
            detail: format!("There is no request type of that name. The types are: {known}."),
            faults: vec![Fault {
                pointer: "/type".into(),
                code: "unknown_type",
                detail: format!("\"{}\" is not one of: {known}", name.escape_default()),
            }],
        }
    }

    /// The caller's request of that id.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or it is another's; the store.
    pub async fn get(&self, permit: &Permit<ReadRequests>, id: RequestId) -> Result<Arc<Request>, Error> {
        let request = self.requests.find(&permit.caller().owner, id).await?.ok_or(Error::NotFound)?;
        self.present(request).await
    }

    /// A request as it may be shown: one that is erased is gone, and an end that time has brought about is written down first, so that
    /// nothing can undo it.
    async fn present(&self, request: Arc<Request>) -> Result<Arc<Request>, Error> {
        if request.erased_at.is_some() {
            return Err(Error::Gone("Its owner has erased this request."));
        }
        let is_unsettled = request.work().is_some() && {
            let (number, phase) = request.phase_at(self.clock.now());
            number > 0 && phase.status.is_terminal()
        };
        if !is_unsettled {
            return Ok(request);
        }
        let target = Target { owner: None, id: request.id };
        Ok(self.act(Order { target, act: Act::Settle, by: By::default() }).await?.request)
    }

    /// Carries out one act, and wakes who waits for the request to change.
    async fn act(&self, order: Order) -> Result<Outcome, Error> {
        let outcomes = self.requests.act_all(vec![order]).await?;
        let outcome = outcomes.into_iter().next().flatten().ok_or(Error::NotFound)?;
        self.watch.changed(&outcome.request);
        Ok(outcome)
    }

    /// Where those wait who want to know when something changes.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The caller's request that the partner prototype's door named `alias`.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub async fn get_partner(&self, permit: &Permit<ReadRequests>, alias: &str) -> Result<Arc<Request>, Error> {
        self.requests.find_by_alias(&permit.caller().owner, alias).await?.ok_or(Error::NotFound)
    }

    /// The caller's requests, newest first, with the time at which the filter was judged.
    ///
    /// # Errors
    /// The store.
    pub async fn list(
        &self,
        permit: &Permit<ReadRequests>,
        filter: &Filter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<(Vec<Arc<Request>>, Timestamp), Error> {
        let now = self.clock.now();
        let requests = self.requests.list(Some(&permit.caller().owner), filter, after, limit, now).await?;
        Ok((requests, now))
    }

    /// Cancels the caller's request of that id, or asks its worker to stop.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub async fn cancel(&self, permit: &Permit<WriteRequests>, id: RequestId, by: By) -> Result<Outcome, Error> {
        let target = Target { owner: Some(permit.caller().owner.clone()), id };
        self.act(Order { target, act: Act::Cancel, by }).await
    }
}
