//! `/login`: a token for a person's name and password.

use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use super::Gateway;
use super::code::Code;
use super::oauth::refusal::no_store;
use super::origin::client_address;
use super::problem::{Problem, ProblemBody};
use crate::core::error::Error;
use crate::oauth::TokenError;
use crate::oauth::accounts::LoginError;

/// A person's token.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9…"}))]
pub(super) struct LoginAnswer {
    /// What to send as `Authorization: Bearer …`, or in the header that `verify.token_header` names.
    token: String,
}

/// Log in
///
/// A token for the name and the password of an account, which come by HTTP Basic. It is valid for `accounts.lifetime`, 45 minutes
/// unless configured, and has the scopes of `accounts.scopes`, an administrator's `admin` besides. Wrong attempts are slowed down
/// (429): from where they came, the right password may have to wait as well.
#[utoipa::path(post, path = "/login", tag = "accounts",
    security(("basic" = [])),
    responses(
        (status = 200, description = "A token", body = LoginAnswer),
        (status = 401, description = "There is no such account, or the password is wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong attempts", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Too many passwords wait to be checked, or the store is not to be had", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn log_in(gateway: Data<Gateway>, http: HttpRequest) -> Result<HttpResponse, Problem> {
    let (name, password) = credentials(&http).ok_or_else(|| Problem::new(Code::LoginFailed))?;
    let address = client_address(&http, &gateway.server);
    let issued = gateway.authorization.login_token(&name, &password, address).await?;
    Ok(no_store(StatusCode::OK).json(LoginAnswer { token: issued.access_token }))
}

/// RFC 7617 section 2: what is before the first colon is the name. Unlike a client's credentials, they are not form-encoded.
fn credentials(http: &HttpRequest) -> Option<(String, SecretString)> {
    let mut values = http.headers().get_all(header::AUTHORIZATION);
    let (scheme, encoded) = values.next()?.to_str().ok()?.split_once(' ')?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    let is_whole = scheme.eq_ignore_ascii_case("basic") && !name.is_empty() && !password.is_empty();
    (is_whole && values.next().is_none()).then(|| (name.to_owned(), SecretString::from(password)))
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Wrong => Self::new(Code::LoginFailed),
            LoginError::Throttled { retry_after } => Self::new(Code::TooManyAttempts).retry_after(retry_after),
            LoginError::Busy { retry_after } => Self::new(Code::Overloaded).retry_after(retry_after),
            LoginError::Store(error) | LoginError::Token(TokenError::Store(error)) => Error::Store(error).into(),
            LoginError::Token(error) => {
                if let TokenError::SigningFailed(reason) = &error {
                    tracing::error!("a token can not be signed: {reason}");
                }
                Self::new(Code::Internal)
            }
        }
    }
}
