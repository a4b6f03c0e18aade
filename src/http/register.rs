//! `/register`: people make accounts for themselves, where they may.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Gateway;
use super::admin::audit::audit;
use super::allowed::Allowed;
use super::body::{Json, Object};
use super::code::Code;
use super::origin::client_address;
use super::problem::Problem;
use crate::core::error::{Error, Fault};
use crate::core::policy::Operate;
use crate::oauth::accounts::book::{AccountError, NewAccount, Registrar};
use crate::oauth::accounts::settings::Registration;

/// An account that somebody wants.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "alain", "password": "correct horse battery staple"}))]
pub(super) struct RegisterRequest {
    /// The name: 1 to 64 letters and digits of any script, and the characters `.`, `_`, `-`, `@` and `+`. It is found in lower case.
    name: String,
    /// The password: at least 8 characters, at most 1024 bytes.
    #[serde(deserialize_with = "password")]
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// It is done.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"message": "registered successfully"}))]
pub(super) struct RegisterAnswer {
    /// Always the same.
    message: &'static str,
}

/// A password out of JSON, which is not repeated where it is of another type.
pub(super) fn password<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(SecretString::from(text)),
        _ => Err(D::Error::custom("invalid type: the password is not a string")),
    }
}

/// Make an account
///
/// Where `accounts.registration` is `"open"`, everybody may; where it is `"admin"`, who has a token with the scope `admin`; elsewhere
/// nobody (403). The account is never an administrator's. Log in with it at `POST /login`.
#[utoipa::path(post, path = "/register", tag = "accounts",
    security((), ("bearer" = [])),
    request_body(content = RegisterRequest, content_type = "application/json"),
    responses(
        (status = 201, description = "The account is made", body = RegisterAnswer),
        (status = 403, description = "Accounts are not made by this call here, or the token lacks the scope `admin`"),
        (status = 409, description = "There is an account of this name"),
        (status = 422, description = "The name can be no account's, or the password is too easily guessed"),
        (status = 429, description = "Too many accounts are made from there"),
    ),
)]
pub(super) async fn register(
    operator: Result<Allowed<Operate>, Problem>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    body: Result<Json<Object<RegisterRequest>>, Problem>,
) -> Result<HttpResponse, Problem> {
    let operator = match gateway.authorization.registration() {
        Registration::Admin => Some(operator?),
        Registration::Open | Registration::Off => None,
    };
    let Json(Object(RegisterRequest { name, password })) = body?;
    let by = match &operator {
        Some(operator) => Registrar::Operator(operator),
        None => Registrar::Anybody(client_address(&http, &gateway.server)),
    };
    let new = NewAccount { name: &name, password: &password, is_admin: false };
    let made = gateway.authorization.register(&new, by).await.map_err(Problem::from);
    if let Some(operator) = &operator {
        audit(&http, operator, "account.create", &name, &made);
    }
    made?;
    Ok(HttpResponse::Created().json(RegisterAnswer { message: "registered successfully" }))
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Invalid { name, password } => {
                let fault = |pointer: &str, code, detail: String| Fault { pointer: pointer.into(), code, detail };
                let name = name.map(|detail| fault("/name", "invalid_value", detail.to_owned()));
                let password = password.map(|detail| fault("/password", "weak_password", detail));
                Self::new(Code::AccountInvalid).with_faults(name.into_iter().chain(password).collect())
            }
            AccountError::Off => Self::new(Code::RegistrationOff),
            AccountError::NameTaken => Self::new(Code::AccountExists),
            AccountError::Unknown => Self::new(Code::NotFound),
            AccountError::Throttled { retry_after } => Self::new(Code::TooManyAttempts).retry_after(retry_after),
            AccountError::Busy { retry_after } => Self::new(Code::Overloaded).retry_after(retry_after),
            AccountError::Store(error) => Error::Store(error).into(),
        }
    }
}
