//! `/v1/whoami`: the caller as the gateway sees it.

use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use super::allowed::Allowed;
use crate::core::claims::Caller;
use crate::core::policy::Authenticated;

/// Who a token speaks for.
#[derive(Serialize, ToSchema)]
#[schema(as = Caller, example = json!({
    "issuer": "http://localhost:8080", "subject": "demo", "client_id": "demo",
    "scopes": ["requests:read", "requests:write"], "permissions": [], "audience": ["anteroom"], "email": null,
    "expires_at": "2026-11-22T07:12:03.000Z",
}))]
pub struct CallerView {
    /// Who issued the token.
    issuer: String,
    /// Whom it was issued for; issuer and subject together own requests.
    subject: String,
    /// The OAuth client that it was issued to.
    #[schema(required)]
    client_id: Option<String>,
    /// The scopes that count here.
    scopes: Vec<String>,
    /// The permissions claim, which Auth0 issues.
    permissions: Vec<String>,
    /// Whom the token is meant for.
    audience: Vec<String>,
    /// The e-mail address in the token.
    #[schema(required)]
    email: Option<String>,
    /// When the token expires.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl From<&Caller> for CallerView {
    fn from(caller: &Caller) -> Self {
        Self {
            issuer: caller.issuer.clone(),
            subject: caller.subject.clone(),
            client_id: caller.client_id.clone(),
            scopes: caller.scopes.iter().cloned().collect(),
            permissions: caller.permissions.clone(),
            audience: caller.audience.clone(),
            email: caller.email.clone(),
            expires_at: caller.expires_at.to_string(),
        }
    }
}

/// Who am I?
///
/// The caller as the gateway sees it: whose requests a token reads and writes, and what it allows. Any genuine token will do.
#[utoipa::path(get, path = "/v1/whoami", tag = "caller",
    security(("bearer" = []), ("oauth2" = [])),
    responses((status = 200, description = "The caller", body = CallerView)),
)]
pub(super) async fn whoami(allowed: Allowed<Authenticated>) -> web::Json<CallerView> {
    web::Json(allowed.caller().into())
}
