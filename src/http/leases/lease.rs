//! `POST /v1/leases`: a worker asks for work.

use std::collections::BTreeMap;
use std::pin::pin;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::{Either, select};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::rules::Rules;
use crate::core::clock::Timestamp;
use crate::core::error::Error;
use crate::core::policy::WorkRequests;
use crate::core::request::WorkState;
use crate::http::allowed::Allowed;
use crate::http::body::{Json, Object};
use crate::http::code::Code;
use crate::http::held::Place;
use crate::http::limits::InWork;
use crate::http::prefer::Wait;
use crate::http::problem::Problem;
use crate::http::{Gateway, notes};
use crate::queue::leases::{Leased, Search, Wanted};
use crate::queue::work::LeaseId;

/// So many types may be asked for, and so many leases.
const MOST: usize = 100;

/// What a worker asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct LeaseRequests {
    /// Of which types; 1 to 100.
    #[schema(example = json!(["demo-work"]))]
    types: Vec<String>,
    /// The most requests at once: 1 to 100.
    #[serde(default = "one")]
    #[schema(default = 1, minimum = 1, maximum = 100)]
    max: u64,
    /// How long each lease lasts unless a heartbeat prolongs it: 1 to 3600. Unless told, as the type says; of several types the shortest.
    #[schema(minimum = 1, maximum = 3600, example = 60)]
    lease_seconds: Option<u64>,
    /// What the worker calls itself, for the Provider's eyes; 1 to 128 visible ASCII characters.
    #[schema(example = "worker-1")]
    worker_id: String,
}

fn one() -> u64 {
    1
}

/// Requests that were leased.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"leases": [{
    "lease_id": "lease_01JD9W3W7QX5T4N0V6K8B2C1DE", "request_id": "req_01JD9W3W7QX5T4N0V6K8B2C1DE", "type": "demo-work", "epoch": 1,
    "attempt": 1, "max_attempts": 3, "lease_until": "2026-11-22T06:13:03.482Z", "run_until": "2026-11-22T06:27:03.482Z",
    "deadline": null, "submitted_at": "2026-11-22T06:12:03.482Z", "tags": {"order": "4711"}, "payload": {"answer": 42},
}]}))]
pub(in crate::http) struct Leases {
    /// One or more.
    leases: Vec<LeaseView>,
}

/// A request that was leased.
#[derive(Serialize, ToSchema)]
#[schema(as = Lease)]
struct LeaseView {
    /// The name under which the worker speaks of it.
    lease_id: String,
    /// The request.
    request_id: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// The fencing number: send it with all that you say about the request. It grows with each lease, so it serves as a fencing token
    /// for what you write elsewhere.
    epoch: u32,
    /// Which attempt this is.
    attempt: u32,
    /// How many there may be.
    max_attempts: u32,
    /// The lease ends then, unless a heartbeat prolongs it.
    #[schema(required, value_type = String, format = DateTime)]
    lease_until: Option<Timestamp>,
    /// The attempt ends then, heartbeats or not.
    #[schema(required, value_type = String, format = DateTime)]
    run_until: Option<Timestamp>,
    /// The request expires then.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    deadline: Option<Timestamp>,
    /// When it was submitted.
    #[schema(value_type = String, format = DateTime)]
    submitted_at: Timestamp,
    /// Its owner's labels.
    tags: BTreeMap<String, String>,
    /// What its owner submitted, as it came.
    #[schema(value_type = Value)]
    payload: Box<RawValue>,
}

/// Lease requests
///
/// Answers requests to work on, each with a lease: until `lease_until` nobody else is given it. Each counts as an attempt. Prolong the
/// lease by heartbeats while you work, and end it by `complete`, `fail` or `release`. Of several owners' requests each gets its turn.
/// With `Prefer: wait=N` the call is held for up to N seconds until there is work. A request may be given out again when a worker is
/// not heard of in time: work so that twice does no harm.
#[utoipa::path(post, path = "/v1/leases", tag = "workers",
    security(("bearer" = []), ("oauth2" = ["requests:work"])),
    params(("Prefer" = Option<String>, Header, description = "`wait=N`: be held for up to N seconds (at most 50) until there is work")),
    request_body(content = LeaseRequests, content_type = "application/json",
        example = json!({"types": ["demo-work"], "max": 1, "worker_id": "worker-1"})),
    responses(
        (status = 200, description = "Requests to work on", body = Leases, headers(
            ("Preference-Applied" = Option<String>, description = "`wait=N`, as it was heeded"),
        )),
        (status = 204, description = "There is nothing to work on now", headers(
            ("Preference-Applied" = Option<String>, description = "`wait=N`, as it was heeded"),
        )),
    ),
)]
pub(in crate::http) async fn lease_requests(
    allowed: Allowed<WorkRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    body: Json<Object<LeaseRequests>>,
) -> Result<HttpResponse, Problem> {
    let Json(Object(asked)) = body;
    let by = notes::by(&http, &allowed.caller().subject);
    let mut search = gateway.queue.search(&allowed, asked.wanted()?, by)?;
    let (leased, applied) = find(&gateway, &http, &mut search).await?;
    let mut answer = if leased.is_empty() { HttpResponse::NoContent() } else { HttpResponse::Ok() };
    if let Some(wait) = applied {
        answer.insert_header(wait.applied());
    }
    if leased.is_empty() {
        return Ok(answer.finish());
    }
    let given = leased.into_iter().map(LeaseView::new).collect::<Result<_, Problem>>()?;
    Ok(answer.json(Leases { leases: given }))
}

/// Looks for work, for as long as the worker is ready to wait; and for how long it was.
async fn find(
    gateway: &Data<Gateway>,
    http: &HttpRequest,
    search: &mut Search<'_>,
) -> Result<(Vec<Leased>, Option<Wait>), Problem> {
    let wait = Wait::of(http);
    let leased = search.look().await?;
    let (Some(wait), true) = (wait, leased.is_empty()) else { return Ok((leased, wait)) };
    let Some(_place) = Place::take(gateway) else { return Ok((leased, None)) };
    let stop = pin!(gateway.begins_to_stop());
    let mut over = select(gateway.clock.sleep(wait.duration()), stop);
    loop {
        // Only the wait is cut off: what was leased is answered.
        if !is_woken(gateway, http, search, &mut over).await {
            return Ok((Vec::new(), Some(wait)));
        }
        let leased = search.look().await?;
        if !leased.is_empty() {
            return Ok((leased, Some(wait)));
        }
    }
}

/// Whether there may be work before it is `over`. The call is not in work meanwhile, or those that are held would keep all others out.
async fn is_woken(gateway: &Gateway, http: &HttpRequest, search: &Search<'_>, over: impl Future + Unpin) -> bool {
    let _aside = InWork::of(http).map(|counted| gateway.in_flight.aside(counted));
    matches!(select(pin!(search.woken()), over).await, Either::Left(_))
}

impl LeaseRequests {
    fn wanted(self) -> Result<Wanted, Error> {
        let mut rules = Rules::default();
        if !(1..=MOST).contains(&self.types.len()) {
            let detail = format!("{} types, and 1 to {MOST} may be asked for", self.types.len());
            rules.refuse("/types", "invalid_value", detail);
        }
        rules.within("/max", self.max, 1..=MOST as u64);
        let lease = rules.lease(self.lease_seconds);
        let is_visible = self.worker_id.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_visible || !(1..=128).contains(&self.worker_id.len()) {
            rules.refuse("/worker_id", "invalid_value", "it has 1 to 128 visible ASCII characters");
        }
        let most = usize::try_from(self.max).unwrap_or(MOST);
        rules.hold(Wanted { kinds: self.types, most, lease, worker_id: self.worker_id })
    }
}

impl LeaseView {
    fn new(Leased { request, payload }: Leased) -> Result<Self, Problem> {
        let work = request.work().ok_or_else(|| Problem::new(Code::Internal))?;
        // What is no longer kept reads as null.
        let payload = if payload.is_empty() { "null".into() } else { payload };
        Ok(Self {
            lease_id: LeaseId(request.id).to_string(),
            request_id: request.id.to_string(),
            kind: request.kind.clone(),
            epoch: work.epoch,
            attempt: work.attempt,
            max_attempts: work.most_attempts,
            lease_until: request.lease_ends_at(),
            run_until: run_until(&work.state),
            deadline: request.deadline,
            submitted_at: request.submitted_at,
            tags: request.tags.clone(),
            payload: RawValue::from_string(payload).map_err(|_| Problem::new(Code::Internal))?,
        })
    }
}

/// When the attempt ends.
pub(super) fn run_until(state: &WorkState) -> Option<Timestamp> {
    match state {
        WorkState::Running { run_until, .. } => Some(*run_until),
        _ => None,
    }
}
