//! `/.well-known/…`: what a client needs to know before it calls, RFC 9728 and RFC 8414, and the keys of our tokens.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::Gateway;
use super::conditional::is_known;
use super::origin::{BaseUrl, base_url};
use super::routes::Routes;
use super::settings::ServerSettings;
use crate::core::policy::{REQUESTS_READ, REQUESTS_WRITE};
use crate::oauth::signing_keys::MAX_AGE;

pub(super) mod authorization_server;

const PATH: &str = "/.well-known/oauth-protected-resource";
const JWKS_PATH: &str = "/.well-known/jwks.json";

/// The metadata of this API, RFC 9728 section 2.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "resource": "http://localhost:8080", "authorization_servers": ["http://localhost:8080"],
    "scopes_supported": ["requests:read", "requests:write"], "bearer_methods_supported": ["header"],
    "resource_name": "Anteroom", "resource_documentation": "http://localhost:8080/ui/",
}))]
pub(super) struct ProtectedResource {
    /// The address of this API.
    resource: String,
    /// The issuers whose tokens are accepted.
    authorization_servers: Vec<String>,
    /// The scopes that its operations need.
    scopes_supported: Vec<String>,
    /// How a token may be sent.
    bearer_methods_supported: Vec<&'static str>,
    /// Its name.
    resource_name: &'static str,
    /// What people read.
    resource_documentation: String,
}

/// What does a client need to call this API?
///
/// Protected resource metadata (RFC 9728): whose tokens are accepted, and where they may be. The challenge of a 401 names its address.
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource", tag = "contract",
    responses((status = 200, description = "The metadata", body = ProtectedResource)),
)]
pub(super) async fn get_protected_resource(gateway: Data<Gateway>, http: HttpRequest) -> Json<ProtectedResource> {
    let resource = base_url(&http, &gateway.server);
    // RFC 9728 names authorization servers by URL; an issuer that is none can not be asked for anything.
    let issuers = gateway.chain.issuers(gateway.chain.api()).filter(|issuer| issuer.contains("://"));
    let of_types = gateway.queue.types().scopes().iter().map(|(name, _)| name);
    Json(ProtectedResource {
        authorization_servers: issuers.map(str::to_owned).collect(),
        scopes_supported: [REQUESTS_READ, REQUESTS_WRITE].into_iter().chain(of_types).map(str::to_owned).collect(),
        bearer_methods_supported: gateway.token_places.methods(),
        resource_name: "Anteroom",
        resource_documentation: format!("{resource}/ui/"),
        resource,
    })
}

/// The keys that our tokens are signed with
///
/// A JWK Set (RFC 7517). A new key is in it before it signs, and an old one until its last token has expired. Where tokens are signed with
/// a secret there is no key in it.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "contract",
    responses(
        (status = 200, description = "The public keys", content_type = "application/json", body = PublishedKeys),
        (status = 304, description = "They are those of the entity tag in If-None-Match"),
    ),
)]
pub(super) async fn get_jwks(gateway: Data<Gateway>, http: HttpRequest) -> HttpResponse {
    let keys = gateway.authorization.published_keys();
    let is_known = is_known(http.headers(), &keys.etag);
    let mut answer = HttpResponse::build(if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    answer.insert_header((header::CACHE_CONTROL, format!("public, max-age={}", MAX_AGE.as_secs())));
    answer.insert_header((header::ETAG, &*keys.etag));
    if is_known { answer.finish() } else { answer.content_type("application/json").body(keys.jwks.clone()) }
}

/// A JWK Set; RFC 7517 section 5.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer in the contract")]
pub(super) struct PublishedKeys {
    /// The keys, each a JWK with `kty`, `crv`, `x`, `y`, `use`, `alg` and `kid`.
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// The address of the metadata, for the challenge (RFC 9728 section 5.1); none on a listener that does not serve the API. Below the
/// prefix of `public_url`, where a proxy that strips it finds us; `deploy/nginx.conf` serves it at the place that the RFC derives as
/// well.
pub(super) fn address(request: &HttpRequest, server: &ServerSettings) -> Option<String> {
    let is_here = request.app_data::<Data<Routes>>().is_some_and(|routes| routes.serve(PATH));
    is_here.then(|| address_at(BaseUrl::of(request.head(), server)))
}

/// The same, where the API is served.
pub(super) fn address_at(base: BaseUrl<'_>) -> String {
    base.with(PATH)
}
