//! The partner prototype's two calls, `/request` and `/request/{request_id}`, in its own words.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::allowed::Allowed;
use super::body::Json;
use super::code::Code;
use super::problem::Problem;
use super::{Gateway, notes};
use crate::core::clock::Timestamp;
use crate::core::error::Error;
use crate::core::policy::{ReadRequests, WriteRequests};
use crate::core::request::Status;
use crate::queue::Snapshot;
use crate::queue::payload::Payload;

/// A submission as the prototype answers it.
#[derive(Serialize, ToSchema)]
pub(super) struct PartnerSubmission {
    /// The body that was sent.
    #[schema(value_type = Object)]
    request: Value,
    /// The subject of the token.
    #[schema(example = "who knows?")]
    sub: String,
    /// The name of the request: it follows from the body and the subject.
    #[schema(example = "QR-8eaedc400e2b5721bc255f9f9c31f8b1")]
    request_id: String,
    /// When it was first submitted: seconds since 1970.
    #[schema(example = 1_641_797_243)]
    submitted_at: i64,
}

/// A status as the prototype answers it; a finished request has the members of its result as well.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"request_id": "QR-8eaedc400e2b5721bc255f9f9c31f8b1", "status": "QUEUED", "submitted_at": 1_641_797_243}))]
pub(super) struct PartnerStatus {
    /// The name of the request.
    #[schema(example = "QR-8eaedc400e2b5721bc255f9f9c31f8b1")]
    request_id: String,
    /// The stage, as configured: `QUEUED`, `RUNNING`, `FAILED` or `READY`; `CANCELLED` when its owner cancelled it.
    #[schema(example = "QUEUED")]
    status: String,
    /// When it was first submitted: seconds since 1970.
    #[schema(example = 1_641_797_243)]
    submitted_at: i64,
    /// When it succeeded: seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1_641_797_423)]
    finished_at: Option<i64>,
    /// The members of the result.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    result: Map<String, Value>,
}

/// Submit a request, in the partner prototype's words
///
/// The body is the payload itself. The same body from the same subject is the same request.
#[utoipa::path(post, path = "/request", tag = "partner",
    security(("bearer" = []), ("oauth2" = ["requests:write"])),
    request_body(content = Object, content_type = "application/json", description = "The payload of the type with `dialect = \"partner\"`"),
    responses(
        (status = 200, description = "Taken in, on disk", body = PartnerSubmission),
    ),
)]
pub(super) async fn submit_partner_request(
    allowed: Allowed<WriteRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    body: Json<Box<RawValue>>,
) -> Result<HttpResponse, Problem> {
    let payload = Payload::read(body.0, "")?;
    let echo = payload.value().clone();
    let by = notes::by(&http, &allowed.caller().subject);
    let submitted = gateway.queue.submit_partner(&allowed, payload, by).await.map_err(in_its_words)?;
    notes::note_request(&http, submitted.request.id);
    Ok(HttpResponse::Ok().json(PartnerSubmission {
        request: echo,
        sub: allowed.caller().subject.clone(),
        request_id: submitted.request.public_name(),
        submitted_at: submitted.request.submitted_at.seconds(),
    }))
}

/// Get a request, in the partner prototype's words
///
/// `finished_at` and the members of the result are there once it has succeeded.
#[utoipa::path(get, path = "/request/{request_id}", tag = "partner",
    security(("bearer" = []), ("oauth2" = ["requests:read"])),
    params(("request_id" = String, Path, description = "The name that the submission answered", example = "QR-8eaedc400e2b5721bc255f9f9c31f8b1")),
    responses(
        (status = 200, description = "How it gets on", body = PartnerStatus),
        (status = 404, description = "No such request, or somebody else's; the body is a text", body = String,
            content_type = "application/json", example = json!("No such request_id")),
    ),
)]
pub(super) async fn get_partner_request(
    allowed: Allowed<ReadRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let Snapshot { request, view, .. } = match gateway.queue.get_partner(&allowed, &name).await {
        Err(Error::NotFound) => return Ok(HttpResponse::NotFound().json("No such request_id")),
        found => found?,
    };
    notes::note_request(&http, request.id);
    let finished_at = view.finished_at.filter(|_| view.status == Status::Succeeded);
    let result = match view.result {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    Ok(HttpResponse::Ok().json(PartnerStatus {
        request_id: request.public_name(),
        status: if view.status == Status::Cancelled { "CANCELLED".into() } else { view.stage },
        submitted_at: request.submitted_at.seconds(),
        finished_at: finished_at.map(Timestamp::seconds),
        result,
    }))
}

/// The prototype answers 400 to a body that breaks the schema.
fn in_its_words(error: Error) -> Problem {
    match Problem::from(error) {
        problem if problem.code == Code::PayloadInvalid => problem.with_code(Code::Malformed),
        problem => problem,
    }
}
