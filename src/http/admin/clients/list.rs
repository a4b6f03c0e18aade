//! `GET /v1/admin/clients`: the clients, page by page.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer;
use super::view::ClientView;
use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::origin::base_url;
use crate::http::page::{KeyQuery, KeyRange, next_link};
use crate::http::problem::Problem;

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
    params(KeyQuery),
    responses(
        (status = 200, description = "A page of clients", body = ClientPage, headers(
            ("Link" = Option<String>, description = "`rel=\"next\"`: the next page"),
        )),
        (status = 400, description = "A query parameter is unknown or malformed"),
    ),
)]
pub(in crate::http) async fn list_clients(
    _: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let range = KeyRange::of(&http)?;
    let mut shown = gateway.authorization.list_clients(range.after.as_deref(), range.limit + 1).await?;
    let next_cursor = range.cut(&mut shown, |shown| &shown.client.id);
    let list = format!("{}/v1/admin/clients", base_url(&http, &gateway.server));
    let link = next_cursor.as_ref().map(|cursor| next_link(&list, http.query_string(), cursor));
    let items = shown.into_iter().map(|shown| ClientView::new(shown, None)).collect();
    let mut answer = answer(StatusCode::OK, ClientPage { items, next_cursor });
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        answer.headers_mut().insert(header::LINK, link);
    }
    Ok(answer)
}
