//! `/oauth/revoke`: a client gives a token back; RFC 7009.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use super::form::parameters;
use super::own_token::{asked, judge};
use super::refusal::{Refusal, TokenErrorAnswer, no_store};
use crate::http::Gateway;

/// The token that is given back; RFC 7009 section 2.1. The credentials may come by HTTP Basic instead.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the form in the contract; the parameters are read one by one")]
pub(in crate::http) struct RevocationForm {
    /// The token.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9…")]
    token: String,
    /// What the token is likely to be; it makes no difference.
    #[schema(example = "access_token")]
    token_type_hint: Option<String>,
    /// The client id, unless it comes by HTTP Basic. Of a public client it is enough.
    #[schema(example = "demo")]
    client_id: Option<String>,
    /// The client's secret, unless it comes by HTTP Basic.
    #[schema(format = Password)]
    client_secret: Option<String>,
}

/// Give a token back
///
/// Token revocation (RFC 7009): the client's own token is not believed any more, here at once, and within 5 s by other gateways on the
/// same store. With a refresh token everything ends that came of what the person has granted. Of a token that is unknown, expired or
/// another client's the answer is the same, and nothing happens.
#[utoipa::path(post, path = "/oauth/revoke", tag = "tokens",
    security((), ("basic" = [])),
    request_body(content(
        (RevocationForm = "application/x-www-form-urlencoded"),
        (RevocationForm = "application/json", example = json!({"token": "eyJ0eXAi…", "client_id": "demo", "client_secret": "…"})),
    )),
    responses(
        (status = 200, description = "The token is not believed any more, or never was"),
        (status = 400, description = "A parameter is missing, repeated or malformed", body = TokenErrorAnswer),
        (status = 401, description = "The client is not known, or its secret is wrong", body = TokenErrorAnswer),
        (status = 408, description = "The body did not arrive in time", body = TokenErrorAnswer),
        (status = 413, description = "The body is too large", body = TokenErrorAnswer),
        (status = 415, description = "The body is neither a form nor JSON", body = TokenErrorAnswer),
        (status = 429, description = "Too many attempts with wrong credentials", body = TokenErrorAnswer),
    ),
)]
pub(in crate::http) async fn revoke_token(gateway: Data<Gateway>, http: HttpRequest, payload: Payload) -> HttpResponse {
    match revoke(&gateway, &http, payload).await {
        Ok(()) => no_store(StatusCode::OK).finish(),
        Err(refusal) => refusal.answer(&http),
    }
}

async fn revoke(gateway: &Gateway, http: &HttpRequest, payload: Payload) -> Result<(), Refusal> {
    let (client, token) = asked(gateway, http, &mut parameters(http, payload).await?).await?;
    if gateway.authorization.revoke_refresh_token(&client, &token).await? {
        return Ok(());
    }
    let Some(caller) = judge(gateway, &token).await? else { return Ok(()) };
    let id = caller.claims.get("jti").and_then(|id| id.as_str());
    if let Some(id) = id.filter(|_| caller.client_id.as_ref() == Some(&client.id)) {
        gateway.authorization.revoke_token(id, caller.expires_at).await?;
    }
    Ok(())
}
