//! `POST /v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/replay`: sends a delivery again.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};

use super::view::DeliveryView;
use super::{answer, id};
use crate::core::policy::ManageWebhooks;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;

/// Replay a webhook delivery
///
/// Sends it again, whatever became of it, with the same `webhook-id` and by the whole schedule. The call has no body.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/replay", tag = "webhooks",
    security(("bearer" = []), ("oauth2" = ["webhooks:manage"])),
    params(
        ("endpoint_id" = String, Path, description = "The id of the endpoint", example = "whe_01JD9W3W7QX5T4N0V6K8B2C1DE"),
        ("delivery_id" = String, Path, description = "The id of the delivery", example = "msg_01JD9W3W7QX5T4N0V6K8B2C1DE"),
    ),
    responses(
        (status = 202, description = "The delivery", body = DeliveryView),
        (status = 404, description = "No such endpoint or delivery, or somebody else's"),
        (status = 409, description = "The endpoint is disabled"),
    ),
)]
pub(in crate::http) async fn replay_webhook_delivery(
    allowed: Allowed<ManageWebhooks>,
    gateway: Data<Gateway>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (endpoint, delivery) = path.into_inner();
    let delivery = gateway.webhooks.replay(&allowed, id(&endpoint)?, id(&delivery)?).await?;
    Ok(answer(StatusCode::ACCEPTED, DeliveryView::from(delivery)))
}
