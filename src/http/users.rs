//! `/users`: the people who have an account, for operators; never a hash.

use actix_web::http::header;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Gateway;
use super::allowed::Allowed;
use super::code::Code;
use super::origin::base_url;
use super::page;
use super::problem::Problem;
use crate::core::clock::Timestamp;
use crate::core::policy::Operate;
use crate::oauth::accounts::book::Listed;

const MOST: usize = 200;

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UserQuery {
    /// The most accounts on a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, value_type = Option<usize>)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of accounts.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"next_cursor": null, "items": [{
    "id": "acc_9f86d081884c7d659a2feaa0c55ad015", "name": "alain", "admin": false, "created_at": "2026-11-22T06:12:03.482Z",
}]}))]
pub(super) struct UserPage {
    /// The accounts, by name.
    items: Vec<UserView>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// An account.
#[derive(Serialize, ToSchema)]
#[schema(as = User, example = json!({
    "id": "acc_9f86d081884c7d659a2feaa0c55ad015", "name": "alain", "admin": false, "created_at": "2026-11-22T06:12:03.482Z",
}))]
pub(super) struct UserView {
    /// The `sub` of its person's tokens, and so the owner of their requests.
    id: String,
    /// The name, as it was registered.
    name: String,
    /// Whether its person may have the scope `admin`.
    admin: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Listed> for UserView {
    fn from(Listed { person, created_at, .. }: Listed) -> Self {
        Self { id: person.id, name: person.name, admin: person.is_admin, created_at }
    }
}

/// List the accounts of people
///
/// By name. While there are more, `next_cursor` leads to the next page.
#[utoipa::path(get, path = "/users", tag = "accounts",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    params(UserQuery),
    responses(
        (status = 200, description = "A page of accounts", body = UserPage, headers(
            ("Link" = Option<String>, description = "`rel=\"next\"`: the next page"),
        )),
        (status = 400, description = "A query parameter is unknown or malformed"),
    ),
)]
pub(super) async fn list_users(
    allowed: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Query::<UserQuery>::from_query(http.query_string())
        .map_err(|_| malformed("The query can not be read: its parameters are `limit` and `cursor`, each once."))?
        .into_inner();
    let (limit, after) = (query.limit()?, query.after()?);
    let mut accounts = gateway.authorization.list_accounts(&allowed, after.as_deref(), limit + 1).await?;
    let more = accounts.len() > limit;
    accounts.truncate(limit);
    let next_cursor = accounts.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(&last.key));
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if let Some(cursor) = &next_cursor {
        let list = format!("{}/users", base_url(&http, &gateway.server));
        answer.insert_header((header::LINK, page::next_link(&list, http.query_string(), cursor)));
    }
    Ok(answer.json(UserPage { items: accounts.into_iter().map(UserView::from).collect(), next_cursor }))
}

impl UserQuery {
    fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.as_ref().map_or(Ok(50), |limit| limit.parse()).ok();
        let within = limit.filter(|limit| (1..=MOST).contains(limit));
        within.ok_or_else(|| malformed(&format!("The parameter limit is not between 1 and {MOST}.")))
    }

    fn after(&self) -> Result<Option<String>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let after = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let after = after.filter(|after| after.len() <= 512 && !after.contains('\0'));
        after.map(Some).ok_or_else(|| malformed("The cursor is not one that a page of this list answered."))
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::detailed(Code::Malformed, detail)
}
