//! `GET /v1/requests/{request_id}`: how a request gets on, now or as soon as it has changed.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::view::{Presenter, RequestView};
use super::{Named, etag, etag_value, hold, set_headers, show};
use crate::core::policy::ReadRequests;
use crate::core::request::View;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::conditional::is_known;
use crate::http::prefer::Wait;
use crate::http::problem::Problem;

/// The path, as a template.
pub(in crate::http) const PATH: &str = "/v1/requests/{request_id}";

/// Get a request
///
/// How the request gets on and, when it has succeeded, its result. Until it is terminal `Retry-After` says when it is worth another
/// look: where stages pass by time, when its status will have changed; where workers are at it, when requests of its type usually are
/// done. Send the `ETag` back as `If-None-Match` to be answered 304 while nothing has changed.
///
/// With `Prefer: wait=N` the answer waits: for up to N seconds until the request is terminal, or, together with `If-None-Match`, until
/// it has changed. After that the answer is the one that it would have been at once.
#[utoipa::path(get, path = PATH, tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:read"])),
    params(
        ("request_id" = String, Path, description = "The id that the submission answered", example = "req_01JD9W3W7QX5T4N0V6K8B2C1DE"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer"),
        ("Prefer" = Option<String>, Header, description = "`wait=30`: the answer may wait for 30 seconds, at most 50 (RFC 7240)"),
    ),
    responses(
        (status = 200, description = "The request", body = RequestView, headers(
            ("Retry-After" = Option<u64>, description = "Seconds after which it is worth another look; until it is terminal"),
            ("ETag" = String, description = "Names this state of the request"),
            ("Preference-Applied" = Option<String>, description = "`wait=N`: how many seconds the answer could have waited"),
        )),
        (status = 304, description = "Nothing has changed"),
        (status = 404, description = "No such request, or somebody else's"),
        (status = 410, description = "You have erased it"),
    ),
)]
pub(in crate::http) async fn get_request(
    allowed: Allowed<ReadRequests>,
    Named(id): Named,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    if Wait::of(&http).is_none() {
        return gateway.shown.answer(gateway.queue.find(&allowed, id).await?, http.head(), &gateway);
    }
    let knows_one = http.headers().contains_key(header::IF_NONE_MATCH);
    let is_awaited = |view: &View| view.status.is_terminal() || knows_one && !is_known(http.headers(), &etag(view));
    let seen = gateway.queue.get(&allowed, id).await?;
    let held = hold::until(&http, &gateway, seen, is_awaited).await?;
    let unchanged = knows_one && is_known(http.headers(), &etag(&held.seen.view));
    let mut answer = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    held.set_headers(&mut answer);
    if unchanged {
        let mut answer = answer.finish();
        set_headers(answer.headers_mut(), etag_value(&held.seen.view), &gateway, &held.seen, held.seen.now);
        return Ok(answer);
    }
    show(answer, &gateway, &Presenter::of(&http, &gateway), &held.seen)
}
