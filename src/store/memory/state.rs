//! What is in memory, and the operations on it: each looks at everything, and none is clever.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::webhooks::Webhooks;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::ports::requests::{Filter, NewRequest, Order, Outcome, Position, Submission};
use crate::core::request::{Act, Event, Output, Owner, Process, Request, RequestId, WorkState};

/// All that is kept.
#[derive(Default)]
pub(super) struct State {
    pub(super) requests: BTreeMap<RequestId, Kept>,
    /// By owner, route and key: the fingerprint of the body, and the request.
    pub(super) keys: HashMap<(Owner, &'static str, String), ([u8; 32], RequestId)>,
    /// Whose request of a type was leased last.
    pub(super) served: HashMap<String, Owner>,
    pub(super) webhooks: Webhooks,
}

/// A request with what belongs to it.
pub(super) struct Kept {
    pub(super) request: Arc<Request>,
    pub(super) payload: Option<String>,
    pub(super) output: Option<Output>,
    pub(super) events: Vec<Event>,
}

impl State {
    pub(super) fn submit_all(&mut self, new: Vec<NewRequest>) -> Result<Vec<Submission>, StoreError> {
        let mut submissions = Vec::new();
        for new in new {
            match self.submit(new) {
                Ok(submission) => submissions.push(submission),
                Err(error) => {
                    self.take_back(&submissions);
                    return Err(error);
                }
            }
        }
        Ok(submissions)
    }

    /// Removes what was accepted: the commit that it was to be part of fails.
    fn take_back(&mut self, submissions: &[Submission]) {
        for submission in submissions {
            if let Submission::Accepted(request) = submission {
                self.remove(request.id);
            }
        }
    }

    /// Removes a request with all that belongs to it.
    pub(super) fn remove(&mut self, id: RequestId) {
        self.requests.remove(&id);
        self.keys.retain(|_, (_, of)| *of != id);
    }

    pub(super) fn submit(&mut self, new: NewRequest) -> Result<Submission, StoreError> {
        if let Some(earlier) = self.replay(&new) {
            return Ok(earlier);
        }
        if self.requests.contains_key(&new.request.id) {
            return Err(StoreError::Failed(format!("the id {} is taken", new.request.id).into()));
        }
        let NewRequest { request, idempotency, payload, by } = new;
        if let Some(sent) = idempotency {
            self.keys.insert((request.owner.clone(), sent.route, sent.key), (sent.fingerprint, request.id));
        }
        let request = Arc::new(request);
        let is_worked_on = request.work().is_some();
        let events = is_worked_on.then(|| request.submitted_event(&by)).into_iter().collect();
        let kept = Kept { request: Arc::clone(&request), payload: Some(payload), output: None, events };
        self.requests.insert(request.id, kept);
        self.webhooks.submitted(&request);
        Ok(Submission::Accepted(request))
    }

    fn replay(&self, new: &NewRequest) -> Option<Submission> {
        let owner = &new.request.owner;
        let stored = |id: &RequestId| self.requests.get(id).map(|kept| Arc::clone(&kept.request));
        if let Some(sent) = &new.idempotency
            && let Some((fingerprint, id)) = self.keys.get(&(owner.clone(), sent.route, sent.key.clone()))
        {
            let same = sent.fingerprint == *fingerprint;
            return Some(stored(id).filter(|_| same).map_or(Submission::KeyReused, Submission::Replayed));
        }
        self.find_by_alias(owner, new.request.alias.as_ref()?).map(Submission::Replayed)
    }

    pub(super) fn find(&self, owner: Option<&Owner>, id: RequestId) -> Option<Arc<Request>> {
        let request = &self.requests.get(&id)?.request;
        owner.is_none_or(|owner| request.owner == *owner).then(|| Arc::clone(request))
    }

    pub(super) fn find_by_alias(&self, owner: &Owner, alias: &str) -> Option<Arc<Request>> {
        let is_it = |request: &&Arc<Request>| request.owner == *owner && request.alias.as_deref() == Some(alias);
        self.requests.values().map(|kept| &kept.request).find(is_it).cloned()
    }

    pub(super) fn list(
        &self,
        owner: Option<&Owner>,
        filter: &Filter,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> Vec<Arc<Request>> {
        let place = |request: &Request| (request.submitted_at, request.id);
        let has_key = |request: &Request| {
            filter.idempotency_key.as_ref().is_none_or(|(route, key)| {
                let kept = self.keys.get(&(request.owner.clone(), *route, key.clone()));
                kept.is_some_and(|(_, id)| *id == request.id)
            })
        };
        let fits = |request: &&Arc<Request>| {
            owner.is_none_or(|owner| request.owner == *owner)
                && after.is_none_or(|after| place(request) < (after.submitted_at, after.id))
                && has_key(request)
                && filter.lets_through_at(request, now)
        };
        let mut page: Vec<_> = self.requests.values().map(|kept| &kept.request).filter(fits).cloned().collect();
        page.sort_by_key(|request| std::cmp::Reverse(place(request)));
        page.truncate(limit);
        page
    }

    pub(super) fn count_open(&self, owner: &Owner, now: Timestamp) -> u64 {
        let requests = self.requests.values().map(|kept| &kept.request).filter(|request| request.owner == *owner);
        let has_ended =
            |request: &Request| request.work().is_some_and(|work| matches!(work.state, WorkState::Ended(_)));
        let is_open = |request: &&Arc<Request>| !has_ended(request) && request.ends_at().is_none_or(|end| end > now);
        requests.filter(is_open).count() as u64
    }

    /// Carries out an act at `now`.
    pub(super) fn act(&mut self, order: &Order, now: Timestamp) -> Option<Outcome> {
        let request = self.find(order.target.owner.as_ref(), order.target.id)?;
        if request.erased_at.is_some() {
            return None;
        }
        let kept = self.requests.get_mut(&request.id)?;
        let acted = if matches!(order.act, Act::Redrive) && kept.payload.is_none() {
            request.act_without_payload(&order.by, now)
        } else {
            request.act(&order.act, &order.by, now)
        };
        let is_done = acted.refused.is_none() && acted.written.is_some();
        if let Some(written) = acted.written {
            kept.request = Arc::new(written);
            self.webhooks.acted(&request, &kept.request, &acted.events, now);
        }
        kept.events.extend(acted.events);
        if is_done {
            match &order.act {
                Act::Complete { output, .. } => kept.output = Some(output.clone()),
                Act::Erase => {
                    (kept.payload, kept.output) = (None, None);
                    self.keys.retain(|_, (_, id)| *id != request.id);
                }
                _ => {}
            }
        }
        Some(Outcome { request: self.find(None, request.id)?, refused: acted.refused })
    }

    pub(super) fn payload(&self, id: RequestId) -> Option<String> {
        self.requests.get(&id)?.payload.clone()
    }

    pub(super) fn output(&self, id: RequestId) -> Option<Output> {
        self.requests.get(&id)?.output.clone()
    }

    pub(super) fn events(&self, id: RequestId) -> Vec<Event> {
        self.requests.get(&id).map(|kept| kept.events.clone()).unwrap_or_default()
    }

    /// The requests that workers work on, tombstones aside.
    pub(super) fn worked_on(&self) -> impl Iterator<Item = &Arc<Request>> {
        let requests = self.requests.values().map(|kept| &kept.request);
        requests.filter(|request| matches!(request.process, Process::Lease(_)) && request.erased_at.is_none())
    }
}
