//! `DELETE /v1/webhook-endpoints/{endpoint_id}`: removes an endpoint.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::id;
use crate::core::policy::ManageWebhooks;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;

/// Delete a webhook endpoint
///
/// It is told nothing more, and its deliveries go with it.
#[utoipa::path(delete, path = "/v1/webhook-endpoints/{endpoint_id}", tag = "webhooks",
    security(("bearer" = []), ("oauth2" = ["webhooks:manage"])),
    params(("endpoint_id" = String, Path, description = "The id of the endpoint", example = "whe_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No such endpoint, or somebody else's"),
        (status = 409, description = "The Provider has configured it"),
    ),
)]
pub(in crate::http) async fn delete_webhook_endpoint(
    allowed: Allowed<ManageWebhooks>,
    gateway: Data<Gateway>,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    gateway.webhooks.remove(&allowed, id(&path)?).await?;
    Ok(HttpResponse::NoContent().finish())
}
