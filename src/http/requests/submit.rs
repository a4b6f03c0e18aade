//! `POST /v1/requests`: takes a request in.

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::view::{Presenter, RequestView};
use super::{hold, show};
use crate::core::clock::Timestamp;
use crate::core::error::{Error, Fault};
use crate::core::policy::WriteRequests;
use crate::http::allowed::Allowed;
use crate::http::body::{self, Json, Object};
use crate::http::prefer::Wait;
use crate::http::problem::Problem;
use crate::http::{Gateway, notes};
use crate::queue::payload::Payload;
use crate::queue::{Draft, Submitted};

pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";
pub(super) const LONGEST_KEY: usize = 255;

/// What is submitted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SubmitRequest {
    /// The type of the request.
    #[serde(rename = "type", default = "default_type")]
    #[schema(default = "default", example = "default")]
    kind: String,
    /// Your data, as the type wants it. It is kept as it comes.
    #[schema(value_type = Value)]
    payload: Box<RawValue>,
    /// Your own labels: at most 20, keys of `[a-z0-9_.-]{1,40}`, values of up to 200 characters.
    #[serde(default, deserialize_with = "body::unique")]
    tags: BTreeMap<String, String>,
    /// It is not to start before; at most a year ahead.
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
    /// It is to expire unless it is done before.
    #[schema(value_type = Option<String>, format = DateTime)]
    deadline: Option<Timestamp>,
}

pub(super) fn default_type() -> String {
    "default".into()
}

/// Submit a request
///
/// Takes the request into the queue and answers its `request_id` at once. 202 means that it is on disk. Send an `Idempotency-Key` to
/// be able to repeat the call safely: the same key with the same body answers the same request with `Idempotent-Replayed: true`.
///
/// With `Prefer: wait=N` the answer waits for up to N seconds until the request is terminal: then it is 200 with its outcome.
#[utoipa::path(post, path = "/v1/requests", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:write"])),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "A name for this submission, unique for you; 1 to 255 characters"),
        ("Prefer" = Option<String>, Header, description = "`wait=30`: the answer may wait for 30 seconds, at most 50 (RFC 7240)"),
    ),
    request_body(content = SubmitRequest, content_type = "application/json",
        example = json!({"type": "default", "payload": {"answer": 42}, "tags": {"order": "4711"}})),
    responses(
        (status = 200, description = "Taken in, on disk, and terminal before the answer had to go out (`Prefer: wait=N`)", body = RequestView, headers(
            ("Content-Location" = String, description = "The address of the request"),
            ("ETag" = String, description = "Names this state of the request"),
            ("Idempotent-Replayed" = Option<bool>, description = "`true` when the same submission came before"),
            ("Preference-Applied" = String, description = "`wait=N`: how many seconds the answer could have waited"),
        )),
        (status = 202, description = "Taken in, on disk", body = RequestView, headers(
            ("Location" = String, description = "The address of the request"),
            ("Retry-After" = Option<u64>, description = "Seconds after which it is worth another look"),
            ("ETag" = String, description = "Names this state of the request"),
            ("Idempotent-Replayed" = Option<bool>, description = "`true` when the same submission came before"),
            ("Preference-Applied" = Option<String>, description = "`wait=N`: how many seconds the answer could have waited"),
        )),
        (status = 422, description = "The payload breaks the schema of its type, or the Idempotency-Key came before with another body"),
    ),
)]
pub(in crate::http) async fn submit_request(
    allowed: Allowed<WriteRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    body: Result<Json<Object<SubmitRequest>>, Problem>,
) -> Result<HttpResponse, Problem> {
    let Json(Object(SubmitRequest { kind, payload, tags, not_before, deadline })) = body.map_err(with_hint)?;
    let idempotency_key = idempotency_key(&http)?;
    let payload = read(payload, &gateway).await?;
    let draft = Draft { kind, payload, tags, not_before, deadline, idempotency_key };
    let by = notes::by(&http, &allowed.caller().subject);
    let Submitted { request, replayed } = gateway.queue.submit(&allowed, draft, by).await?;
    notes::note_request(&http, request.id);
    let (presenter, seen) = (Presenter::of(&http, &gateway), gateway.queue.snapshot(request));
    let waits = Wait::of(&http).is_some();
    let held = hold::or_seen(&http, &gateway, seen, |view| view.status.is_terminal()).await;
    let location = presenter.location(&held.seen.request);
    let is_done = waits && held.seen.view.status.is_terminal();
    let (mut answer, place) = if is_done {
        (HttpResponse::Ok(), header::CONTENT_LOCATION)
    } else {
        (HttpResponse::Accepted(), header::LOCATION)
    };
    answer.insert_header((place, location));
    held.set_headers(&mut answer);
    if replayed {
        answer.insert_header(("Idempotent-Replayed", "true"));
    }
    show(answer, &gateway, &presenter, &held.seen)
}

/// A payload of more bytes is large: it can take as long as hundreds of calls.
const LARGE_BYTES: usize = 64 << 10;

async fn read(payload: Box<RawValue>, gateway: &Gateway) -> Result<Payload, Problem> {
    let is_large = payload.get().len() > LARGE_BYTES;
    // It is never closed.
    let _turn = if is_large { gateway.large_payloads.acquire().await.ok() } else { None };
    Ok(Payload::read(payload, "/payload")?)
}

/// Who sends the data itself is told where it belongs.
fn with_hint(problem: Problem) -> Problem {
    let is_of_envelope =
        |fault: &&Fault| matches!(fault.code, "missing_field" | "unknown_field") && fault.detail.contains("`payload`");
    let Some(fault) = problem.faults().iter().find(is_of_envelope) else {
        return problem;
    };
    let what = fault.detail.split(" at line ").next().unwrap_or_default();
    let hint = format!(
        "Put your data under `payload`: {{\"type\": \"default\", \"payload\": {{…}}}}. The body has a fault: {what}."
    );
    problem.with_detail(hint)
}

/// The key as it is written, or as a quoted string of structured fields (RFC 8941 section 3.3.3).
fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    let key = match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => text.to_owned(),
    };
    if values.next().is_some() || !(1..=LONGEST_KEY).contains(&key.len()) {
        let detail = format!(
            "The header Idempotency-Key must be sent once, with 1 to {LONGEST_KEY} printable ASCII characters."
        );
        return Err(Error::Malformed { detail, faults: Vec::new() }.into());
    }
    Ok(Some(key))
}
