//! The port of the webhooks over the two queues.

use rusqlite::Connection;

use super::{endpoints, rows, sending};
use crate::core::BoxFuture;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::ports::webhooks::{Addressed, Outlook, Report, Take, Webhooks};
use crate::core::request::{Owner, RequestId};
use crate::core::webhook::{Change, Delivery, DeliveryId, Endpoint, EndpointId};
use crate::store::sqlite::requests::SqliteRequests;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// About how many bytes an endpoint or an attempt writes.
const BYTES: usize = 2 << 10;

/// How many deliveries are removed in one commit.
const REMOVED_AT_ONCE: usize = 500;

impl Webhooks for SqliteRequests {
    fn configure(&self, new: Vec<Endpoint>) -> Answer<'_, ()> {
        let (known, clock) = (self.known(), self.clock());
        let bytes = new.len() * BYTES;
        Box::pin(self.write(bytes, false, move |connection| endpoints::configure(connection, &known, new, clock.now())))
    }

    fn add(&self, endpoint: Endpoint, most: usize) -> Answer<'_, bool> {
        let (known, clock) = (self.known(), self.clock());
        Box::pin(
            self.write(BYTES, false, move |connection| {
                endpoints::add(connection, &known, &endpoint, most, clock.now())
            }),
        )
    }

    fn endpoints<'a>(&'a self, owner: &'a Owner) -> Answer<'a, Vec<Endpoint>> {
        let owner = owner.clone();
        Box::pin(self.read(move |connection, _| endpoints::of_owner(connection, &owner)))
    }

    fn change<'a>(&'a self, owner: &'a Owner, id: EndpointId, change: Change) -> Answer<'a, Option<Endpoint>> {
        let (owner, clock) = (owner.clone(), self.clock());
        Box::pin(
            self.write(BYTES, false, move |connection| endpoints::change(connection, &owner, id, &change, clock.now())),
        )
    }

    fn remove<'a>(&'a self, owner: &'a Owner, id: EndpointId) -> Answer<'a, bool> {
        let owner = owner.clone();
        Box::pin(async move {
            let is_theirs =
                self.write(BYTES, false, move |connection| endpoints::remove(connection, &owner, id)).await?;
            let remove = move |connection: &Connection| {
                Ok(rows::remove_deliveries(connection, &id.to_string(), REMOVED_AT_ONCE)?)
            };
            // In one commit they would keep everybody else waiting. What is left by a crash goes with what is forgotten.
            while is_theirs && self.write(0, false, remove).await? == REMOVED_AT_ONCE {}
            Ok(is_theirs)
        })
    }

    fn deliver(&self, delivery: Delivery) -> Answer<'_, ()> {
        Box::pin(self.write(BYTES, false, move |connection| endpoints::deliver(connection, &delivery)))
    }

    fn deliveries(&self, id: EndpointId, after: Option<DeliveryId>, limit: usize) -> Answer<'_, Vec<Delivery>> {
        Box::pin(self.read(move |connection, _| endpoints::log(connection, id, after, limit)))
    }

    fn deliveries_of(&self, request: RequestId, limit: usize) -> Answer<'_, Vec<Addressed>> {
        Box::pin(self.read(move |connection, _| endpoints::about(connection, request, limit)))
    }

    fn replay(&self, endpoint: EndpointId, id: DeliveryId) -> Answer<'_, Option<Delivery>> {
        let clock = self.clock();
        Box::pin(self.write(BYTES, false, move |connection| endpoints::replay(connection, endpoint, id, clock.now())))
    }

    fn outlook(&self) -> Answer<'_, Outlook> {
        Box::pin(self.read(|connection, _| sending::outlook(connection)))
    }

    fn follow(&self, most: usize) -> Answer<'_, ()> {
        let (known, clock) = (self.known(), self.clock());
        Box::pin(self.write(most * BYTES, false, move |connection| {
            sending::follow_stages(connection, &known, most, clock.now())
        }))
    }

    fn take(&self, take: Take) -> Answer<'_, Vec<Addressed>> {
        let clock = self.clock();
        Box::pin(self.write(take.most * BYTES, false, move |connection| sending::take(connection, &take, clock.now())))
    }

    fn attempted(&self, report: Report) -> Answer<'_, Option<Addressed>> {
        let clock = self.clock();
        Box::pin(self.write(BYTES, false, move |connection| sending::attempted(connection, report, clock.now())))
    }

    fn forget(&self, before: Timestamp, most: usize) -> Answer<'_, usize> {
        Box::pin(self.write(0, false, move |connection| sending::forget(connection, before, most)))
    }
}
