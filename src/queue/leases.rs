//! Leases for workers: who asks gets what is ready, and stands in line for what will be.

use std::sync::Arc;
use std::time::Duration;

use super::line::Place;
use super::submit::shown;
use super::{Queue, to_its_end};
use crate::core::error::{Error, Fault};
use crate::core::policy::{Permit, WorkRequests};
use crate::core::ports::requests::Claim;
use crate::core::request::{By, EventKind, Request, Worker};
use crate::telemetry::metrics::Lease;

/// What a worker asks for.
#[derive(Debug)]
pub struct Wanted {
    /// Of which types.
    pub kinds: Vec<String>,
    /// How many at most.
    pub most: usize,
    /// How long each lease lasts; none: the shortest of the types' own.
    pub lease: Option<Duration>,
    /// What the worker calls itself.
    pub worker_id: String,
}

/// A request that was leased, with its payload.
#[derive(Debug)]
pub struct Leased {
    /// The request.
    pub request: Arc<Request>,
    /// The payload, as JSON text.
    pub payload: String,
}

/// A worker that looks for work.
pub struct Search<'a> {
    queue: &'a Queue,
    kinds: Vec<String>,
    claim: Claim,
    /// Where it stands in line since it looked last.
    place: Option<Place>,
}

impl Queue {
    /// Begins to look for work.
    ///
    /// # Errors
    /// [`Error::Malformed`] with a pointer to each type that there is not, or that no worker works on.
    pub fn search(&self, permit: &Permit<WorkRequests>, wanted: Wanted, by: By) -> Result<Search<'_>, Error> {
        let (mut kinds, mut faults) = (Vec::new(), Vec::new());
        let mut lease = None;
        for (number, name) in wanted.kinds.into_iter().enumerate() {
            let Some(rules) = self.types.get(&name).and_then(|kind| kind.work()) else {
                faults.push(self.not_for_workers(number, &name));
                continue;
            };
            lease = lease.into_iter().chain([rules.lease]).min();
            if !kinds.iter().any(|(known, _)| *known == name) {
                kinds.push((name, rules.run_timeout));
            }
        }
        if !faults.is_empty() {
            let detail = "Some of the types are not for workers; see errors for each.".into();
            return Err(Error::Malformed { detail, faults });
        }
        let caller = permit.caller();
        let worker = Worker { issuer: caller.issuer.clone(), subject: caller.subject.clone(), id: wanted.worker_id };
        let lease = wanted.lease.or(lease).unwrap_or_default();
        let names = kinds.iter().map(|(name, _)| name.clone()).collect();
        Ok(Search {
            queue: self,
            kinds: names,
            claim: Claim { kinds, most: wanted.most, lease, worker, by },
            place: None,
        })
    }

    fn not_for_workers(&self, number: usize, name: &str) -> Fault {
        let known = self.types.iter().filter(|kind| kind.work().is_some()).map(|kind| kind.name.as_str());
        let known = known.collect::<Vec<_>>().join(", ");
        let expected = if known.is_empty() {
            "there are none: give a type processor = \"lease\"".to_owned()
        } else {
            format!("those for workers are: {known}")
        };
        let detail = format!("\"{}\" is no type for workers; {expected}", shown(name));
        Fault { pointer: format!("/types/{number}"), code: "unknown_type", detail }
    }

    /// Counts the leases that were given, and the earlier ones that have lapsed.
    async fn count_given(&self, request: &Request) {
        self.leases.count(&request.kind, Lease::Given);
        if request.work().is_none_or(|work| work.epoch < 2) {
            return;
        }
        // Only the history tells a worker that was lost from one that failed.
        let events = self.requests.events(request.id).await.unwrap_or_default();
        let before = events.iter().rev().skip(1).find(|event| event.kind != EventKind::TimePassed);
        if before.is_some_and(|event| matches!(event.kind, EventKind::Leased | EventKind::Progressed)) {
            self.leases.count(&request.kind, Lease::Lapsed);
        }
    }
}

impl Search<'_> {
    /// Looks for work, and joins the line.
    ///
    /// # Errors
    /// The store.
    pub async fn look(&mut self) -> Result<Vec<Leased>, Error> {
        let line = self.queue.watch.workers();
        let place = line.join(&self.kinds);
        let (requests, watch, claim) = (Arc::clone(&self.queue.requests), self.queue.watch.clone(), self.claim.clone());
        let claimed = to_its_end(async move {
            let claimed = requests.claim(claim).await?;
            claimed.leased.iter().for_each(|(request, _)| watch.changed(request));
            Ok(claimed)
        });
        let claimed = claimed.await?;
        if let Some(earlier) = self.place.take() {
            earlier.followed();
        }
        if let Some(at) = claimed.next_ready_at {
            line.set_alarm(&self.kinds, at);
        }
        if claimed.leased.is_empty() {
            self.place = Some(place);
            return Ok(Vec::new());
        }
        drop(place);
        if claimed.leased.len() >= self.claim.most {
            line.pass_on(&self.kinds);
        }
        for (request, _) in &claimed.leased {
            self.queue.count_given(request).await;
        }
        Ok(claimed.leased.into_iter().map(|(request, payload)| Leased { request, payload }).collect())
    }

    /// Completes when it makes sense to look again.
    pub async fn woken(&self) {
        if let Some(place) = &self.place {
            place.woken().await;
        }
    }
}
