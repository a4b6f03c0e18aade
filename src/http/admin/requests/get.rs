//! `GET /v1/admin/requests/{request_id}`: one request whole, whoever's it is.

use actix_web::web::{Data, Json};

use super::view::WholeView;
use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;
use crate::http::requests::Named;
use crate::http::requests::view::Presenter;

/// Look at a request
///
/// Anybody's: how it gets on, whose it is, who worked on it, all that has happened to it, with who did it and in which exchange, and
/// what webhooks have told of it.
/// One that its owner has erased is still named.
#[utoipa::path(get, path = "/v1/admin/requests/{request_id}", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    params(("request_id" = String, Path, description = "The id that the submission answered", example = "req_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    responses(
        (status = 200, description = "The request", body = WholeView),
        (status = 404, description = "There is no such request"),
    ),
)]
pub(in crate::http) async fn inspect_request(
    allowed: Allowed<Operate>,
    Named(id): Named,
    gateway: Data<Gateway>,
) -> Result<Json<WholeView>, Problem> {
    let (seen, events) = gateway.queue.inspect(&allowed, id).await?;
    let told = gateway.webhooks.deliveries_of(id).await?;
    Ok(Json(WholeView::new(&seen, events, told, &Presenter::for_operators(&gateway))))
}
