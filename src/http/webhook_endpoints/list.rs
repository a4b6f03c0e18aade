//! `GET /v1/webhook-endpoints`: one's own endpoints.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer;
use super::view::EndpointView;
use crate::core::policy::ManageWebhooks;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;

/// Your endpoints.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpointPage)]
pub(in crate::http) struct EndpointPage {
    /// The endpoints, the oldest first.
    items: Vec<EndpointView>,
    /// Always `null`: there is one page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List your webhook endpoints
///
/// Those that were added by a call, and those that the Provider has configured for you. Their secrets are not shown.
#[utoipa::path(get, path = "/v1/webhook-endpoints", tag = "webhooks",
    security(("bearer" = []), ("oauth2" = ["webhooks:manage"])),
    responses((status = 200, description = "Your endpoints", body = EndpointPage)),
)]
pub(in crate::http) async fn list_webhook_endpoints(
    allowed: Allowed<ManageWebhooks>,
    gateway: Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let shown = gateway.webhooks.list(&allowed).await?;
    let items = shown.into_iter().map(|shown| EndpointView::new(shown, None)).collect();
    Ok(answer(StatusCode::OK, EndpointPage { items, next_cursor: None }))
}
