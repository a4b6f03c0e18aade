//! `POST /v1/webhook-endpoints/{endpoint_id}/test`: a delivery that tells of nothing.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};

use super::view::DeliveryView;
use super::{answer, id};
use crate::core::policy::ManageWebhooks;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;

/// Test a webhook endpoint
///
/// Sends it an event of the type `webhook.test`, once. What came of it is in its deliveries. The call has no body.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint_id}/test", tag = "webhooks",
    security(("bearer" = []), ("oauth2" = ["webhooks:manage"])),
    params(("endpoint_id" = String, Path, description = "The id of the endpoint", example = "whe_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    responses(
        (status = 202, description = "The delivery", body = DeliveryView),
        (status = 404, description = "No such endpoint, or somebody else's"),
        (status = 409, description = "It is disabled"),
    ),
)]
pub(in crate::http) async fn test_webhook_endpoint(
    allowed: Allowed<ManageWebhooks>,
    gateway: Data<Gateway>,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let delivery = gateway.webhooks.test(&allowed, id(&path)?).await?;
    Ok(answer(StatusCode::ACCEPTED, DeliveryView::from(delivery)))
}
