//! `GET /v1/requests`: one's own requests, newest first, page by page.

use actix_web::error::QueryPayloadError;
use actix_web::http::header;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::{RequestView, StatusName};
use crate::core::policy::ReadRequests;
use crate::core::ports::requests::Filter;
use crate::core::request::{Status, view};
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::origin::base_url;
use crate::http::page;
use crate::http::problem::Problem;
use crate::queue::SUBMIT_ROUTE;

const MOST: usize = 200;
const USUAL: usize = 50;

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
    let after = query.cursor.as_deref().map(|cursor| page::position(cursor, &filter)).transpose()?;
    let (mut requests, now) = gateway.queue.list(&allowed, &filter, after, limit + 1).await?;
    let next_cursor = page::cut(&mut requests, limit, &filter, |request| request);
    let base = base_url(&http, &gateway.server);
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if let Some(cursor) = &next_cursor {
        answer.insert_header((
            header::LINK,
            page::next_link(&format!("{base}/v1/requests"), http.query_string(), cursor),
        ));
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
