//! The port of the webhooks: endpoints, their deliveries, and the timelines that have something to tell as time goes by.
//!
//! The deliveries of a change are written in the commit of the change: that is the business of [`Requests`](super::requests::Requests),
//! for the endpoints that stand here.

use std::collections::BTreeMap;

use crate::core::BoxFuture;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::request::{Owner, RequestId};
use crate::core::webhook::{Attempt, Change, Delivery, DeliveryId, Endpoint, EndpointId, Heard};

/// What there is to do, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Whether there are endpoints at all.
    pub is_used: bool,
    /// When a timeline next has something to tell.
    pub next_stage_at: Option<Timestamp>,
    /// When the next delivery is due.
    pub next_due_at: Option<Timestamp>,
}

/// What a sender asks for.
#[derive(Clone, Debug, Default)]
pub struct Take {
    /// How many deliveries at most.
    pub most: usize,
    /// How many are on their way already, by endpoint.
    pub on_their_way: BTreeMap<EndpointId, usize>,
}

/// What came of an attempt, to be written down.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// The attempt.
    pub attempt: Attempt,
    /// What came of it.
    pub heard: Heard,
    /// What decides by how much the wait is lengthened.
    pub chance: u16,
}

/// A delivery with its endpoint.
pub type Addressed = (Delivery, Endpoint);

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Where endpoints and deliveries are kept.
pub trait Webhooks: Send + Sync {
    /// Makes the endpoints that have a name these, known by their names: one that is there keeps its id, its age and its failures; one
    /// that is not among them goes, with its deliveries.
    fn configure(&self, endpoints: Vec<Endpoint>) -> Answer<'_, ()>;

    /// Adds an endpoint, unless its owner has so many: then false. The owner's timelines that have not ended are followed from now on.
    fn add(&self, endpoint: Endpoint, most: usize) -> Answer<'_, bool>;

    /// The owner's endpoints, the oldest first.
    fn endpoints<'a>(&'a self, owner: &'a Owner) -> Answer<'a, Vec<Endpoint>>;

    /// Changes the owner's endpoint of that id ([`Endpoint::changed`]); answers it as it stands then.
    fn change<'a>(&'a self, owner: &'a Owner, id: EndpointId, change: Change) -> Answer<'a, Option<Endpoint>>;

    /// Removes the owner's endpoint of that id, with its deliveries; false when there is none.
    fn remove<'a>(&'a self, owner: &'a Owner, id: EndpointId) -> Answer<'a, bool>;

    /// Adds a delivery of no request, for which its endpoint is [awake](Endpoint::awake).
    fn deliver(&self, delivery: Delivery) -> Answer<'_, ()>;

    /// The deliveries to an endpoint, newest first by id, at most `limit`, beginning after `after`.
    fn deliveries(&self, id: EndpointId, after: Option<DeliveryId>, limit: usize) -> Answer<'_, Vec<Delivery>>;

    /// The deliveries that tell of a request, with their endpoints, the oldest first, at most `limit`: for operators.
    fn deliveries_of(&self, request: RequestId, limit: usize) -> Answer<'_, Vec<Addressed>>;

    /// Begins a delivery to that endpoint anew ([`Delivery::replayed`]), for which that is [awake](Endpoint::awake).
    fn replay(&self, endpoint: EndpointId, id: DeliveryId) -> Answer<'_, Option<Delivery>>;

    /// What there is to do, and when.
    fn outlook(&self) -> Answer<'_, Outlook>;

    /// Writes the deliveries of stages that have begun by now, of at most so many timelines.
    fn follow(&self, most: usize) -> Answer<'_, ()>;

    /// Takes up deliveries that are due ([`Delivery::taken`]): of each endpoint those that are due longest, as many as it has
    /// [room](Endpoint::room) for, and of the endpoints each in turn.
    fn take(&self, take: Take) -> Answer<'_, Vec<Addressed>>;

    /// Writes down what came of an attempt ([`Delivery::attempted`], [`Endpoint::attempted`]); none when there is no such delivery any
    /// more.
    fn attempted(&self, report: Report) -> Answer<'_, Option<Addressed>>;

    /// Removes deliveries that ended before that, and those made before that to endpoints that are disabled; at most so many. Answers
    /// how many.
    fn forget(&self, before: Timestamp, most: usize) -> Answer<'_, usize>;

    /// Whether other gateways write here as well, so that one is not told of everything that there is to do.
    fn is_shared(&self) -> bool {
        false
    }
}
