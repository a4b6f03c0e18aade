//! `DELETE /v1/requests/{request_id}`: erases a request that has reached its end.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::view::Presenter;
use super::{Named, conflict};
use crate::core::policy::WriteRequests;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::problem::Problem;
use crate::http::{Gateway, notes};

/// Erase a request
///
/// Erases its payload, its result, its tags and its `Idempotency-Key`, once it has reached its end; cancel it first if it has not.
/// What stays is that there was such a request: every later call about it answers you 410.
#[utoipa::path(delete, path = "/v1/requests/{request_id}", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:write"])),
    params(("request_id" = String, Path, description = "The id that the submission answered", example = "req_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    responses(
        (status = 204, description = "Erased"),
        (status = 404, description = "No such request, or somebody else's"),
        (status = 409, description = "It has not reached its end"),
        (status = 410, description = "You have erased it before"),
    ),
)]
pub(in crate::http) async fn erase_request(
    allowed: Allowed<WriteRequests>,
    Named(id): Named,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let by = notes::by(&http, &allowed.caller().subject);
    let outcome = gateway.queue.erase(&allowed, id, by).await?;
    if outcome.refused.is_none() {
        return Ok(HttpResponse::NoContent().finish());
    }
    let seen = gateway.queue.snapshot(outcome.request);
    Err(conflict(Code::NotFinished, &gateway, &Presenter::of(&http, &gateway), &seen))
}
