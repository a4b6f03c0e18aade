//! `/oauth/introspect`: what a token of ours says, for services that can not read it themselves; RFC 7662.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::form::parameters;
use super::own_token::{asked, judge};
use super::refusal::{Refusal, TokenErrorAnswer, no_store};
use crate::core::claims::Caller;
use crate::http::Gateway;
use crate::oauth::TokenError;

/// The token that is asked about; RFC 7662 section 2.1. The credentials may come by HTTP Basic instead.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the form in the contract; the parameters are read one by one")]
pub(in crate::http) struct IntrospectionForm {
    /// The token.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9…")]
    token: String,
    /// What the token is likely to be; it makes no difference.
    #[schema(example = "access_token")]
    token_type_hint: Option<String>,
    /// The client id of the service that asks, unless it comes by HTTP Basic.
    #[schema(example = "demo")]
    client_id: Option<String>,
    /// Its secret, unless it comes by HTTP Basic.
    #[schema(format = Password)]
    client_secret: Option<String>,
}

/// What the token says; RFC 7662 section 2.2. Of one that is not good now, nothing but that.
#[derive(Default, Serialize, ToSchema)]
#[schema(example = json!({
    "active": true, "scope": "requests:read", "client_id": "acme", "sub": "acme", "aud": "anteroom", "iss": "http://localhost:8080",
    "exp": 1_795_331_523, "iat": 1_795_327_923, "jti": "dzKZ4Vd0qJ2Yw1pXc9TqSg", "token_type": "Bearer",
}))]
pub(in crate::http) struct IntrospectionAnswer {
    /// Whether it is a token of ours, and good now.
    active: bool,
    /// What it allows, separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Value>,
    /// The client that it was given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Value>,
    /// Whom it speaks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<Value>,
    /// Whom it is meant for: a text, or several.
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Value>,
    /// Who issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<Value>,
    /// When it expires, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<Value>,
    /// When it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<Value>,
    /// Its own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<Value>,
    /// Always `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
}

impl From<&Caller> for IntrospectionAnswer {
    fn from(caller: &Caller) -> Self {
        let claim = |name: &str| caller.claims.get(name).cloned();
        Self {
            active: true,
            scope: claim("scope"),
            client_id: claim("client_id"),
            sub: claim("sub"),
            aud: claim("aud"),
            iss: claim("iss"),
            exp: claim("exp"),
            iat: claim("iat"),
            jti: claim("jti"),
            token_type: Some("Bearer"),
        }
    }
}

/// Ask about a token
///
/// Token introspection (RFC 7662): any client that has a secret may ask about any token of this gateway's. One that is unknown, expired,
/// revoked or of another issuer is `{"active": false}`, and nothing more is said.
#[utoipa::path(post, path = "/oauth/introspect", tag = "tokens",
    security((), ("basic" = [])),
    request_body(content(
        (IntrospectionForm = "application/x-www-form-urlencoded"),
        (IntrospectionForm = "application/json", example = json!({"token": "eyJ0eXAi…", "client_id": "demo", "client_secret": "…"})),
    )),
    responses(
        (status = 200, description = "What the token says, or that it is not good", body = IntrospectionAnswer),
        (status = 400, description = "A parameter is missing, repeated or malformed", body = TokenErrorAnswer),
        (status = 401, description = "The client is not known, has no secret, or its secret is wrong", body = TokenErrorAnswer),
        (status = 408, description = "The body did not arrive in time", body = TokenErrorAnswer),
        (status = 413, description = "The body is too large", body = TokenErrorAnswer),
        (status = 415, description = "The body is neither a form nor JSON", body = TokenErrorAnswer),
        (status = 429, description = "Too many attempts with wrong credentials", body = TokenErrorAnswer),
    ),
)]
pub(in crate::http) async fn introspect_token(
    gateway: Data<Gateway>,
    http: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    match introspect(&gateway, &http, payload).await {
        Ok(told) => no_store(StatusCode::OK).json(told),
        Err(refusal) => refusal.answer(&http),
    }
}

async fn introspect(gateway: &Gateway, http: &HttpRequest, payload: Payload) -> Result<IntrospectionAnswer, Refusal> {
    let (client, token) = asked(gateway, http, &mut parameters(http, payload).await?).await?;
    // RFC 7662 section 2.1: who asks must be authenticated, or it could try tokens out here.
    if client.is_public {
        return Err(TokenError::InvalidClient.into());
    }
    let caller = judge(gateway, &token).await?;
    Ok(caller.as_deref().map(IntrospectionAnswer::from).unwrap_or_default())
}
