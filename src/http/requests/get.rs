//! `GET /v1/requests/{request_id}`: how a request gets on.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::view::RequestView;
use super::{answer_view, etag, request_id, set_headers};
use crate::core::policy::ReadRequests;
use crate::core::request::view;
use crate::http::allowed::Allowed;
use crate::http::conditional::is_known;
use crate::http::origin::base_url;
use crate::http::problem::Problem;
use crate::http::{Gateway, trace};

/// Get a request
///
/// How the request gets on and, when it has succeeded, its result. Until it is terminal `Retry-After` says when its status will have
/// changed. Send the `ETag` back as `If-None-Match` to be answered 304 while nothing has changed.
#[utoipa::path(get, path = "/v1/requests/{request_id}", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:read"])),
    params(
        ("request_id" = String, Path, description = "The id that the submission answered", example = "req_01JD9W3W7QX5T4N0V6K8B2C1DE"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer"),
    ),
    responses(
        (status = 200, description = "The request", body = RequestView, headers(
            ("Retry-After" = Option<u64>, description = "Seconds until its status will have changed; until it is terminal"),
            ("ETag" = String, description = "Names this state of the request"),
        )),
        (status = 304, description = "Nothing has changed"),
        (status = 404, description = "No such request, or somebody else's"),
    ),
)]
pub(in crate::http) async fn get_request(
    allowed: Allowed<ReadRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = request_id(&id)?;
    trace::note_request(&http, id);
    // The time is taken before the row is read: a view never shows an end that a cancellation then undoes.
    let now = gateway.queue.now();
    let request = gateway.queue.get(&allowed, id).await?;
    let view = view(&request, now);
    let unchanged = is_known(&http, &etag(&view));
    let mut answer = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    set_headers(&mut answer, &view, now);
    if unchanged {
        return Ok(answer.finish());
    }
    answer_view(&mut answer, &RequestView::new(&request, view, &base_url(&http, &gateway.server)))
}
