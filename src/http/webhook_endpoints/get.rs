//! `GET /v1/webhook-endpoints/{endpoint_id}`: one endpoint.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};

use super::view::EndpointView;
use super::{answer, id};
use crate::core::policy::ManageWebhooks;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;

/// Get a webhook endpoint
///
/// Its secret is not shown.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{endpoint_id}", tag = "webhooks",
    security(("bearer" = []), ("oauth2" = ["webhooks:manage"])),
    params(("endpoint_id" = String, Path, description = "The id of the endpoint", example = "whe_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    responses(
        (status = 200, description = "The endpoint", body = EndpointView),
        (status = 404, description = "No such endpoint, or somebody else's"),
    ),
)]
pub(in crate::http) async fn get_webhook_endpoint(
    allowed: Allowed<ManageWebhooks>,
    gateway: Data<Gateway>,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let shown = gateway.webhooks.get(&allowed, id(&path)?).await?;
    Ok(answer(StatusCode::OK, EndpointView::new(shown, None)))
}
