//! `POST /v1/admin/clients/{client_id}/rotate`: gives a client a new secret.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer;
use super::view::ClientView;
use crate::core::period::Period;
use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::admin::audit::audit;
use crate::http::allowed::Allowed;
use crate::http::body::{Json, Object};
use crate::http::problem::Problem;

/// How a client comes to its new secret.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({ "overlap": "24h" }))]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Rotation {
    /// For how long the secrets that it has are good still, at most 90 days; `0s`: no longer.
    #[serde(default = "a_day")]
    #[schema(value_type = String, default = "24h")]
    overlap: Period,
}

fn a_day() -> Period {
    Period::seconds(24 * 60 * 60)
}

/// Rotate the secret of a client
///
/// The new `client_secret` is good at once, by other gateways on the same store within 5 s, and shown in this answer and never again.
/// Those that it has are good for a while longer.
#[utoipa::path(post, path = "/v1/admin/clients/{client_id}/rotate", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    params(("client_id" = String, Path, description = "The id of the client", example = "acme")),
    request_body(content = Rotation, content_type = "application/json"),
    responses(
        (status = 200, description = "The client, with its new secret", body = ClientView),
        (status = 404, description = "There is no such client"),
        (status = 409, description = "It is configured or public, or has five secrets that are good"),
    ),
)]
pub(in crate::http) async fn rotate_client_secret(
    allowed: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    path: Path<String>,
    body: Result<Json<Object<Rotation>>, Problem>,
) -> Result<HttpResponse, Problem> {
    let Json(Object(Rotation { overlap })) = body?;
    let rotated = gateway.authorization.rotate_client_secret(&path, overlap.duration()).await.map_err(Problem::from);
    audit(&http, &allowed, "client.rotate", &path, &rotated);
    rotated.map(|(shown, secret)| answer(StatusCode::OK, ClientView::new(shown, Some(secret))))
}
