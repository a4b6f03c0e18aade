//! `/oauth/token`: tokens, in the forms of RFC 6749.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::client_authentication::credentials;
use super::form::{Parameters, parameters};
use super::refusal::{Refusal, TokenErrorAnswer, no_store};
use crate::http::Gateway;
use crate::http::origin::client_address;
use crate::oauth::Issued;
use crate::oauth::token::TokenRequest;

/// What a client asks with; RFC 6749 sections 4.1.3, 4.4.2 and 6, and RFC 8628 section 3.4. The credentials may come by HTTP Basic instead.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the form in the contract; the parameters are read one by one, to refuse repeated ones"
)]
pub(in crate::http) struct TokenForm {
    /// The grant.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The scopes asked for, separated by spaces. None: all that the client has, or, of the grant `refresh_token`, all that were granted.
    /// The other grants take none: the scopes were asked for when they began.
    #[schema(example = "requests:read requests:write")]
    scope: Option<String>,
    /// The client id, unless it comes by HTTP Basic.
    #[schema(example = "demo")]
    client_id: Option<String>,
    /// The client's secret, unless it comes by HTTP Basic.
    #[schema(format = Password)]
    client_secret: Option<String>,
    /// Of the grant `urn:ietf:params:oauth:grant-type:device_code`: the device code (RFC 8628).
    device_code: Option<String>,
    /// Of the grant `authorization_code`: the code that the browser brought.
    code: Option<String>,
    /// Of the grant `authorization_code`: where the browser was sent with the code.
    redirect_uri: Option<String>,
    /// Of the grant `authorization_code`: what `code_challenge` was made from (RFC 7636).
    code_verifier: Option<String>,
    /// Of the grant `refresh_token`: the refresh token. It is good once; with the access token comes the next.
    refresh_token: Option<String>,
}

/// A token; RFC 6749 section 5.1.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9…", "token_type": "Bearer", "expires_in": 3600,
    "scope": "requests:read requests:write",
}))]
pub(in crate::http) struct TokenAnswer {
    /// What to send as `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// For how many seconds it is valid.
    expires_in: u64,
    /// The scopes that it grants.
    scope: String,
    /// What the next token can be had for; only where a person has granted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

impl From<Issued> for TokenAnswer {
    fn from(issued: Issued) -> Self {
        Self {
            access_token: issued.access_token,
            token_type: "Bearer",
            expires_in: issued.lifetime.as_secs(),
            scope: issued.scope,
            refresh_token: issued.refresh_token.map(|token| token.expose_secret().to_owned()),
        }
    }
}

/// Get a token
///
/// The client credentials grant of RFC 6749, section 4.4; the code grant, section 4.1, with PKCE by S256 (RFC 7636); the refresh grant,
/// section 6, where each refresh token is good once and a second use ends all that came of the grant; and the device grant of RFC 8628,
/// section 3.4, which is asked for again until a person has decided. The client id and its secret come by HTTP Basic, or in a body that
/// is a form or JSON. Attempts with wrong credentials are slowed down (429); right ones never are.
#[utoipa::path(post, path = "/oauth/token", tag = "tokens",
    security((), ("basic" = [])),
    request_body(content(
        (TokenForm = "application/x-www-form-urlencoded"),
        (TokenForm = "application/json", example = json!({"grant_type": "client_credentials", "client_id": "demo", "client_secret": "…"})),
    )),
    responses(
        (status = 200, description = "A token", body = TokenAnswer),
        (status = 400, description = "A parameter is missing, repeated or malformed; the grant or the scope is not to be had; or, of a device, nobody has decided yet (`authorization_pending`), it asks too often (`slow_down`), or the code is expired (`expired_token`) or denied (`access_denied`)", body = TokenErrorAnswer),
        (status = 401, description = "The client is not known, or its secret is wrong", body = TokenErrorAnswer),
        (status = 408, description = "The body did not arrive in time", body = TokenErrorAnswer),
        (status = 413, description = "The body is too large", body = TokenErrorAnswer),
        (status = 415, description = "The body is neither a form nor JSON", body = TokenErrorAnswer),
        (status = 429, description = "Too many attempts with wrong credentials", body = TokenErrorAnswer),
    ),
)]
pub(in crate::http) async fn issue_token(gateway: Data<Gateway>, http: HttpRequest, payload: Payload) -> HttpResponse {
    match parameters(&http, payload).await {
        Ok(parameters) => answer(&gateway, &http, parameters).await,
        Err(refusal) => refusal.answer(&http),
    }
}

/// Gives a token for what was sent.
pub(in crate::http) async fn answer(gateway: &Gateway, http: &HttpRequest, parameters: Parameters) -> HttpResponse {
    match issue(gateway, http, parameters).await {
        Ok(issued) => no_store(StatusCode::OK).json(TokenAnswer::from(issued)),
        Err(refusal) => refusal.answer(http),
    }
}

/// The token for what was sent, for a door that answers in words of its own.
pub(in crate::http) async fn issue(
    gateway: &Gateway,
    http: &HttpRequest,
    mut parameters: Parameters,
) -> Result<Issued, Refusal> {
    let request = TokenRequest {
        credentials: credentials(http, &mut parameters)?,
        grant_type: parameters.remove("grant_type"),
        scope: parameters.remove("scope"),
        parameters,
        address: client_address(http, &gateway.server),
    };
    Ok(gateway.authorization.token(&request).await?)
}
