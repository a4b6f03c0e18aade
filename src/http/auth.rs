//! `/auth`: the partner prototype's door to the token service.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::Gateway;
use super::oauth::form::{self, Parameters};
use super::oauth::refusal::{TokenErrorAnswer, no_store};
use super::oauth::token::{self, TokenAnswer};

/// What a call without a body is answered.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum BasicTokenAnswer {
    Whole(TokenAnswer),
    Open(OpenTokenAnswer),
}

/// A token in the partner prototype's words, where tokens are given without credentials.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9…"}))]
pub(super) struct OpenTokenAnswer {
    /// What to send as `Authorization: Bearer …`.
    access_token: String,
}

/// Get a token by HTTP Basic alone
///
/// The partner prototype's door to `POST /oauth/token`. Where the gateway gives tokens without credentials (`issuer.open`), the answer
/// to a call without any is the prototype's: `access_token` and no other member. `/auth` is the same.
#[utoipa::path(get, path = "/auth/", tag = "tokens",
    security((), ("basic" = [])),
    responses(
        (status = 200, description = "A token", body = BasicTokenAnswer),
        (status = 400, description = "The header Authorization came twice", body = TokenErrorAnswer),
        (status = 401, description = "The client is not known, or its secret is wrong, or the header Authorization is not HTTP Basic", body = TokenErrorAnswer),
        (status = 429, description = "Too many attempts with wrong credentials", body = TokenErrorAnswer),
    ),
)]
pub(super) async fn issue_token_by_basic(gateway: Data<Gateway>, http: HttpRequest) -> HttpResponse {
    let with_credentials = http.headers().contains_key("authorization");
    let answer = match token::issue(&gateway, &http, with_grant_type(Parameters::new())).await {
        Ok(issued) if with_credentials => BasicTokenAnswer::Whole(issued.into()),
        Ok(issued) => BasicTokenAnswer::Open(OpenTokenAnswer { access_token: issued.access_token }),
        Err(refusal) => return refusal.answer(&http),
    };
    no_store(StatusCode::OK).json(answer)
}

/// Get a token at the partner prototype's door
///
/// As `POST /oauth/token`, and `grant_type` may be left out. `/auth` is the same.
#[utoipa::path(post, path = "/auth/", tag = "tokens",
    security((), ("basic" = [])),
    request_body(content((token::TokenForm = "application/x-www-form-urlencoded"), (token::TokenForm = "application/json"))),
    responses(
        (status = 200, description = "A token", body = TokenAnswer),
        (status = 400, description = "A parameter is repeated or malformed; or the grant or the scope is not to be had", body = TokenErrorAnswer),
        (status = 401, description = "The client is not known, or its secret is wrong", body = TokenErrorAnswer),
        (status = 408, description = "The body did not arrive in time", body = TokenErrorAnswer),
        (status = 413, description = "The body is too large", body = TokenErrorAnswer),
        (status = 415, description = "The body is neither a form nor JSON", body = TokenErrorAnswer),
        (status = 429, description = "Too many attempts with wrong credentials", body = TokenErrorAnswer),
    ),
)]
pub(super) async fn issue_token_at_auth(gateway: Data<Gateway>, http: HttpRequest, payload: Payload) -> HttpResponse {
    match form::parameters(&http, payload).await {
        Ok(parameters) => token::answer(&gateway, &http, with_grant_type(parameters)).await,
        Err(refusal) => refusal.answer(&http),
    }
}

fn with_grant_type(mut parameters: Parameters) -> Parameters {
    parameters.entry("grant_type".into()).or_insert_with(|| "client_credentials".into());
    parameters
}
