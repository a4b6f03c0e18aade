//! `GET /v1/admin/clients/{client_id}`: one client.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};

use super::answer;
use super::view::ClientView;
use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;

/// Get a client
///
/// Configured or added; its secrets are not shown.
#[utoipa::path(get, path = "/v1/admin/clients/{client_id}", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    params(("client_id" = String, Path, description = "The id of the client", example = "acme")),
    responses(
        (status = 200, description = "The client", body = ClientView),
        (status = 404, description = "There is no such client"),
    ),
)]
pub(in crate::http) async fn get_client(
    _: Allowed<Operate>,
    gateway: Data<Gateway>,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let shown = gateway.authorization.show_client(&path).await?;
    Ok(answer(StatusCode::OK, ClientView::new(shown, None)))
}
