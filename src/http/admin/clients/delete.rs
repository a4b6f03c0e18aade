//! `DELETE /v1/admin/clients/{client_id}`: removes a client.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::admin::audit::audit;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;

/// Remove a client
///
/// One that was added. Its tokens are believed no more, nor what people have granted it: here at once, and by other gateways on the same
/// store within 5 s.
#[utoipa::path(delete, path = "/v1/admin/clients/{client_id}", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    params(("client_id" = String, Path, description = "The id of the client", example = "acme")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is no such client"),
        (status = 409, description = "It is configured"),
    ),
)]
pub(in crate::http) async fn delete_client(
    allowed: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let removed = gateway.authorization.remove_client(&path).await.map_err(Problem::from);
    audit(&http, &allowed, "client.remove", &path, &removed);
    removed.map(|()| HttpResponse::NoContent().finish())
}
