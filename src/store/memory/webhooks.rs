//! Endpoints and deliveries in memory, and the timelines that have something to tell.

use std::collections::{BTreeMap, HashMap};

use super::state::State;
use crate::core::clock::Timestamp;
use crate::core::ports::webhooks::{Addressed, Outlook, Report, Take};
use crate::core::request::{Event, Owner, Request, RequestId};
use crate::core::webhook::{
    Change, Delivery, DeliveryId, DueTo, Endpoint, EndpointId, following, in_turn, of_act, of_passed, of_submission,
};

/// All that is kept of webhooks.
#[derive(Default)]
pub(super) struct Webhooks {
    endpoints: BTreeMap<EndpointId, Endpoint>,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    /// Timelines of owners who listen: since when their stages are to be told, and when the next begins.
    followed: HashMap<RequestId, (Timestamp, Timestamp)>,
}

impl Webhooks {
    fn listening(&self, owner: &Owner) -> Vec<Endpoint> {
        self.endpoints.values().filter(|endpoint| endpoint.owner == *owner).cloned().collect()
    }

    /// What was told once is not told again.
    fn tell(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            self.deliveries.entry(delivery.id).or_insert(delivery);
        }
    }

    /// A request was submitted.
    pub(super) fn submitted(&mut self, request: &Request) {
        let endpoints = self.listening(&request.owner);
        if !endpoints.is_empty() {
            self.tell(of_submission(&endpoints, request));
            self.follow(request, request.submitted_at);
        }
    }

    /// An act has changed a request.
    pub(super) fn acted(&mut self, before: &Request, after: &Request, events: &[Event], now: Timestamp) {
        let endpoints = self.listening(&after.owner);
        if after.erased_at.is_some() {
            self.deliveries.retain(|_, delivery| delivery.request != Some(after.id));
        } else {
            let since = self.followed.get(&after.id).map_or(now, |(since, _)| *since);
            self.tell(of_act(&endpoints, (before, after), events, (since, now)));
        }
        if !endpoints.is_empty() || self.followed.contains_key(&after.id) {
            self.follow(after, now);
        }
    }

    fn follow(&mut self, request: &Request, now: Timestamp) {
        match following(request, now) {
            Some(next) => _ = self.followed.insert(request.id, (now, next)),
            None => _ = self.followed.remove(&request.id),
        }
    }

    fn drop_endpoint(&mut self, id: EndpointId) {
        self.endpoints.remove(&id);
        self.deliveries.retain(|_, delivery| delivery.endpoint != id);
    }

    pub(super) fn endpoints(&self, owner: &Owner) -> Vec<Endpoint> {
        self.listening(owner)
    }

    pub(super) fn change(
        &mut self,
        owner: &Owner,
        id: EndpointId,
        change: &Change,
        now: Timestamp,
    ) -> Option<Endpoint> {
        let endpoint = self.endpoints.get_mut(&id).filter(|endpoint| endpoint.owner == *owner)?;
        *endpoint = endpoint.clone().changed(change, now);
        Some(endpoint.clone())
    }

    pub(super) fn remove(&mut self, owner: &Owner, id: EndpointId) -> bool {
        let is_there = self.endpoints.get(&id).is_some_and(|endpoint| endpoint.owner == *owner);
        if is_there {
            self.drop_endpoint(id);
        }
        is_there
    }

    pub(super) fn deliver(&mut self, delivery: Delivery) {
        self.wake(delivery.endpoint);
        self.tell(vec![delivery]);
    }

    pub(super) fn deliveries(&self, id: EndpointId, after: Option<DeliveryId>, limit: usize) -> Vec<Delivery> {
        let is_next = |delivery: &&Delivery| delivery.endpoint == id && after.is_none_or(|after| delivery.id < after);
        self.deliveries.values().rev().filter(is_next).take(limit).cloned().collect()
    }

    pub(super) fn deliveries_of(&self, request: RequestId, limit: usize) -> Vec<Addressed> {
        let of_it = self.deliveries.values().filter(|delivery| delivery.request == Some(request));
        of_it.filter_map(|delivery| self.addressed(delivery)).take(limit).collect()
    }

    fn addressed(&self, delivery: &Delivery) -> Option<Addressed> {
        Some((delivery.clone(), self.endpoints.get(&delivery.endpoint)?.clone()))
    }

    pub(super) fn replay(&mut self, endpoint: EndpointId, id: DeliveryId, now: Timestamp) -> Option<Delivery> {
        let delivery = self.deliveries.get_mut(&id).filter(|delivery| delivery.endpoint == endpoint)?;
        *delivery = delivery.clone().replayed(now);
        let replayed = delivery.clone();
        self.wake(endpoint);
        Some(replayed)
    }

    fn wake(&mut self, id: EndpointId) {
        if let Some(endpoint) = self.endpoints.get_mut(&id) {
            *endpoint = endpoint.clone().awake();
        }
    }

    /// When a delivery is to be sent: when it is due, and its endpoint does not rest.
    fn sent_at(&self, delivery: &Delivery) -> Option<Timestamp> {
        let endpoint = self.endpoints.get(&delivery.endpoint).filter(|endpoint| endpoint.disabled.is_none())?;
        Some(endpoint.resting_until.map_or(delivery.due_at?, |until| until.max(delivery.due_at.unwrap_or(until))))
            .filter(|_| delivery.due_at.is_some())
    }

    pub(super) fn outlook(&self) -> Outlook {
        Outlook {
            is_used: !self.endpoints.is_empty(),
            next_stage_at: self.followed.values().map(|(_, next)| *next).min(),
            next_due_at: self.deliveries.values().filter_map(|delivery| self.sent_at(delivery)).min(),
        }
    }

    pub(super) fn take(&mut self, take: &Take, now: Timestamp) -> Vec<Addressed> {
        let mut queues = Vec::new();
        for endpoint in self.endpoints.values() {
            let on_their_way = take.on_their_way.get(&endpoint.id).copied().unwrap_or(0);
            let is_due = |delivery: &&Delivery| {
                delivery.endpoint == endpoint.id && delivery.due_at.is_some_and(|due_at| due_at <= now)
            };
            let mut due: Vec<_> = self.deliveries.values().filter(is_due).cloned().collect();
            due.sort_by_key(|delivery| (delivery.due_at, delivery.id));
            due.truncate(endpoint.room(on_their_way, now));
            queues.push(DueTo { endpoint: endpoint.clone(), on_their_way, deliveries: due });
        }
        let taken: Vec<_> =
            in_turn(queues, take.most).map(|(delivery, endpoint)| (delivery.taken(now), endpoint)).collect();
        self.deliveries.extend(taken.iter().map(|(delivery, _)| (delivery.id, delivery.clone())));
        taken
    }

    pub(super) fn attempted(&mut self, report: Report, now: Timestamp) -> Option<Addressed> {
        let Report { delivery: id, attempt, heard, chance } = report;
        let delivery = self.deliveries.get(&id)?.clone().attempted(attempt, &heard, chance, now);
        let endpoint = self.endpoints.get(&delivery.endpoint)?.clone().attempted(&heard, now);
        self.deliveries.insert(id, delivery.clone());
        self.endpoints.insert(endpoint.id, endpoint.clone());
        Some((delivery, endpoint))
    }

    pub(super) fn forget(&mut self, before: Timestamp, most: usize) -> usize {
        let is_disabled = |id: &EndpointId| self.endpoints.get(id).is_none_or(|endpoint| endpoint.disabled.is_some());
        let is_old = |delivery: &&Delivery| {
            delivery.ended_at.is_some_and(|at| at < before)
                || delivery.created_at < before && is_disabled(&delivery.endpoint)
        };
        let old: Vec<_> = self.deliveries.values().filter(is_old).take(most).map(|delivery| delivery.id).collect();
        for id in &old {
            self.deliveries.remove(id);
        }
        old.len()
    }
}

impl State {
    /// Follows the timelines of an owner who has begun to listen.
    fn follow_all(&mut self, owner: &Owner, now: Timestamp) {
        for kept in self.requests.values().filter(|kept| kept.request.owner == *owner) {
            if !self.webhooks.followed.contains_key(&kept.request.id) {
                self.webhooks.follow(&kept.request, now);
            }
        }
    }

    pub(super) fn configure_endpoints(&mut self, endpoints: Vec<Endpoint>, now: Timestamp) {
        let named = |name: &Option<String>| endpoints.iter().any(|endpoint| endpoint.name == *name);
        let is_gone = |known: &&Endpoint| known.name.is_some() && !named(&known.name);
        let gone: Vec<_> = self.webhooks.endpoints.values().filter(is_gone).map(|known| known.id).collect();
        for id in gone {
            self.webhooks.drop_endpoint(id);
        }
        for endpoint in endpoints {
            let known = self.webhooks.endpoints.values().find(|known| known.name == endpoint.name);
            let endpoint = known.map_or_else(|| endpoint.clone(), |known| endpoint.clone().in_place_of(known));
            self.follow_all(&endpoint.owner.clone(), now);
            self.webhooks.endpoints.insert(endpoint.id, endpoint);
        }
    }

    pub(super) fn add_endpoint(&mut self, endpoint: Endpoint, most: usize, now: Timestamp) -> bool {
        if self.webhooks.listening(&endpoint.owner).len() >= most {
            return false;
        }
        self.follow_all(&endpoint.owner.clone(), now);
        self.webhooks.endpoints.insert(endpoint.id, endpoint);
        true
    }

    pub(super) fn follow_stages(&mut self, most: usize, now: Timestamp) {
        let due = self.webhooks.followed.iter().filter(|(_, (_, next))| *next <= now);
        let mut due: Vec<_> = due.map(|(id, (since, next))| (*next, *id, *since)).collect();
        due.sort_unstable();
        for (_, id, since) in due.into_iter().take(most) {
            let Some(kept) = self.requests.get(&id) else {
                self.webhooks.followed.remove(&id);
                continue;
            };
            let endpoints = self.webhooks.listening(&kept.request.owner);
            self.webhooks.tell(of_passed(&endpoints, &kept.request, since, now));
            self.webhooks.follow(&kept.request, now);
        }
    }
}
