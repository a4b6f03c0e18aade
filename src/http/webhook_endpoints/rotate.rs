//! `POST /v1/webhook-endpoints/{endpoint_id}/rotate`: another key.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};

use super::view::EndpointView;
use super::{answer, id};
use crate::core::policy::ManageWebhooks;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;

/// Rotate the secret of a webhook endpoint
///
/// Deliveries are signed by a new key of the same kind from now on, and for another day by the old one as well. The new secret is shown
/// in this answer and never again. The call has no body.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint_id}/rotate", tag = "webhooks",
    security(("bearer" = []), ("oauth2" = ["webhooks:manage"])),
    params(("endpoint_id" = String, Path, description = "The id of the endpoint", example = "whe_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    responses(
        (status = 200, description = "The endpoint, with its new secret", body = EndpointView),
        (status = 404, description = "No such endpoint, or somebody else's"),
        (status = 409, description = "The Provider has configured it"),
    ),
)]
pub(in crate::http) async fn rotate_webhook_secret(
    allowed: Allowed<ManageWebhooks>,
    gateway: Data<Gateway>,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (shown, secret) = gateway.webhooks.rotate(&allowed, id(&path)?).await?;
    Ok(answer(StatusCode::OK, EndpointView::new(shown, secret)))
}
