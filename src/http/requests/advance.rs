//! `POST /v1/requests/{request_id}/advance`: moves a simulated request on, for the tests of clients.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::view::{Presenter, RequestView};
use super::{Named, conflict, show};
use crate::core::policy::WriteRequests;
use crate::core::request::Refused;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::problem::Problem;
use crate::http::{Gateway, notes};

/// Move a request to its next stage
///
/// In development mode only: the next stage of the request begins now, as if the time until then had passed, so that a test of yours
/// walks through all of them at once. The call has no body.
#[utoipa::path(post, path = "/v1/requests/{request_id}/advance", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:write"])),
    params(("request_id" = String, Path, description = "The id that the submission answered", example = "req_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    responses(
        (status = 200, description = "It is in its next stage", body = RequestView, headers(
            ("ETag" = String, description = "Names this state of the request"),
            ("Retry-After" = Option<u64>, description = "Seconds until its status will have changed; until it is terminal"),
        )),
        (status = 404, description = "No such request, or somebody else's"),
        (status = 409, description = "It has reached its end, or workers move it on"),
        (status = 410, description = "You have erased it"),
    ),
)]
pub(in crate::http) async fn advance_request(
    allowed: Allowed<WriteRequests>,
    Named(id): Named,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let by = notes::by(&http, &allowed.caller().subject);
    let presenter = Presenter::of(&http, &gateway);
    let outcome = gateway.queue.advance(&allowed, id, by).await?;
    let seen = gateway.queue.snapshot(outcome.request);
    match outcome.refused {
        None => show(HttpResponse::Ok(), &gateway, &presenter, &seen),
        Some(Refused::NotSimulated) => Err(conflict(Code::NotSimulated, &gateway, &presenter, &seen)),
        Some(_) => Err(conflict(Code::RequestFinished, &gateway, &presenter, &seen)),
    }
}
