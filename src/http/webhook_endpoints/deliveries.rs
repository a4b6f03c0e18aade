//! `GET /v1/webhook-endpoints/{endpoint_id}/deliveries`: what an endpoint was told, and what came of it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::DeliveryView;
use super::{answer, id};
use crate::core::policy::ManageWebhooks;
use crate::core::webhook::DeliveryId;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::problem::Problem;

const MOST: usize = 200;
const USUAL: usize = 50;

/// Which deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct DeliveriesQuery {
    /// The most deliveries on a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, value_type = Option<usize>)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDeliveryPage)]
pub(in crate::http) struct DeliveryPage {
    /// The deliveries, newest first.
    items: Vec<DeliveryView>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List the deliveries of a webhook endpoint
///
/// What it was told, and what came of each attempt; newest first. A delivery is kept for a week after its end.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{endpoint_id}/deliveries", tag = "webhooks",
    security(("bearer" = []), ("oauth2" = ["webhooks:manage"])),
    params(
        ("endpoint_id" = String, Path, description = "The id of the endpoint", example = "whe_01JD9W3W7QX5T4N0V6K8B2C1DE"),
        DeliveriesQuery,
    ),
    responses(
        (status = 200, description = "A page of deliveries", body = DeliveryPage),
        (status = 400, description = "A query parameter is unknown or malformed"),
        (status = 404, description = "No such endpoint, or somebody else's"),
    ),
)]
pub(in crate::http) async fn list_webhook_deliveries(
    allowed: Allowed<ManageWebhooks>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let unreadable = |_| malformed("The query can not be read: it may have limit and cursor.".into());
    let query = Query::<DeliveriesQuery>::from_query(http.query_string()).map_err(unreadable)?.into_inner();
    let limit = query.limit.map_or(Ok(USUAL), |limit| limit.parse()).ok().filter(|limit| (1..=MOST).contains(limit));
    let limit = limit.ok_or_else(|| malformed(format!("The parameter limit is not between 1 and {MOST}.")))?;
    let after = query.cursor.map(|cursor| cursor.parse::<DeliveryId>()).transpose();
    let after = after.map_err(|()| malformed("The cursor is not one that a page of this list answered.".into()))?;
    let mut deliveries = gateway.webhooks.deliveries(&allowed, id(&path)?, after, limit + 1).await?;
    let more = deliveries.len() > limit;
    deliveries.truncate(limit);
    let next_cursor = deliveries.last().filter(|_| more).map(|last| last.id.to_string());
    let items = deliveries.into_iter().map(DeliveryView::from).collect();
    Ok(answer(StatusCode::OK, DeliveryPage { items, next_cursor }))
}

fn malformed(detail: String) -> Problem {
    Problem::detailed(Code::Malformed, detail)
}
