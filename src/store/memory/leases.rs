//! Leases, ends and backlogs: what the store does for workers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::state::State;
use crate::core::clock::Timestamp;
use crate::core::ports::requests::{Backlog, Claim, Claimed, Order, Target};
use crate::core::request::{Act, By, Request, Status, WorkState, view};

impl State {
    pub(super) fn claim(&mut self, claim: &Claim, now: Timestamp) -> Claimed {
        let mut claimed = Claimed::default();
        // One of each type in turn, until there is nothing more.
        let mut kinds = claim.kinds.clone();
        while claimed.leased.len() < claim.most && !kinds.is_empty() {
            kinds.retain(|(kind, run)| {
                let got =
                    if claimed.leased.len() < claim.most { self.lease_next(claim, kind, *run, now) } else { None };
                let is_more = got.is_some();
                claimed.leased.extend(got);
                is_more
            });
        }
        let is_asked_for = |request: &&Arc<Request>| claim.kinds.iter().any(|(kind, _)| *kind == request.kind);
        claimed.next_ready_at =
            self.worked_on().filter(is_asked_for).filter_map(|request| request.ready_at()).filter(|at| *at > now).min();
        claimed
    }

    /// Leases the one that is ready longest, of the owner whose turn it is.
    fn lease_next(
        &mut self,
        claim: &Claim,
        kind: &str,
        run: Duration,
        now: Timestamp,
    ) -> Option<(Arc<Request>, String)> {
        let is_ready = |request: &&Arc<Request>| request.kind == kind && view(request, now).status == Status::Queued;
        let ready: Vec<_> = self.worked_on().filter(is_ready).collect();
        let owners = || ready.iter().map(|request| &request.owner);
        let served = self.served.get(kind);
        let after_served = owners().filter(|owner| served.is_none_or(|served| *owner > served)).min();
        let owner = after_served.or_else(|| owners().min())?.clone();
        let of_owner = ready.iter().filter(|request| request.owner == owner);
        let id = of_owner.min_by_key(|request| (request.ready_at(), request.id))?.id;
        self.served.insert(kind.into(), owner);
        let act = Act::Lease { worker: claim.worker.clone(), lease: claim.lease, run };
        let order = Order { target: Target { owner: None, id }, act, by: claim.by.clone() };
        let outcome = self.act(&order, now).filter(|outcome| outcome.refused.is_none())?;
        Some((outcome.request, self.payload(id).unwrap_or_default()))
    }

    pub(super) fn settle(&mut self, most: usize, now: Timestamp) -> (Vec<Arc<Request>>, Option<Timestamp>) {
        let is_open =
            |request: &&Arc<Request>| request.work().is_some_and(|work| !matches!(work.state, WorkState::Ended(_)));
        let ends = |request: &Arc<Request>| request.ends_at().map(|at| (at, request.id));
        let mut ends: Vec<_> = self.worked_on().filter(is_open).filter_map(ends).collect();
        ends.sort_unstable();
        let due = ends.iter().take_while(|(at, _)| *at <= now).take(most).copied().collect::<Vec<_>>();
        let order = |id| Order { target: Target { owner: None, id }, act: Act::Settle, by: By::default() };
        let settled = due.iter().filter_map(|(_, id)| Some(self.act(&order(*id), now)?.request)).collect();
        (settled, ends.get(due.len()).map(|(at, _)| *at))
    }

    pub(super) fn backlogs(&self, now: Timestamp) -> Vec<Backlog> {
        let mut backlogs = BTreeMap::new();
        for request in self.worked_on() {
            let kind = request.kind.clone();
            let empty = Backlog { kind: kind.clone(), ready: 0, waiting: 0, in_flight: 0, oldest_ready: None };
            let backlog = backlogs.entry(kind).or_insert(empty);
            match view(request, now).status {
                Status::Queued => {
                    backlog.ready += 1;
                    let oldest = backlog.oldest_ready.into_iter().chain(request.ready_at()).min();
                    backlog.oldest_ready = oldest;
                }
                Status::Scheduled | Status::Retrying => backlog.waiting += 1,
                Status::Running => backlog.in_flight += 1,
                _ => {}
            }
        }
        backlogs.into_values().collect()
    }
}
