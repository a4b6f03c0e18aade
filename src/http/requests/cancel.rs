//! `POST /v1/requests/{request_id}/cancel`: stops a request that has not reached its end.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::view::RequestView;
use super::{answer_view, request_id, set_headers};
use crate::core::policy::WriteRequests;
use crate::core::ports::requests::Outcome;
use crate::core::request::view;
use crate::http::allowed::Allowed;
use crate::http::origin::base_url;
use crate::http::problem::Problem;
use crate::http::{Gateway, code, trace};

/// Cancel a request
///
/// 200 when it had not reached its end: it is cancelled, on disk. 409 when it had, also when it was cancelled before; the problem's
/// member `request` shows how it ended. The call has no body.
#[utoipa::path(post, path = "/v1/requests/{request_id}/cancel", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:write"])),
    params(("request_id" = String, Path, description = "The id that the submission answered", example = "req_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    responses(
        (status = 200, description = "Cancelled", body = RequestView, headers(
            ("ETag" = String, description = "Names this state of the request"),
        )),
        (status = 404, description = "No such request, or somebody else's"),
        (status = 409, description = "It had reached its end"),
    ),
)]
pub(in crate::http) async fn cancel_request(
    allowed: Allowed<WriteRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = request_id(&id)?;
    trace::note_request(&http, id);
    let by = trace::by(&http, &allowed.caller().subject);
    let (base, now) = (base_url(&http, &gateway.server), gateway.queue.now());
    let Outcome { request, refused } = gateway.queue.cancel(&allowed, id, by).await?;
    if refused.is_some() {
        let view = RequestView::new(&request, view(&request, gateway.queue.now()), &base);
        let request = serde_json::to_value(view).map_err(|_| Problem::new(code::Code::Internal))?;
        return Err(Problem::new(code::Code::RequestFinished).about(request));
    }
    let view = view(&request, now);
    let mut answer = if view.status.is_terminal() { HttpResponse::Ok() } else { HttpResponse::Accepted() };
    set_headers(&mut answer, &view, now);
    answer_view(&mut answer, &RequestView::new(&request, view, &base))
}
