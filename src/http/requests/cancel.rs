//! `POST /v1/requests/{request_id}/cancel`: stops a request that has not reached its end.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::view::{Presenter, RequestView};
use super::{Named, conflict, show, version};
use crate::core::policy::WriteRequests;
use crate::core::request::Refused;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::conditional::meant;
use crate::http::problem::Problem;
use crate::http::{Gateway, notes};

/// Cancel a request
///
/// There are three outcomes. 200: no worker was at it, and it is cancelled, on disk. 202: a worker is at it and has been asked to
/// stop; `cancel_requested_at` is set, and the request ends as `cancelled` when the worker stops or is lost, or as the worker ended it
/// when it was done first. 409: it had reached its end, also when it was cancelled before; the problem's member `request` shows how.
/// With `If-Match` it is cancelled only in the state that the `ETag` names. The call has no body.
#[utoipa::path(post, path = "/v1/requests/{request_id}/cancel", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:write"])),
    params(
        ("request_id" = String, Path, description = "The id that the submission answered", example = "req_01JD9W3W7QX5T4N0V6K8B2C1DE"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the state in which it is to be cancelled"),
    ),
    responses(
        (status = 200, description = "Cancelled", body = RequestView, headers(
            ("ETag" = String, description = "Names this state of the request"),
        )),
        (status = 202, description = "Its worker has been asked to stop", body = RequestView, headers(
            ("ETag" = String, description = "Names this state of the request"),
            ("Retry-After" = Option<u64>, description = "Seconds after which it is worth another look"),
        )),
        (status = 404, description = "No such request, or somebody else's"),
        (status = 409, description = "It had reached its end"),
        (status = 410, description = "You have erased it"),
        (status = 412, description = "It is in another state than `If-Match` names"),
    ),
)]
pub(in crate::http) async fn cancel_request(
    allowed: Allowed<WriteRequests>,
    Named(id): Named,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let by = notes::by(&http, &allowed.caller().subject);
    let presenter = Presenter::of(&http, &gateway);
    let versions = |tags: Vec<&str>| tags.into_iter().filter_map(version).collect();
    let outcome = gateway.queue.cancel(&allowed, id, meant(&http).map(versions), by).await?;
    let seen = gateway.queue.snapshot(outcome.request);
    match outcome.refused {
        Some(Refused::Changed) => Err(conflict(Code::StateChanged, &gateway, &presenter, &seen)),
        Some(_) => Err(conflict(Code::RequestFinished, &gateway, &presenter, &seen)),
        None if seen.view.status.is_terminal() => show(HttpResponse::Ok(), &gateway, &presenter, &seen),
        None => show(HttpResponse::Accepted(), &gateway, &presenter, &seen),
    }
}
