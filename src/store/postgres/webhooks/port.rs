//! The port of the webhooks, carried out on the store's thread.

use std::sync::Arc;

use super::{endpoints, sending};
use crate::core::BoxFuture;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::ports::webhooks::{Addressed, Outlook, Report, Take, Webhooks};
use crate::core::request::{Owner, RequestId};
use crate::core::webhook::{Change, Delivery, DeliveryId, Endpoint, EndpointId};
use crate::store::postgres::fault::Fault;
use crate::store::postgres::shared::{PATIENCE, Shared, again};
use crate::store::postgres::thread::Thread;

/// The webhooks in a database.
pub(in crate::store::postgres) struct PostgresWebhooks {
    pub(in crate::store::postgres) shared: Arc<Shared>,
    pub(in crate::store::postgres) thread: Arc<Thread>,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Carries out `operation`, whose first argument is what the parts of the store share, again where another was in the way: `run` what
/// changes something, `read` what does not.
macro_rules! operate {
    ($how:ident, $self:ident, |$shared:ident| $operation:expr) => {{
        let $shared = Arc::clone(&$self.shared);
        $self.thread.$how(async move { $shared.bounded(PATIENCE, async { again!($operation) }).await })
    }};
}

impl Webhooks for PostgresWebhooks {
    fn configure(&self, new: Vec<Endpoint>) -> Answer<'_, ()> {
        operate!(run, self, |shared| endpoints::configure(&shared, new.clone()))
    }

    fn add(&self, endpoint: Endpoint, most: usize) -> Answer<'_, bool> {
        operate!(run, self, |shared| endpoints::add(&shared, endpoint.clone(), most))
    }

    fn endpoints<'a>(&'a self, owner: &'a Owner) -> Answer<'a, Vec<Endpoint>> {
        let owner = owner.clone();
        operate!(read, self, |shared| endpoints::of_owner(&shared, &owner))
    }

    fn change<'a>(&'a self, owner: &'a Owner, id: EndpointId, change: Change) -> Answer<'a, Option<Endpoint>> {
        let owner = owner.clone();
        operate!(run, self, |shared| endpoints::change(&shared, &owner, id, &change))
    }

    fn remove<'a>(&'a self, owner: &'a Owner, id: EndpointId) -> Answer<'a, bool> {
        let owner = owner.clone();
        operate!(run, self, |shared| endpoints::remove(&shared, &owner, id))
    }

    fn deliver(&self, delivery: Delivery) -> Answer<'_, ()> {
        operate!(run, self, |shared| endpoints::deliver(&shared, delivery.clone()))
    }

    fn deliveries(&self, id: EndpointId, after: Option<DeliveryId>, limit: usize) -> Answer<'_, Vec<Delivery>> {
        operate!(read, self, |shared| endpoints::log(&shared, id, after, limit))
    }

    fn deliveries_of(&self, request: RequestId, limit: usize) -> Answer<'_, Vec<Addressed>> {
        operate!(read, self, |shared| endpoints::about(&shared, request, limit))
    }

    fn replay(&self, endpoint: EndpointId, id: DeliveryId) -> Answer<'_, Option<Delivery>> {
        operate!(run, self, |shared| endpoints::replay(&shared, endpoint, id))
    }

    fn outlook(&self) -> Answer<'_, Outlook> {
        operate!(read, self, |shared| sending::outlook(&shared))
    }

    fn follow(&self, most: usize) -> Answer<'_, ()> {
        operate!(run, self, |shared| sending::follow_stages(&shared, most))
    }

    fn take(&self, take: Take) -> Answer<'_, Vec<Addressed>> {
        operate!(run, self, |shared| sending::take(&shared, &take))
    }

    fn attempted(&self, report: Report) -> Answer<'_, Option<Addressed>> {
        operate!(run, self, |shared| sending::attempted(&shared, report.clone()))
    }

    fn forget(&self, before: Timestamp, most: usize) -> Answer<'_, usize> {
        operate!(run, self, |shared| sending::forget(&shared, before, most))
    }

    fn is_shared(&self) -> bool {
        true
    }
}
