//! `POST /v1/requests`: takes a request in.

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::view::{RequestView, location};
use crate::core::error::{Error, Fault};
use crate::core::policy::WriteRequests;
use crate::core::request::view;
use crate::http::allowed::Allowed;
use crate::http::body::{Json, Object};
use crate::http::origin::base_url;
use crate::http::problem::Problem;
use crate::http::{Gateway, trace};
use crate::queue::Draft;
use crate::queue::payload::Payload;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;

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
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

fn default_type() -> String {
    "default".into()
}

/// Submit a request
///
/// Takes the request into the queue and answers its `request_id` at once. 202 means that it is on disk. Send an `Idempotency-Key` to
/// be able to repeat the call safely: the same key with the same body answers the same request with `Idempotent-Replayed: true`.
#[utoipa::path(post, path = "/v1/requests", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:write"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "A name for this submission, unique for you; 1 to 255 characters")),
    request_body(content = SubmitRequest, content_type = "application/json",
        example = json!({"type": "default", "payload": {"answer": 42}, "tags": {"order": "4711"}})),
    responses(
        (status = 202, description = "Taken in, on disk", body = RequestView, headers(
            ("Location" = String, description = "The address of the request"),
            ("Retry-After" = u64, description = "Seconds until its status will have changed"),
            ("ETag" = String, description = "Names this state of the request"),
            ("Idempotent-Replayed" = Option<bool>, description = "`true` when the same submission came before"),
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
    let Json(Object(SubmitRequest { kind, payload, tags })) = body.map_err(with_hint)?;
    let draft = Draft { kind, payload: Payload::read(payload, "/payload")?, tags };
    let by = trace::by(&http, &allowed.caller().subject);
    let submitted = gateway.queue.submit(&allowed, draft, idempotency_key(&http)?, by).await?;
    let (request, now) = (submitted.request, gateway.queue.now());
    trace::note_request(&http, request.id);
    let (base, view) = (base_url(&http, &gateway.server), view(&request, now));
    let mut answer = HttpResponse::Accepted();
    super::set_headers(&mut answer, &view, now);
    answer.insert_header((header::LOCATION, location(&request, &base)));
    if submitted.replayed {
        answer.insert_header(("Idempotent-Replayed", "true"));
    }
    super::answer_view(&mut answer, &RequestView::new(&request, view, &base))
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
