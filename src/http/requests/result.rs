//! `GET /v1/requests/{request_id}/result`: what a request gave.

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::view::Presenter;
use super::{Named, conflict};
use crate::core::policy::ReadRequests;
use crate::core::request::{Output, Status};
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::conditional::is_known;
use crate::http::problem::Problem;

/// Get a request's result
///
/// What the request gave, whole, in the media type that it has; what is not JSON is to be saved and not to be shown. It is kept for a
/// while after the request has succeeded. 409 while the request goes on (`not_finished`) and when it has ended otherwise
/// (`request_failed`); the problem's member `request` shows it.
#[utoipa::path(get, path = "/v1/requests/{request_id}/result", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:read"])),
    params(
        ("request_id" = String, Path, description = "The id that the submission answered", example = "req_01JD9W3W7QX5T4N0V6K8B2C1DE"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer"),
    ),
    responses(
        (status = 200, description = "The result", headers(
            ("ETag" = String, description = "Names the result"),
            ("Content-Disposition" = Option<String>, description = "`attachment`, where it is not JSON"),
        ), content(
            (serde_json::Value = "application/json", example = json!({"message": "processed req_01JD9W3W7QX5T4N0V6K8B2C1DE"})),
            (String = "*/*", example = json!("any other bytes, in the media type that the worker named")),
        )),
        (status = 304, description = "You have it"),
        (status = 404, description = "No such request, or somebody else's"),
        (status = 409, description = "There is no result, or not yet", headers(
            ("Retry-After" = Option<u64>, description = "Seconds after which it is worth another look"),
        )),
        (status = 410, description = "It is no longer kept, or you have erased the request"),
    ),
)]
pub(in crate::http) async fn get_result(
    allowed: Allowed<ReadRequests>,
    Named(id): Named,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let seen = gateway.queue.get(&allowed, id).await?;
    if seen.view.status != Status::Succeeded {
        let code = if seen.view.status.is_terminal() { Code::RequestFailed } else { Code::NotFinished };
        return Err(conflict(code, &gateway, &Presenter::of(&http, &gateway), &seen));
    }
    let Output { content_type, body } = gateway.queue.result(&seen).await?;
    let etag = format!("\"{:08x}\"", crc32fast::hash(&body));
    let is_known = is_known(http.headers(), &etag);
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((header::ETAG, etag)).insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if is_known {
        return Ok(answer.finish());
    }
    if !is_json(&content_type) {
        answer.insert_header((header::CONTENT_DISPOSITION, "attachment"));
    }
    // One that no header can carry names no type.
    let unknown = HeaderValue::from_static("application/octet-stream");
    answer.insert_header((header::CONTENT_TYPE, HeaderValue::from_str(&content_type).unwrap_or(unknown)));
    Ok(answer.body(body))
}

fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == Output::JSON || media.starts_with("application/") && media.ends_with("+json")
}
