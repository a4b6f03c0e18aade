//! `/v1/admin/accounts`: operators make accounts of people, remove them, and give them other passwords.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::audit;
use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::body::{Json, Object};
use crate::http::problem::Problem;
use crate::http::register::password;
use crate::oauth::accounts::book::{NewAccount, Registrar};

/// An account that is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateAccount, example = json!({"name": "alain", "password": "correct horse battery staple", "admin": false}))]
pub(in crate::http) struct CreateAccountRequest {
    /// The name: 1 to 64 letters and digits of any script, and the characters `.`, `_`, `-`, `@` and `+`. It is found in lower case.
    name: String,
    /// The password: at least 8 characters, at most 1024 bytes.
    #[serde(deserialize_with = "password")]
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// Whether its person has the scope `admin`.
    #[serde(default)]
    admin: bool,
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetPassword, example = json!({"password": "correct horse battery staple"}))]
pub(in crate::http) struct SetPasswordRequest {
    /// The password: at least 8 characters, at most 1024 bytes.
    #[serde(deserialize_with = "password")]
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// An account that was made.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"id": "acc_9f86d081884c7d659a2feaa0c55ad015", "name": "alain", "admin": false}))]
pub(in crate::http) struct CreatedAccount {
    /// The `sub` of its person's tokens.
    id: String,
    /// The name.
    name: String,
    /// Whether its person has the scope `admin`.
    admin: bool,
}

/// Make an account
///
/// For a person, whatever `accounts.registration` says; an administrator's too.
#[utoipa::path(post, path = "/v1/admin/accounts", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    request_body(content = CreateAccountRequest, content_type = "application/json"),
    responses(
        (status = 201, description = "The account is made", body = CreatedAccount),
        (status = 409, description = "There is an account of this name"),
        (status = 422, description = "The name can be no account's, or the password is too easily guessed"),
    ),
)]
pub(in crate::http) async fn create_account(
    allowed: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    body: Result<Json<Object<CreateAccountRequest>>, Problem>,
) -> Result<HttpResponse, Problem> {
    let Json(Object(CreateAccountRequest { name, password, admin })) = body?;
    let new = NewAccount { name: &name, password: &password, is_admin: admin };
    let made = gateway.authorization.register(&new, Registrar::Operator(&allowed)).await.map_err(Problem::from);
    audit(&http, &allowed, "account.create", &name, &made);
    let person = made?;
    Ok(HttpResponse::Created().json(CreatedAccount { id: person.id, name: person.name, admin: person.is_admin }))
}

/// Remove an account
///
/// Its tokens are refused from then on. Its requests stay, and nobody else gets them, whoever takes the name.
#[utoipa::path(delete, path = "/v1/admin/accounts/{name}", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    params(("name" = String, Path, description = "The name of the account", example = "alain")),
    responses((status = 204, description = "It is gone"), (status = 404, description = "There is no account of this name")),
)]
pub(in crate::http) async fn remove_account(
    allowed: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let removed = gateway.authorization.remove_account(&allowed, &name).await.map_err(Problem::from);
    audit(&http, &allowed, "account.remove", &name, &removed);
    removed.map(|()| HttpResponse::NoContent().finish())
}

/// Give an account another password
///
/// The tokens that were given by the old one are refused from then on.
#[utoipa::path(post, path = "/v1/admin/accounts/{name}/password", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    params(("name" = String, Path, description = "The name of the account", example = "alain")),
    request_body(content = SetPasswordRequest, content_type = "application/json"),
    responses(
        (status = 204, description = "It has the password"),
        (status = 404, description = "There is no account of this name"),
        (status = 422, description = "The password is too easily guessed"),
    ),
)]
pub(in crate::http) async fn set_password(
    allowed: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    name: Path<String>,
    body: Result<Json<Object<SetPasswordRequest>>, Problem>,
) -> Result<HttpResponse, Problem> {
    let Json(Object(SetPasswordRequest { password })) = body?;
    let set = gateway.authorization.set_password(&allowed, &name, &password).await.map_err(Problem::from);
    audit(&http, &allowed, "account.password", &name, &set);
    set.map(|()| HttpResponse::NoContent().finish())
}
