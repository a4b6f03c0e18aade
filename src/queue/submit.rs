//! Taking requests in.

use std::sync::Arc;

use super::payload::{Payload, fingerprint};
use super::room::Room;
use super::types::RequestType;
use super::{Queue, partner, schedule, tags, to_its_end};
use crate::core::clock::Timestamp;
use crate::core::error::{Error, Fault};
use crate::core::policy::{Permit, WriteRequests};
use crate::core::ports::requests::{Filter, Idempotency, NewRequest, Submission};
use crate::core::request::{By, Request, RequestId, Tags, Version};

/// What idempotency keys of submissions are kept under. It is stored with them, and so never changes.
pub const SUBMISSIONS: &str = "POST /v1/requests";

/// What a client submits.
#[derive(Debug)]
pub struct Draft {
    /// The name of the type.
    pub kind: String,
    /// The payload.
    pub payload: Payload,
    /// The client's labels.
    pub tags: Tags,
    /// It is not to start before.
    pub not_before: Option<Timestamp>,
    /// It is to expire unless it is done before.
    pub deadline: Option<Timestamp>,
    /// What the same submission is recognized by.
    pub idempotency_key: Option<String>,
}

/// A request that was taken in, now or before.
#[derive(Debug)]
pub struct Submitted {
    /// The request.
    pub request: Arc<Request>,
    /// Whether the same submission came before.
    pub replayed: bool,
}

impl Queue {
    /// Takes a request in. When this answers, it is on disk together with its idempotency row.
    ///
    /// # Errors
    /// An unknown type, bad tags or bad times ([`Error::Malformed`]), a type that the permit does not open, a payload that breaks
    /// the type's schema ([`Error::Invalid`]), no room in the owner's share, a reused key, or the store.
    pub async fn submit(&self, permit: &Permit<WriteRequests>, draft: Draft, by: By) -> Result<Submitted, Error> {
        let new = self.judge(permit, draft, by).await?;
        let room = self.room(permit, &new).await?;
        self.store(new, room).await
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
        permit.open(kind.scope.as_deref())?;
        kind.check(payload.value(), "")?;
        let alias = Some(partner::alias(payload.value(), &permit.caller().subject));
        let request = Request { alias, ..self.new_request(permit, kind, (None, None), &by) };
        let new = NewRequest { request, payload: payload.into_text(), idempotency: None, by };
        let room = self.room(permit, &new).await?;
        let submitted = self.store(new, room).await?;
        // The name may be that of an older request, of the type that spoke the dialect then.
        self.types.open(permit, &submitted.request.kind)?;
        Ok(submitted)
    }

    /// What is to be stored of a draft that breaks no rule.
    pub(super) async fn judge(
        &self,
        permit: &Permit<WriteRequests>,
        draft: Draft,
        by: By,
    ) -> Result<NewRequest, Error> {
        let kind = self.types.get(&draft.kind).ok_or_else(|| self.unknown_type(&draft.kind))?;
        permit.open(kind.scope.as_deref())?;
        tags::check(&draft.tags)?;
        kind.check(draft.payload.value(), "/payload")?;
        if let Err(error) = schedule::check(draft.not_before, draft.deadline, self.clock.now())
            && !self.has_key(permit, draft.idempotency_key.as_deref()).await?
        {
            return Err(error);
        }
        let keyed = |key| Idempotency { route: SUBMISSIONS, key, fingerprint: fingerprint(&draft) };
        let idempotency = draft.idempotency_key.clone().map(keyed);
        let Draft { payload, tags, not_before, deadline, .. } = draft;
        let request = Request { tags, ..self.new_request(permit, kind, (not_before, deadline), &by) };
        Ok(NewRequest { request, payload: payload.into_text(), idempotency, by })
    }

    /// Whether the key came before: then the same times may lie in the past by now, and the request of then is the answer.
    pub(super) async fn has_key(&self, permit: &Permit<WriteRequests>, key: Option<&str>) -> Result<bool, Error> {
        let Some(key) = key else { return Ok(false) };
        let filter = Filter { idempotency_key: Some((SUBMISSIONS, key.to_owned())), ..Filter::default() };
        let owner = Some(&permit.caller().owner);
        Ok(!self.requests.list(owner, &filter, None, 1, self.clock.now()).await?.is_empty())
    }

    fn new_request(
        &self,
        permit: &Permit<WriteRequests>,
        kind: &RequestType,
        (not_before, deadline): (Option<Timestamp>, Option<Timestamp>),
        by: &By,
    ) -> Request {
        let now = self.clock.now();
        let begins_at = not_before.map_or(now, |not_before| not_before.max(now));
        Request {
            id: RequestId::draw(now, &*self.entropy),
            owner: permit.caller().owner.clone(),
            kind: kind.name.clone(),
            submitted_at: now,
            trace_id: by.trace_id.clone(),
            not_before,
            deadline,
            alias: None,
            tags: Tags::new(),
            process: kind.begin(now, begins_at),
            version: Version::default(),
            erased_at: None,
        }
    }

    async fn store(&self, new: NewRequest, room: Room) -> Result<Submitted, Error> {
        let (requests, watch) = (Arc::clone(&self.requests), self.watch.clone());
        let submission = to_its_end(async move {
            let submission = requests.submit(new).await?;
            room.settle(&submission);
            if let Submission::Accepted(request) = &submission {
                watch.changed(request);
            }
            Ok(submission)
        });
        submitted(submission.await?)
    }

    fn unknown_type(&self, name: &str) -> Error {
        let known = self.types.names().collect::<Vec<_>>().join(", ");
        Error::Malformed {
            detail: format!("There is no request type of that name. The types are: {known}."),
            faults: vec![Fault {
                pointer: "/type".into(),
                code: "unknown_type",
                // What is no name of ours may be as long as the whole body.
                detail: format!("\"{}\" is not one of: {known}", shown(name)),
            }],
        }
    }
}

/// The beginning of a name that somebody sent, so that it can be shown.
pub(super) fn shown(name: &str) -> String {
    let end = name.char_indices().nth(LONGEST_SHOWN).map_or(name.len(), |(end, _)| end);
    let rest = if end < name.len() { "…" } else { "" };
    format!("{}{rest}", name[..end].escape_default())
}

/// So many characters of it.
const LONGEST_SHOWN: usize = 64;

/// What a submission comes to.
pub(super) fn submitted(submission: Submission) -> Result<Submitted, Error> {
    match submission {
        Submission::Accepted(request) => Ok(Submitted { request, replayed: false }),
        Submission::Replayed(request) => Ok(Submitted { request, replayed: true }),
        Submission::KeyReused => Err(Error::IdempotencyKeyReused),
    }
}
