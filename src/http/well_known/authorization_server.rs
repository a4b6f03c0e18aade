//! `/.well-known/oauth-authorization-server`: RFC 8414, what a client needs to know to get a token.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::JWKS_PATH;
use crate::http::Gateway;
use crate::http::origin::base_url;
use crate::oauth::grant_type::{GrantType, OFFERED};
use crate::oauth::signing_keys::MAX_AGE;

/// Where it is. Discovery of OpenID Connect looks for the same at the second one, though no ID tokens are given.
pub(in crate::http) const OPENID_PATH: &str = "/.well-known/openid-configuration";

/// How a client can prove itself; `none` is the way of one that has no secret.
const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];

/// The metadata of this authorization server, RFC 8414 section 2. Only what is offered is named.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "issuer": "http://localhost:8080", "token_endpoint": "http://localhost:8080/oauth/token",
    "jwks_uri": "http://localhost:8080/.well-known/jwks.json", "grant_types_supported": ["client_credentials"],
}))]
pub(in crate::http) struct AuthorizationServerMetadata {
    /// The `iss` of its tokens, byte for byte.
    issuer: String,
    /// Where people's browsers are sent for a code.
    authorization_endpoint: String,
    /// Where tokens are given.
    token_endpoint: String,
    /// Where devices ask for a code, RFC 8628.
    device_authorization_endpoint: String,
    /// Where services ask about tokens, RFC 7662.
    introspection_endpoint: String,
    /// Where tokens are given back, RFC 7009.
    revocation_endpoint: String,
    /// Where the keys are that tokens are signed with.
    jwks_uri: String,
    /// The scopes there are.
    scopes_supported: Vec<String>,
    /// What the authorization endpoint answers with.
    response_types_supported: &'static [&'static str],
    /// How it answers.
    response_modes_supported: &'static [&'static str],
    /// The grants.
    grant_types_supported: Vec<&'static str>,
    /// How a client proves itself at the token endpoint.
    token_endpoint_auth_methods_supported: &'static [&'static str],
    /// At the introspection endpoint.
    introspection_endpoint_auth_methods_supported: &'static [&'static str],
    /// At the revocation endpoint.
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
    /// How a code is bound to who asked for it, RFC 7636.
    code_challenge_methods_supported: &'static [&'static str],
    /// Whether answers with a code name their issuer, RFC 9207.
    authorization_response_iss_parameter_supported: bool,
    /// What people read.
    service_documentation: String,
}

/// What does a client need to get a token?
///
/// Authorization server metadata (RFC 8414): the endpoints, and what they offer. The same document is at
/// `/.well-known/openid-configuration`, where most programs look for it.
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "contract",
    responses((status = 200, description = "The metadata", body = AuthorizationServerMetadata)),
)]
pub(in crate::http) async fn get_authorization_server(gateway: Data<Gateway>, http: HttpRequest) -> HttpResponse {
    let cached = (header::CACHE_CONTROL, format!("public, max-age={}", MAX_AGE.as_secs()));
    HttpResponse::Ok().insert_header(cached).json(metadata(&gateway, &http))
}

fn metadata(gateway: &Gateway, http: &HttpRequest) -> AuthorizationServerMetadata {
    let base = base_url(http, &gateway.server);
    let at = |path: &str| format!("{base}{path}");
    AuthorizationServerMetadata {
        issuer: gateway.authorization.issuer_url().to_owned(),
        authorization_endpoint: at("/oauth/authorize"),
        token_endpoint: at("/oauth/token"),
        device_authorization_endpoint: at("/oauth/device"),
        introspection_endpoint: at("/oauth/introspect"),
        revocation_endpoint: at("/oauth/revoke"),
        jwks_uri: at(JWKS_PATH),
        scopes_supported: gateway.authorization.scope_names().map(str::to_owned).collect(),
        response_types_supported: &["code"],
        response_modes_supported: &["query"],
        grant_types_supported: OFFERED.map(GrantType::name).to_vec(),
        token_endpoint_auth_methods_supported: &METHODS,
        introspection_endpoint_auth_methods_supported: &METHODS[..2],
        revocation_endpoint_auth_methods_supported: &METHODS,
        code_challenge_methods_supported: &["S256"],
        authorization_response_iss_parameter_supported: true,
        service_documentation: at("/ui/"),
    }
}
