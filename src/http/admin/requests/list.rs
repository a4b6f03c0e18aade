//! `GET /v1/admin/requests`: anybody's requests, newest first, page by page.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::view::AdminRequestView;
use crate::core::policy::Operate;
use crate::core::request::Owner;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::page;
use crate::http::problem::Problem;
use crate::http::requests::filter::{ListParameters, ListQuery, malformed};
use crate::http::requests::view::Presenter;

/// Whose requests may be asked for, for the contract.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct OwnerParameters {
    /// Only those of this owner: the `iss` of its tokens; with `subject`.
    issuer: Option<String>,
    /// Only those of this owner: the `sub` of its tokens, or the client id where a verifier says so; with `issuer`.
    subject: Option<String>,
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
    params(OwnerParameters, ListParameters),
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
    let (owner, query) = read(http.query_string())?;
    let ListQuery { filter, limit, cursor: after } = query;
    let bound_to = ("admin", &owner, &filter);
    let after = after.map(|cursor| page::position(&cursor, &bound_to)).transpose()?;
    let mut requests = gateway.queue.list_all(&allowed, owner.as_ref(), &filter, after, limit + 1).await?;
    let next_cursor = page::cut(&mut requests, limit, &bound_to, |seen| &seen.request);
    let presenter = Presenter::for_operators(&gateway);
    let items = requests.iter().map(|seen| AdminRequestView::new(seen, &presenter)).collect();
    Ok(Json(AdminRequestPage { items, next_cursor }))
}

/// The owner that a query names, and the rest of it.
fn read(query: &str) -> Result<(Option<Owner>, ListQuery), Problem> {
    let (mut issuer, mut subject) = (None, None);
    let rest = ListQuery::read_beside(query, |name, value| {
        let place = match name {
            "issuer" => &mut issuer,
            "subject" => &mut subject,
            _ => return false,
        };
        *place = Some(value.to_owned());
        true
    })?;
    match (issuer, subject) {
        (Some(issuer), Some(subject)) => Ok((Some(Owner { issuer, subject }), rest)),
        (None, None) => Ok((None, rest)),
        _ => Err(malformed("The parameters issuer and subject name an owner together: send both.")),
    }
}
