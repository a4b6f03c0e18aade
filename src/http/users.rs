//! `/users`: the people who have an account, for operators; never a hash.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::Gateway;
use super::allowed::Allowed;
use super::origin::base_url;
use super::page::{KeyQuery, KeyRange, next_link};
use super::problem::Problem;
use crate::core::clock::Timestamp;
use crate::core::policy::Operate;
use crate::oauth::accounts::book::Listed;

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
    params(KeyQuery),
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
    let range = KeyRange::of(&http)?;
    let after = range.after.as_deref();
    let mut accounts = gateway.authorization.list_accounts(&allowed, after, range.limit + 1).await?;
    let next_cursor = range.cut(&mut accounts, |account| &account.key);
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if let Some(cursor) = &next_cursor {
        let list = format!("{}/users", base_url(&http, &gateway.server));
        answer.insert_header((header::LINK, next_link(&list, http.query_string(), cursor)));
    }
    Ok(answer.json(UserPage { items: accounts.into_iter().map(UserView::from).collect(), next_cursor }))
}
