//! `POST /v1/leases/batch`: what workers say about many leases, in one commit.

use std::collections::BTreeMap;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::complete::Complete;
use super::fail::Fail;
use super::heartbeat::{Extended, Heartbeat};
use super::release::Release;
use super::view::WorkView;
use super::{judge, lease_id};
use crate::core::error::{Error, Fault};
use crate::core::json;
use crate::core::policy::WorkRequests;
use crate::http::allowed::Allowed;
use crate::http::body::{self, AtMost, JsonBatch, Object};
use crate::http::code::Code;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Gateway, notes};
use crate::queue::work::{Heard, LeaseId, Said, Saying};

/// So many acts make a batch.
const MOST: usize = 1000;

/// What workers say about many leases.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ActOnLeases {
    /// 1 to 1,000 of them, carried out in this order. Each has `lease_id`, `act` (`heartbeat`, `complete`, `fail` or `release`), and
    /// the members of the body of that operation.
    #[schema(value_type = Vec<LeaseAct>)]
    acts: AtMost<Box<RawValue>, MOST>,
}

/// What a worker says about one lease; beside these members stand those of the body of the operation that `act` names.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct LeaseAct {
    /// The lease.
    #[schema(example = "lease_01JD9W3W7QX5T4N0V6K8B2C1DE")]
    lease_id: String,
    /// What is done: `heartbeat`, `complete`, `fail` or `release`.
    #[schema(example = "complete")]
    act: String,
    /// The lease's fencing number.
    #[schema(example = 1)]
    epoch: u32,
}

/// What became of each act, in the same order.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{"index": 0, "status": 200, "lease": {
    "lease_until": "2026-11-22T06:13:03.482Z", "cancel_requested": false, "deadline": null, "run_until": "2026-11-22T06:27:03.482Z",
}}]}))]
pub(in crate::http) struct LeaseOutcomes {
    items: Vec<LeaseOutcome>,
}

/// What became of an act: its status and what the operation answers when it stands alone.
#[derive(Serialize, ToSchema)]
struct LeaseOutcome {
    /// Its place in the batch, from 0.
    index: usize,
    /// The HTTP status that the operation alone answers.
    #[schema(example = 200)]
    status: u16,
    /// The lease, after a heartbeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<Extended>,
    /// The request, after an act that ends the lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<WorkView>,
    /// Why it was not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ProblemBody<'static>>)]
    problem: Option<Value>,
}

/// Act on many leases
///
/// Heartbeats, completions, failures and releases of up to 1,000 leases in one commit; each has an outcome of its own.
#[utoipa::path(post, path = "/v1/leases/batch", tag = "workers",
    security(("bearer" = []), ("oauth2" = ["requests:work"])),
    request_body(content = ActOnLeases, content_type = "application/json", example = json!({"acts": [
        {"lease_id": "lease_01JD9W3W7QX5T4N0V6K8B2C1DE", "act": "complete", "epoch": 1, "result": {"pages": 10}},
        {"lease_id": "lease_01JD9W3W7QX5T4N0V6K8B2C1DF", "act": "heartbeat", "epoch": 3},
    ]})),
    responses((status = 200, description = "What became of each", body = LeaseOutcomes)),
)]
pub(in crate::http) async fn act_on_leases(
    allowed: Allowed<WorkRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    body: JsonBatch<Object<ActOnLeases>>,
) -> Result<HttpResponse, Problem> {
    let JsonBatch(Object(ActOnLeases { acts })) = body;
    check_count(acts.count)?;
    let by = notes::by(&http, &allowed.caller().subject);
    let trace_id = by.trace_id.clone().unwrap_or_default();
    let (mut read, mut sayings) = (Vec::new(), Vec::new());
    for act in &acts.items {
        read.push(saying(act, &gateway).map(|saying| {
            let is_heartbeat = matches!(saying.said, Said::Alive { .. });
            sayings.push(saying);
            is_heartbeat
        }));
    }
    let mut heard = gateway.queue.hear_all(&allowed, sayings, by).await?.into_iter();
    let mut items = Vec::new();
    for (index, read) in read.into_iter().enumerate() {
        let outcome = match read {
            Ok(is_heartbeat) => {
                let heard = heard.next().unwrap_or(Err(Error::NotFound)).map_err(Problem::from);
                heard.and_then(|heard| judge(&gateway, heard)).map(|heard| (is_heartbeat, heard))
            }
            Err(problem) => Err(problem),
        };
        items.push(LeaseOutcome::new(index, outcome, &gateway, &trace_id)?);
    }
    Ok(HttpResponse::Ok().json(LeaseOutcomes { items }))
}

fn check_count(count: usize) -> Result<(), Error> {
    if (1..=MOST).contains(&count) {
        return Ok(());
    }
    let detail = format!("{count} acts, and 1 to {MOST} make a batch");
    let fault = Fault { pointer: "/acts".into(), code: "invalid_value", detail };
    Err(Error::Malformed {
        detail: format!("A batch has 1 to {MOST} acts. Send more in several."),
        faults: vec![fault],
    })
}

/// Reads one item, by the rules of the operation that it names.
fn saying(item: &RawValue, gateway: &Gateway) -> Result<Saying, Problem> {
    body::check_size(item, gateway)?;
    let text = item.get().as_bytes();
    let mut members: BTreeMap<String, Box<RawValue>> = body::parse(text)?;
    if let Err(error) = json::parse(text) {
        let fault = Fault { pointer: String::new(), code: "duplicate_field", detail: error.to_string() };
        return Err(
            Error::Malformed { detail: format!("The item can not be read: {error}."), faults: vec![fault] }.into()
        );
    }
    let lease: LeaseId = lease_id(&text_of(&mut members, "lease_id")?)?;
    let act = text_of(&mut members, "act")?;
    let rest = serde_json::to_vec(&members).map_err(|_| Problem::new(Code::Internal))?;
    let (epoch, said) = match act.as_str() {
        "heartbeat" => of::<Heartbeat>(&rest, |body| (body.epoch, body.said()))?,
        "complete" => of::<Complete>(&rest, |body| (body.epoch, body.said()))?,
        "fail" => of::<Fail>(&rest, |body| (body.epoch, body.said()))?,
        "release" => of::<Release>(&rest, |body| (body.epoch, body.said()))?,
        _ => {
            let detail = "it is none of `heartbeat`, `complete`, `fail`, `release`";
            return Err(faulty("act", "invalid_value", detail.into()));
        }
    };
    Ok(Saying { lease, epoch, said })
}

fn of<T: DeserializeOwned>(
    rest: &[u8],
    read: impl FnOnce(T) -> (u32, Result<Said, Error>),
) -> Result<(u32, Said), Problem> {
    let Object(body) = body::parse::<Object<T>>(rest)?;
    let (epoch, said) = read(body);
    Ok((epoch, said?))
}

fn text_of(members: &mut BTreeMap<String, Box<RawValue>>, name: &str) -> Result<String, Problem> {
    let Some(text) = members.remove(name) else {
        return Err(faulty(name, "missing_field", format!("missing field `{name}`")));
    };
    serde_json::from_str(text.get()).map_err(|_| faulty(name, "wrong_type", "it is not a text".into()))
}

fn faulty(name: &str, code: &'static str, detail: String) -> Problem {
    let fault = Fault { pointer: format!("/{name}"), code, detail };
    Error::Malformed { detail: format!("The item can not be read: {name}: {}.", fault.detail), faults: vec![fault] }
        .into()
}

impl LeaseOutcome {
    fn new(
        index: usize,
        outcome: Result<(bool, Heard), Problem>,
        gateway: &Gateway,
        trace_id: &str,
    ) -> Result<Self, Problem> {
        let nothing = Self { index, status: 200, lease: None, request: None, problem: None };
        Ok(match outcome {
            Ok((true, heard)) => Self { lease: Some(Extended::new(&heard.request)), ..nothing },
            Ok((false, heard)) => {
                Self { request: Some(WorkView::new(&gateway.queue.snapshot(heard.request))), ..nothing }
            }
            Err(problem) => {
                let problem = problem.below(&format!("/acts/{index}"));
                let body = serde_json::to_value(problem.body(trace_id)).map_err(|_| Problem::new(Code::Internal))?;
                Self { status: problem.code.status().as_u16(), problem: Some(body), ..nothing }
            }
        })
    }
}
