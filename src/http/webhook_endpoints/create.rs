//! `POST /v1/webhook-endpoints`: adds an endpoint.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer;
use super::view::EndpointView;
use crate::core::policy::ManageWebhooks;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::body::{Json, Object};
use crate::http::problem::Problem;
use crate::webhooks::{Algorithm, Draft};

/// Where you want to be told, and of what.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({ "url": "https://partner.example/hooks/anteroom", "events": ["request.succeeded", "request.failed"] }))]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewEndpoint {
    /// An https address, without user name and fragment.
    #[schema(example = "https://partner.example/hooks/anteroom")]
    url: String,
    /// What it is for; up to 200 characters.
    #[serde(default)]
    description: String,
    /// Of which events: `request.` and a status. Default: of every end.
    #[serde(default)]
    #[schema(example = json!(["request.succeeded", "request.failed", "request.cancelled", "request.expired"]))]
    events: Vec<String>,
    /// How deliveries are signed: `hmac-sha256` by a secret that both sides share, or `ed25519` by a private key that never leaves the
    /// gateway.
    #[serde(default)]
    #[schema(value_type = String, default = "hmac-sha256", example = "hmac-sha256")]
    algorithm: Algorithm,
}

/// Add a webhook endpoint
///
/// From now on it is told what becomes of your requests: a `POST` with the headers `webhook-id`, `webhook-timestamp` and
/// `webhook-signature` (Standard Webhooks 1.0). Answer 2xx within 15 seconds; else it is told again after 5 seconds, 5 and 30 minutes,
/// 2, 5, 10, 14, 20 and 24 hours, always with the same `webhook-id`. Answer 410 to be told nothing more. The `secret` is shown in this
/// answer and never again.
#[utoipa::path(post, path = "/v1/webhook-endpoints", tag = "webhooks",
    security(("bearer" = []), ("oauth2" = ["webhooks:manage"])),
    request_body(content = NewEndpoint, content_type = "application/json"),
    responses(
        (status = 201, description = "Added, with its secret", body = EndpointView),
        (status = 409, description = "There are 20 endpoints already"),
    ),
)]
pub(in crate::http) async fn create_webhook_endpoint(
    allowed: Allowed<ManageWebhooks>,
    gateway: Data<Gateway>,
    body: Result<Json<Object<NewEndpoint>>, Problem>,
) -> Result<HttpResponse, Problem> {
    let Json(Object(NewEndpoint { url, description, events, algorithm })) = body?;
    let (shown, secret) = gateway.webhooks.create(&allowed, Draft { url, description, events, algorithm }).await?;
    Ok(answer(StatusCode::CREATED, EndpointView::new(shown, secret)))
}
