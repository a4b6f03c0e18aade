//! The port of the webhooks over what is in memory.

use super::{Answer, Kept};
use crate::core::clock::Timestamp;
use crate::core::ports::webhooks::{Addressed, Outlook, Report, Take, Webhooks};
use crate::core::request::{Owner, RequestId};
use crate::core::webhook::{Change, Delivery, DeliveryId, Endpoint, EndpointId};

impl Webhooks for Kept {
    fn configure(&self, endpoints: Vec<Endpoint>) -> Answer<'_, ()> {
        self.judged(|state, now| state.configure_endpoints(endpoints, now))
    }

    fn add(&self, endpoint: Endpoint, most: usize) -> Answer<'_, bool> {
        self.judged(move |state, now| state.add_endpoint(endpoint, most, now))
    }

    fn endpoints<'a>(&'a self, owner: &'a Owner) -> Answer<'a, Vec<Endpoint>> {
        self.judged(|state, _| state.webhooks.endpoints(owner))
    }

    fn change<'a>(&'a self, owner: &'a Owner, id: EndpointId, change: Change) -> Answer<'a, Option<Endpoint>> {
        self.judged(move |state, now| state.webhooks.change(owner, id, &change, now))
    }

    fn remove<'a>(&'a self, owner: &'a Owner, id: EndpointId) -> Answer<'a, bool> {
        self.judged(move |state, _| state.webhooks.remove(owner, id))
    }

    fn deliver(&self, delivery: Delivery) -> Answer<'_, ()> {
        self.judged(|state, _| state.webhooks.deliver(delivery))
    }

    fn deliveries(&self, id: EndpointId, after: Option<DeliveryId>, limit: usize) -> Answer<'_, Vec<Delivery>> {
        self.judged(move |state, _| state.webhooks.deliveries(id, after, limit))
    }

    fn deliveries_of(&self, request: RequestId, limit: usize) -> Answer<'_, Vec<Addressed>> {
        self.judged(move |state, _| state.webhooks.deliveries_of(request, limit))
    }

    fn replay(&self, endpoint: EndpointId, id: DeliveryId) -> Answer<'_, Option<Delivery>> {
        self.judged(move |state, now| state.webhooks.replay(endpoint, id, now))
    }

    fn outlook(&self) -> Answer<'_, Outlook> {
        self.judged(|state, _| state.webhooks.outlook())
    }

    fn follow(&self, most: usize) -> Answer<'_, ()> {
        self.judged(move |state, now| state.follow_stages(most, now))
    }

    fn take(&self, take: Take) -> Answer<'_, Vec<Addressed>> {
        self.judged(move |state, now| state.webhooks.take(&take, now))
    }

    fn attempted(&self, report: Report) -> Answer<'_, Option<Addressed>> {
        self.judged(move |state, now| state.webhooks.attempted(report, now))
    }

    fn forget(&self, before: Timestamp, most: usize) -> Answer<'_, usize> {
        self.judged(move |state, _| state.webhooks.forget(before, most))
    }
}
