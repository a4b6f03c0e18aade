//! `GET /v1/admin/requests`: anybody's requests, newest first, page by page.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::query::Query;
use super::view::AdminRequestView;
use crate::core::policy::Operate;
use crate::core::ports::requests::Position;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;
use crate::http::requests::view::StatusName;

/// Which requests to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is what the contract says of the parameters")]
pub(in crate::http) struct AdminListQuery {
    /// Only those of this owner: the `iss` of its tokens; with `subject`.
    issuer: Option<String>,
    /// Only those of this owner: the `sub` of its tokens; with `issuer`.
    subject: Option<String>,
    /// Only those with this status now; several are separated by commas.
    #[param(inline, value_type = Option<StatusName>)]
    status: Option<String>,
    /// Only those of this type; several are separated by commas.
    r#type: Option<String>,
    /// Only those of these ids, separated by commas: 200 at most.
    id: Option<String>,
    /// Only those with this value of the label NAME; write `tag.NAME=VALUE`, once for each label.
    #[param(rename = "tag.NAME")]
    tag: Option<String>,
    /// The most requests on a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, value_type = Option<usize>)]
    limit: Option<String>,
    /// The `next_cursor` of the page before; the filters must be the same.
    cursor: Option<String>,
}

/// A page of requests.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct AdminRequestPage {
    /// The requests, newest first.
    items: Vec<AdminRequestView>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List anybody's requests
///
/// Newest first. While there are more, `next_cursor` leads to the next page. Those that their owners have erased are not listed.
#[utoipa::path(get, path = "/v1/admin/requests", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    params(AdminListQuery),
    responses(
        (status = 200, description = "A page of requests", body = AdminRequestPage),
        (status = 400, description = "A query parameter is unknown or malformed, or the cursor belongs to other filters"),
    ),
)]
pub(in crate::http) async fn list_all_requests(
    allowed: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<Json<AdminRequestPage>, Problem> {
    let query = Query::read(http.query_string())?;
    let (owner, filter, limit) = (query.owner.as_ref(), &query.filter, query.limit);
    let (mut requests, now) = gateway.queue.list_all(&allowed, owner, filter, query.after, limit + 1).await?;
    let more = requests.len() > limit;
    requests.truncate(limit);
    let last = requests.last().filter(|_| more);
    let next_cursor = last.map(|last| query.cursor(Position { submitted_at: last.submitted_at, id: last.id }));
    let items = requests.iter().map(|request| AdminRequestView::new(request, now, &gateway.server)).collect();
    Ok(Json(AdminRequestPage { items, next_cursor }))
}
