//! `POST /v1/dead-letters/{request_id}/redrive`: a request that has failed is tried again.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::core::policy::WorkRequests;
use crate::core::request::RequestId;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::leases::view::WorkView;
use crate::http::problem::Problem;
use crate::http::{Gateway, notes};

/// Redrive a dead letter
///
/// Lets the request be tried again, at once, with all its attempts and without its deadline. Its owner sees it `queued` again. The call
/// has no body.
#[utoipa::path(post, path = "/v1/dead-letters/{request_id}/redrive", tag = "workers",
    security(("bearer" = []), ("oauth2" = ["requests:work"])),
    params(("request_id" = String, Path, description = "The request", example = "req_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    responses(
        (status = 200, description = "The request waits for a worker", body = WorkView),
        (status = 404, description = "No such request, or no worker works on it"),
        (status = 409, description = "It has not failed"),
        (status = 410, description = "Its payload is no longer kept"),
    ),
)]
pub(in crate::http) async fn redrive_dead_letter(
    allowed: Allowed<WorkRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let id: RequestId = id.parse().map_err(|()| Problem::new(Code::NotFound))?;
    notes::note_request(&http, id);
    let by = notes::by(&http, &allowed.caller().subject);
    let outcome = gateway.queue.redrive(&allowed, id, by).await?;
    let view = WorkView::new(&gateway.queue.snapshot(outcome.request));
    if outcome.refused.is_some() {
        let request = serde_json::to_value(view).map_err(|_| Problem::new(Code::Internal))?;
        return Err(Problem::new(Code::NotFailed).about(request));
    }
    Ok(HttpResponse::Ok().json(view))
}
