//! `POST /v1/requests/batch`: takes many requests in at once.

use std::collections::BTreeMap;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::submit::{IDEMPOTENCY_KEY, LONGEST_KEY, default_type};
use super::view::{Presenter, RequestView};
use crate::core::clock::Timestamp;
use crate::core::error::{Error, Fault};
use crate::core::policy::WriteRequests;
use crate::http::allowed::Allowed;
use crate::http::body::{self, AtMost, JsonBatch, Object};
use crate::http::code::Code;
use crate::http::problem::Problem;
use crate::http::{Gateway, notes};
use crate::queue::payload::Payload;
use crate::queue::{Draft, Submitted};

/// The most requests in a batch.
const MOST: usize = 1_000;

/// Many requests.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SubmitBatch {
    /// The requests: 1 to 1,000.
    #[schema(value_type = Vec<BatchItem>, min_items = 1, max_items = 1000)]
    requests: AtMost<Box<RawValue>, MOST>,
}

/// One request of a batch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct BatchItem {
    /// The type of the request.
    #[serde(rename = "type", default = "default_type")]
    #[schema(default = "default", example = "default")]
    kind: String,
    /// Your data, as the type wants it. It is kept as it comes.
    #[schema(value_type = Value)]
    payload: Box<RawValue>,
    /// Your own labels, as in a single submission.
    #[serde(default, deserialize_with = "body::unique")]
    tags: BTreeMap<String, String>,
    /// It is not to start before; at most a year ahead.
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
    /// It is to expire unless it is done before.
    #[schema(value_type = Option<String>, format = DateTime)]
    deadline: Option<Timestamp>,
    /// What the header `Idempotency-Key` is to a single submission, and the same as one.
    idempotency_key: Option<String>,
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct BatchOutcome {
    /// What became of each request, in the order of the batch.
    items: Vec<ItemOutcome>,
}

/// What became of one request of a batch: it has either `request` or `problem`.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"index": 1, "status": 400, "problem": {
    "type": "urn:anteroom:error:malformed", "title": "Malformed request", "status": 400,
    "detail": "There is no request type of that name. The types are: default, demo-fail, demo-work.", "code": "malformed",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "errors": [{"pointer": "/requests/1/type", "code": "unknown_type", "detail": "\"x\" is not one of: default, demo-fail, demo-work"}],
}}))]
struct ItemOutcome {
    /// Its place in the batch, from 0.
    index: usize,
    /// The status that it would have been answered with alone: 202, or that of the problem.
    status: u16,
    /// Whether the same submission came before.
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<bool>,
    /// The request, on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RequestView>,
    /// Why it was not taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::http::problem::ProblemBody>)]
    problem: Option<Value>,
}

/// Submit many requests
///
/// Takes up to 1,000 requests or 8 MiB into the queue in one commit. Each has an outcome of its own: those that break a rule are left
/// out, and tell why, with pointers from the root of the whole body. 200 means that all that have status 202 are on disk. Give each an
/// `idempotency_key` to be able to repeat the call safely.
#[utoipa::path(post, path = "/v1/requests/batch", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:write"])),
    request_body(content = SubmitBatch, content_type = "application/json",
        example = json!({"requests": [{"type": "default", "payload": {"answer": 42}, "idempotency_key": "order 4711"}, {"payload": null}]})),
    responses((status = 200, description = "What became of each", body = BatchOutcome)),
)]
pub(in crate::http) async fn submit_batch(
    allowed: Allowed<WriteRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    body: JsonBatch<Object<SubmitBatch>>,
) -> Result<HttpResponse, Problem> {
    let JsonBatch(Object(SubmitBatch { requests })) = body;
    check(&http, requests.count)?;
    let by = notes::by(&http, &allowed.caller().subject);
    let drafts = requests.items.into_iter().map(|item| draft(&item, &gateway));
    let outcomes = gateway.queue.submit_batch(&allowed, drafts, &by).await?;
    let presenter = Presenter::of(&http, &gateway);
    let trace_id = by.trace_id.unwrap_or_default();
    let item = |(index, outcome)| match outcome {
        Ok(Submitted { request, replayed }) => {
            let request = presenter.view(&gateway.queue.snapshot(request));
            Ok(ItemOutcome { index, status: 202, replayed: Some(replayed), request: Some(request), problem: None })
        }
        Err(error) => {
            let problem = Problem::from(error);
            let (status, body) = (problem.code.status().as_u16(), serde_json::to_value(problem.body(&trace_id)));
            let body = body.map_err(|_| Problem::new(Code::Internal))?;
            Ok(ItemOutcome { index, status, replayed: None, request: None, problem: Some(body) })
        }
    };
    let items = outcomes.into_iter().enumerate().map(item).collect::<Result<_, Problem>>()?;
    Ok(HttpResponse::Ok().json(BatchOutcome { items }))
}

/// The rules for the batch as a whole.
fn check(http: &HttpRequest, count: usize) -> Result<(), Error> {
    if http.headers().contains_key(IDEMPOTENCY_KEY) {
        let detail = "A batch has no Idempotency-Key: give each request in it an `idempotency_key`.".into();
        return Err(Error::Malformed { detail, faults: Vec::new() });
    }
    if (1..=MOST).contains(&count) {
        return Ok(());
    }
    let (code, pointer) = (if count == 0 { "invalid_value" } else { "too_many" }, "/requests".into());
    let fault = Fault { pointer, code, detail: format!("{count} requests, and 1 to {MOST} make a batch") };
    let detail = format!("A batch has 1 to {MOST} requests. Send more in several batches.");
    Err(Error::Malformed { detail, faults: vec![fault] })
}

/// What one item submits, with faults pointed at from its own root.
fn draft(item: &RawValue, gateway: &Gateway) -> Result<Draft, Error> {
    body::check_size(item, gateway)?;
    let Object(item) = body::parse::<Object<BatchItem>>(item.get().as_bytes())?;
    let BatchItem { kind, payload, tags, not_before, deadline, idempotency_key } = item;
    if idempotency_key.as_ref().is_some_and(|key| !is_key(key)) {
        let detail = format!("An idempotency key has 1 to {LONGEST_KEY} printable ASCII characters.");
        let fault = Fault { pointer: "/idempotency_key".into(), code: "invalid_value", detail: detail.clone() };
        return Err(Error::Malformed { detail, faults: vec![fault] });
    }
    Ok(Draft { kind, payload: Payload::read(payload, "/payload")?, tags, not_before, deadline, idempotency_key })
}

/// What could stand in the header as well.
fn is_key(key: &str) -> bool {
    (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| matches!(byte, b' '..=b'~')) && key.trim() == key
}
