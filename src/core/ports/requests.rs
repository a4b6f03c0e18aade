//! The port of the requests: submit, find, list, cancel.

use std::sync::Arc;

use crate::core::BoxFuture;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::request::{Owner, Request, RequestId, Status};

/// A request to be stored.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// The request; not cancelled.
    pub request: Request,
    /// The payload, as JSON text, kept as it came.
    pub payload: String,
    /// The key under which the same submission is recognized.
    pub idempotency: Option<Idempotency>,
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

/// What became of a cancellation.
#[derive(Clone, Debug, PartialEq)]
pub enum Cancellation {
    /// It is cancelled, durably.
    Cancelled(Arc<Request>),
    /// It had reached its end before.
    TooLate(Arc<Request>),
}

/// Which of an owner's requests to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those with this status at the time of the listing.
    pub status: Option<Status>,
    /// Those of this type.
    pub kind: Option<String>,
    /// The one that was submitted with this idempotency key: the route and the key.
    pub idempotency_key: Option<(&'static str, String)>,
}

/// The place in a list after which a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// When the last request of the page before was submitted.
    pub submitted_at: Timestamp,
    /// Its id.
    pub id: RequestId,
}

/// Where requests are kept.
pub trait Requests: Send + Sync {
    /// Stores a request together with its idempotency row, in one commit that is durable when this answers.
    ///
    /// A key that this owner used on the same route, or an alias that this owner has, answers the request stored then. The key is
    /// looked at first.
    fn submit(&self, new: NewRequest) -> BoxFuture<'_, Result<Submission, StoreError>>;

    /// The owner's request of that id.
    fn find<'a>(&'a self, owner: &'a Owner, id: RequestId) -> BoxFuture<'a, Result<Option<Arc<Request>>, StoreError>>;

    /// The owner's request of that alias.
    fn find_by_alias<'a>(
        &'a self,
        owner: &'a Owner,
        alias: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<Request>>, StoreError>>;

    /// The owner's requests that the filter lets through at `now`, newest first (by submission time, then id), at most `limit`,
    /// beginning after `after`.
    ///
    /// Damaged records are left out, and logged.
    fn list<'a>(
        &'a self,
        owner: &'a Owner,
        filter: &'a Filter,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Arc<Request>>, StoreError>>;

    /// Cancels the owner's request of that id. The writer judges by its own clock, at the moment of the commit, whether it is too
    /// late; so no reader can have seen an end that a cancellation then undoes. `None` when there is no such request.
    fn cancel<'a>(&'a self, owner: &'a Owner, id: RequestId)
    -> BoxFuture<'a, Result<Option<Cancellation>, StoreError>>;
}
