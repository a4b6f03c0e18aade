//! `GET /v1/admin/clients`: the clients, page by page.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer;
use super::view::ClientView;
use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::problem::Problem;

const MOST: usize = 200;
const USUAL: usize = 50;

/// Which clients to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ClientsQuery {
    /// The most clients on a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, value_type = Option<usize>)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of clients.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ClientPage {
    /// The clients, by their ids.
    items: Vec<ClientView>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List the clients
///
/// Those that are configured and those that were added, in the order of their ids. Their secrets are not shown.
#[utoipa::path(get, path = "/v1/admin/clients", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    params(ClientsQuery),
    responses(
        (status = 200, description = "A page of clients", body = ClientPage),
        (status = 400, description = "A query parameter is unknown or malformed"),
    ),
)]
pub(in crate::http) async fn list_clients(
    _: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let unreadable = |_| malformed("The query can not be read: it may have limit and cursor.".into());
    let query = Query::<ClientsQuery>::from_query(http.query_string()).map_err(unreadable)?.into_inner();
    let limit = query.limit.map_or(Ok(USUAL), |limit| limit.parse()).ok().filter(|limit| (1..=MOST).contains(limit));
    let limit = limit.ok_or_else(|| malformed(format!("The parameter limit is not between 1 and {MOST}.")))?;
    let strange = || malformed("The cursor is not one that a page of this list answered.".into());
    let after = query.cursor.map(|cursor| id_in(&cursor).ok_or_else(strange)).transpose()?;
    let mut shown = gateway.authorization.list_clients(after.as_deref(), limit + 1).await?;
    let more = shown.len() > limit;
    shown.truncate(limit);
    let next_cursor = shown.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(&last.client.id));
    let items = shown.into_iter().map(|shown| ClientView::new(shown, None)).collect();
    Ok(answer(StatusCode::OK, ClientPage { items, next_cursor }))
}

/// The id after which a page begins.
fn id_in(cursor: &str) -> Option<String> {
    let id = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    (!id.contains('\0')).then_some(id)
}

fn malformed(detail: String) -> Problem {
    Problem::detailed(Code::Malformed, detail)
}
