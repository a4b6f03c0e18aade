//! `GET /v1/requests`: one's own requests, newest first, page by page.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::filter::{ListParameters, ListQuery};
use super::view::{Presenter, RequestView};
use crate::core::policy::ReadRequests;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::origin::base_url;
use crate::http::page;
use crate::http::problem::Problem;

/// A page of requests.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct RequestPage {
    /// The requests, newest first.
    items: Vec<RequestView>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List your requests
///
/// Newest first. While there are more, `next_cursor` and the header `Link` lead to the next page.
#[utoipa::path(get, path = "/v1/requests", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:read"])),
    params(ListParameters),
    responses(
        (status = 200, description = "A page of requests", body = RequestPage, headers(
            ("Link" = Option<String>, description = "`rel=\"next\"`: the next page"),
        )),
        (status = 400, description = "A query parameter is unknown or malformed, or the cursor belongs to other filters"),
    ),
)]
pub(in crate::http) async fn list_requests(
    allowed: Allowed<ReadRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let ListQuery { filter, limit, cursor: after } = ListQuery::read(http.query_string())?;
    let after = after.map(|cursor| page::position(&cursor, &filter)).transpose()?;
    let mut requests = gateway.queue.list(&allowed, &filter, after, limit + 1).await?;
    let next_cursor = page::cut(&mut requests, limit, &filter, |seen| &seen.request);
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if let Some(cursor) = &next_cursor {
        let base = base_url(&http, &gateway.server);
        answer.insert_header((
            header::LINK,
            page::next_link(&format!("{base}/v1/requests"), http.query_string(), cursor),
        ));
    }
    let presenter = Presenter::of(&http, &gateway);
    let items = requests.iter().map(|seen| presenter.view(seen)).collect();
    Ok(answer.json(RequestPage { items, next_cursor }))
}
