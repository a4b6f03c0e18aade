//! `GET /v1/requests/{request_id}/payload`: what was submitted.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;

use super::Named;
use crate::core::policy::ReadRequests;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;

/// Get a request's payload
///
/// What was submitted, to the letter. It is kept for a while after the request has reached its end.
#[utoipa::path(get, path = "/v1/requests/{request_id}/payload", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:read"])),
    params(("request_id" = String, Path, description = "The id that the submission answered", example = "req_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    responses(
        (status = 200, description = "The payload", body = serde_json::Value, content_type = "application/json", example = json!({"answer": 42})),
        (status = 404, description = "No such request, or somebody else's"),
        (status = 410, description = "It is no longer kept, or you have erased the request"),
    ),
)]
pub(in crate::http) async fn get_payload(
    allowed: Allowed<ReadRequests>,
    Named(id): Named,
    gateway: Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let seen = gateway.queue.get(&allowed, id).await?;
    let payload = gateway.queue.payload(&seen).await?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    Ok(answer.content_type(header::ContentType::json()).body(payload))
}
