//! What workers say about the requests that they have leases on, and what comes of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::types::WorkRules;
use super::{Queue, to_its_end};
use crate::core::claims::Caller;
use crate::core::error::{Error, Fault};
use crate::core::policy::{Permit, WorkRequests};
use crate::core::ports::requests::{Filter, Order, Outcome, Target};
use crate::core::request::{Act, By, Output, Report, Request, RequestId, Status, WorkState, view};
use crate::core::timeline::Failure;
use crate::telemetry::metrics::Lease;

/// The name of the leases on a request. It is no secret: whose a lease is follows from the token, and which one from the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseId(pub RequestId);

const OF_LEASE: &str = "lease_";
const OF_REQUEST: &str = "req_";

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0.to_string();
        write!(f, "{OF_LEASE}{}", id.strip_prefix(OF_REQUEST).unwrap_or(&id))
    }
}

impl FromStr for LeaseId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let id = text.strip_prefix(OF_LEASE).ok_or(())?;
        format!("{OF_REQUEST}{id}").parse().map(Self)
    }
}

/// What a worker says about its lease.
#[derive(Debug)]
pub struct Saying {
    /// Which request.
    pub lease: LeaseId,
    /// Which lease on it.
    pub epoch: u32,
    /// What.
    pub said: Said,
}

/// What a worker says.
#[derive(Debug)]
pub enum Said {
    /// It is alive.
    Alive {
        /// How long the lease is to last from now on; none: the type's own.
        lease: Option<Duration>,
        /// How far it is.
        report: Option<Report>,
    },
    /// It is done.
    Done {
        /// What the request gives.
        output: Output,
        /// The same as a value, where it is JSON.
        value: Option<Value>,
    },
    /// The attempt has failed.
    Failed {
        /// Why.
        error: Failure,
        /// How long to wait before the next attempt; none: as the type says.
        retry_after: Option<Duration>,
    },
    /// It gives the request back.
    GivesBack {
        /// How long nobody is to have it.
        delay: Duration,
    },
}

/// What came of it.
#[derive(Debug)]
pub struct Heard {
    /// The request as it stands now, durably.
    pub request: Arc<Request>,
    /// Whether the worker has the lease no more.
    pub is_lost: bool,
    /// What is wrong with the result, for which the attempt has failed.
    pub invalid: Vec<Fault>,
}

/// Something said, as an order to the store.
struct Heeded {
    order: Order,
    /// How it is counted if it is carried out.
    counted: Option<Lease>,
    invalid: Vec<Fault>,
}

impl Queue {
    /// Does as one worker says.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such lease, or it is another caller's; the store.
    pub async fn hear(&self, permit: &Permit<WorkRequests>, saying: Saying, by: By) -> Result<Heard, Error> {
        let request = self.requests.find_any(saying.lease.0).await?;
        let mut heard = self.hear_about(vec![request], permit.caller(), vec![saying], by).await?;
        heard.pop().unwrap_or(Err(Error::NotFound))
    }

    /// Does as workers say, in one commit; each saying has an outcome of its own, in the same order.
    ///
    /// # Errors
    /// The store; it is all of theirs.
    pub async fn hear_all(
        &self,
        permit: &Permit<WorkRequests>,
        sayings: Vec<Saying>,
        by: By,
    ) -> Result<Vec<Result<Heard, Error>>, Error> {
        let ids: Vec<_> = sayings.iter().map(|saying| saying.lease.0).collect();
        let (most, filter) = (ids.len(), Filter { ids, ..Filter::default() });
        let found = self.requests.list(None, &filter, None, most, self.clock.now()).await?;
        let of = |saying: &Saying| found.iter().find(|request| request.id == saying.lease.0).cloned();
        let requests = sayings.iter().map(of).collect();
        self.hear_about(requests, permit.caller(), sayings, by).await
    }

    async fn hear_about(
        &self,
        requests: Vec<Option<Arc<Request>>>,
        caller: &Caller,
        sayings: Vec<Saying>,
        by: By,
    ) -> Result<Vec<Result<Heard, Error>>, Error> {
        let (mut judged, mut orders, mut promised) = (Vec::new(), Vec::new(), Vec::new());
        for (request, saying) in requests.into_iter().zip(sayings) {
            let verdict = holder(request, caller, saying.epoch);
            if let Ok((request, false)) = &verdict {
                let Heeded { order, counted, invalid } = self.heed(request, saying, by.clone());
                orders.push(order);
                promised.push((counted, invalid));
            }
            judged.push(verdict);
        }
        let (requests, watch) = (Arc::clone(&self.requests), self.watch.clone());
        let outcomes = to_its_end(async move {
            let outcomes = if orders.is_empty() { Vec::new() } else { requests.act_all(orders).await? };
            outcomes.iter().flatten().for_each(|outcome| watch.changed(&outcome.request));
            Ok(outcomes)
        });
        let outcomes = outcomes.await?;
        let mut outcomes = outcomes.into_iter().zip(promised);
        let heard = judged.into_iter().map(|verdict| match verdict? {
            (request, true) => Ok(self.too_late(request)),
            (_, false) => match outcomes.next() {
                Some((Some(outcome), (counted, invalid))) => Ok(self.done(outcome, counted, invalid)),
                _ => Err(Error::NotFound),
            },
        });
        Ok(heard.collect())
    }

    /// What the store is to do about a saying.
    fn heed(&self, request: &Request, saying: Saying, by: By) -> Heeded {
        let usual = WorkRules::default();
        let rules = self.types.get(&request.kind).and_then(|kind| kind.work()).unwrap_or(&usual);
        let epoch = saying.epoch;
        let fail = |error, retry_after| {
            let chance = u16::from_be_bytes(self.entropy.draw());
            (Act::Fail { epoch, error, retry_after, backoff: rules.backoff, chance }, Some(Lease::Failed))
        };
        let mut invalid = Vec::new();
        let (act, counted) = match saying.said {
            Said::Alive { lease, report } => {
                (Act::Heartbeat { epoch, lease: lease.unwrap_or(rules.lease), report }, None)
            }
            Said::Done { output, value } => {
                invalid = rules.faults(value.as_ref());
                match invalid.first() {
                    None => (Act::Complete { epoch, output }, Some(Lease::Completed)),
                    Some(first) => fail(invalid_result(first), None),
                }
            }
            Said::Failed { error, retry_after } => fail(error, retry_after),
            Said::GivesBack { delay } => (Act::Release { epoch, delay }, Some(Lease::Released)),
        };
        // The same completion again is none.
        let is_over = request.work().is_some_and(|work| matches!(work.state, WorkState::Ended(_)));
        let counted = counted.filter(|_| !is_over);
        Heeded { order: Order { target: Target { owner: None, id: request.id }, act, by }, counted, invalid }
    }

    fn done(&self, outcome: Outcome, counted: Option<Lease>, invalid: Vec<Fault>) -> Heard {
        let Outcome { request, refused } = outcome;
        if refused.is_some() {
            return self.too_late(request);
        }
        let counted = counted.map(|counted| match (counted, view(&request, self.clock.now()).status) {
            (Lease::Failed | Lease::Released, Status::Cancelled) => Lease::Cancelled,
            (Lease::Failed, status) if status != Status::Failed => Lease::Retried,
            (counted, _) => counted,
        });
        if let Some(outcome) = counted {
            self.leases.count(&request.kind, outcome);
            self.finished(&request);
        }
        Heard { request, is_lost: false, invalid }
    }

    fn too_late(&self, request: Arc<Request>) -> Heard {
        self.leases.count(&request.kind, Lease::Late);
        Heard { request, is_lost: true, invalid: Vec::new() }
    }
}

/// The request, and whether the lease of that epoch on it is lost. Whoever says an older epoch had that lease, and is told so; the newest is
/// for the caller alone that it was given to.
fn holder(request: Option<Arc<Request>>, caller: &Caller, epoch: u32) -> Result<(Arc<Request>, bool), Error> {
    let request = request.filter(|request| request.erased_at.is_none()).ok_or(Error::NotFound)?;
    let work = request.work().ok_or(Error::NotFound)?;
    let worker = work.worker.as_ref().ok_or(Error::NotFound)?;
    let is_callers = worker.issuer == caller.issuer && worker.subject == caller.subject;
    match epoch.cmp(&work.epoch) {
        std::cmp::Ordering::Less if epoch > 0 => Ok((request, true)),
        std::cmp::Ordering::Equal if is_callers => Ok((request, false)),
        _ if is_callers => Ok((request, true)),
        _ => Err(Error::NotFound),
    }
}

impl WorkRules {
    /// What is wrong with a result; one without a value is no JSON.
    fn faults(&self, result: Option<&Value>) -> Vec<Fault> {
        let Some(schema) = &self.result_schema else { return Vec::new() };
        if let Some(value) = result {
            return schema.faults(value, "/result");
        }
        let detail = "the results of this type are JSON: give it as `result`".into();
        vec![Fault { pointer: "/result_base64".into(), code: "schema_violation", detail }]
    }
}

/// What the owner reads when a worker gave what breaks the schema of its type's results.
fn invalid_result(first: &Fault) -> Failure {
    Failure {
        code: "invalid_result".into(),
        title: "The worker gave an invalid result".into(),
        detail: format!(
            "What the worker gave breaks the schema of the type's results, at \"{}\": {}",
            first.pointer, first.detail
        ),
        retryable: true,
    }
}
