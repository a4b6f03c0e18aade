//! `GET /v1/requests`: one's own requests, newest first, page by page.

use std::fmt;

use actix_web::error::QueryPayloadError;
use actix_web::http::header;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::{RequestView, StatusName};
use crate::core::clock::Timestamp;
use crate::core::policy::ReadRequests;
use crate::core::ports::requests::{Filter, Position};
use crate::core::request::{Status, view};
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::origin::base_url;
use crate::http::problem::Problem;
use crate::queue::SUBMIT_ROUTE;

/// The most requests on a page.
pub(in crate::http) const MOST: usize = 200;
/// How many are on a page where nothing is said.
pub(in crate::http) const USUAL: usize = 50;

/// Which requests to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ListQuery {
    /// Only those with this status now.
    #[param(inline, value_type = Option<StatusName>)]
    status: Option<String>,
    /// Only those of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only the one that was submitted with this `Idempotency-Key`.
    idempotency_key: Option<String>,
    /// The most requests on a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, value_type = Option<usize>)]
    limit: Option<String>,
    /// The `next_cursor` of the page before; the filters must be the same.
    cursor: Option<String>,
}

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
    params(ListQuery),
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
    let query = Query::<ListQuery>::from_query(http.query_string())
        .map_err(|error| malformed(&format!("The query can not be read: {}.", told(&error))))?
        .into_inner();
    let (filter, limit) = (query.filter()?, query.limit()?);
    let after = query.cursor.as_deref().map(|cursor| position(cursor, &filter)).transpose()?;
    let (mut requests, now) = gateway.queue.list(&allowed, &filter, after, limit + 1).await?;
    let more = requests.len() > limit;
    requests.truncate(limit);
    let last = requests.last().filter(|_| more);
    let next_cursor = last.map(|last| cursor(Position { submitted_at: last.submitted_at, id: last.id }, &filter));
    let base = base_url(&http, &gateway.server);
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if let Some(cursor) = &next_cursor {
        answer.insert_header((header::LINK, next_link(&base, http.query_string(), cursor)));
    }
    let items = requests.iter().map(|request| RequestView::new(request, view(request, now), &base)).collect();
    Ok(answer.json(RequestPage { items, next_cursor }))
}

impl ListQuery {
    fn filter(&self) -> Result<Filter, Problem> {
        let status = self.status.as_deref().map(str::parse).transpose().map_err(|()| {
            let known = Status::ALL.map(Status::name).join(", ");
            malformed(&format!("The parameter status is not one of {known}."))
        })?;
        let idempotency_key = self.idempotency_key.clone().map(|key| (SUBMIT_ROUTE, key));
        Ok(Filter {
            statuses: status.into_iter().collect(),
            kinds: self.kind.iter().cloned().collect(),
            idempotency_key,
            ..Filter::default()
        })
    }

    fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.as_ref().map_or(Ok(USUAL), |limit| limit.parse()).ok();
        limit
            .filter(|limit| (1..=MOST).contains(limit))
            .ok_or_else(|| malformed(&format!("The parameter limit is not between 1 and {MOST}.")))
    }
}

/// The fault itself, without the words that the HTTP library puts before it.
fn told(error: &QueryPayloadError) -> String {
    match error {
        QueryPayloadError::Deserialize(fault) => fault.to_string(),
        other => other.to_string(),
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::detailed(Code::Malformed, detail)
}

/// A position in a list, bound to the filter it was made for. Opaque: its content may change.
pub(in crate::http) fn cursor(position: Position, filter: &impl fmt::Debug) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}.{:08x}", position.submitted_at.millis(), position.id, fingerprint(filter)))
}

/// The position that a cursor stands for.
///
/// # Errors
/// It is none, or belongs to another filter.
pub(in crate::http) fn position(cursor: &str, filter: &impl fmt::Debug) -> Result<Position, Problem> {
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

fn fingerprint(filter: &impl fmt::Debug) -> u32 {
    crc32fast::hash(format!("{filter:?}").as_bytes())
}

/// RFC 8288: the same query with the next cursor.
fn next_link(base: &str, query: &str, cursor: &str) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query = kept.map(str::to_owned).chain([format!("cursor={cursor}")]).collect::<Vec<_>>().join("&");
    format!("<{base}/v1/requests?{query}>; rel=\"next\"")
}
