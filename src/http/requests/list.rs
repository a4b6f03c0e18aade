//! `GET /v1/requests`: one's own requests, newest first, page by page.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

use super::filter::{ListParameters, ListQuery, malformed};
use super::view::{Presenter, RequestView};
use crate::core::clock::Timestamp;
use crate::core::policy::ReadRequests;
use crate::core::ports::requests::{Filter, Position};
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::origin::base_url;
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
    let after = after.map(|cursor| position(&cursor, &filter)).transpose()?;
    let mut requests = gateway.queue.list(&allowed, &filter, after, limit + 1).await?;
    let more = requests.len() > limit;
    requests.truncate(limit);
    let last = requests.last().filter(|_| more).map(|last| &last.request);
    let next_cursor = last.map(|last| cursor(Position { submitted_at: last.submitted_at, id: last.id }, &filter));
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if let Some(cursor) = &next_cursor {
        let base = base_url(&http, &gateway.server);
        answer.insert_header((header::LINK, next_link(&base, http.query_string(), cursor)));
    }
    let presenter = Presenter::of(&http, &gateway);
    let items = requests.iter().map(|seen| presenter.view(seen)).collect();
    Ok(answer.json(RequestPage { items, next_cursor }))
}

/// A position in the list, bound to the filter it was made for. Opaque: its content may change.
fn cursor(position: Position, filter: &Filter) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}.{:08x}", position.submitted_at.millis(), position.id, fingerprint(filter)))
}

fn position(cursor: &str, filter: &Filter) -> Result<Position, Problem> {
    let parse = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let mut parts = text.split('.');
        let submitted_at = Timestamp::from_millis(parts.next()?.parse().ok()?);
        let id = parts.next()?.parse().ok()?;
        let bound_to = u32::from_str_radix(parts.next()?, 16).ok()?;
        Some((Position { submitted_at, id }, bound_to))
    };
    match parse() {
        Some((position, bound_to)) if bound_to == fingerprint(filter) => Ok(position),
        Some(_) => Err(malformed("The cursor belongs to other filters: send those of the page that it came with.")),
        None => Err(malformed("The cursor is not one that a page of this list answered.")),
    }
}

fn fingerprint(filter: &Filter) -> u32 {
    crc32fast::hash(format!("{filter:?}").as_bytes())
}

/// RFC 8288: the same query with the next cursor.
fn next_link(base: &str, query: &str, cursor: &str) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query = kept.map(str::to_owned).chain([format!("cursor={cursor}")]).collect::<Vec<_>>().join("&");
    format!("<{base}/v1/requests?{query}>; rel=\"next\"")
}
