//! `/.well-known/oauth-authorization-server`: what a client is told before it asks for a token, and that all of it is there.

use reqwest::Method;
use serde_json::json;

use super::SECRET;
use crate::gateway::{Answer, Gateway, client};

const PATHS: [&str; 2] = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];

async fn fetch(gateway: &Gateway, path: &str) -> Answer {
    Answer::to(gateway.call(Method::GET, path)).await
}

/// D1: the issuer byte for byte, the addresses below the public one, and no grant, method or way that is not offered.
#[tokio::test]
async fn the_metadata_names_what_is_offered_and_nothing_else() {
    let base = "https://gw.example/anteroom";
    let gateway = Gateway::configured(&format!(
        "issuer.url = \"https://own.example/x\"\nshutdown.delay = \"0s\"\n[server]\npublic_url = \"{base}\"\n{}",
        client("acme", SECRET, &["requests:read"])
    ));
    let [told, same] = [fetch(&gateway, PATHS[0]).await, fetch(&gateway, PATHS[1]).await];
    assert_eq!((told.status, told.header("content-type")), (200, "application/json"));
    assert_eq!(told.header("cache-control"), "public, max-age=300");
    assert_eq!((same.status, same.json(), same.header("cache-control")), (200, told.json(), "public, max-age=300"));
    let at = |path: &str| format!("{base}{path}");
    let methods = json!(["client_secret_basic", "client_secret_post", "none"]);
    let whole = json!({
        "issuer": "https://own.example/x",
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "device_authorization_endpoint": at("/oauth/device"),
        "introspection_endpoint": at("/oauth/introspect"),
        "revocation_endpoint": at("/oauth/revoke"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "scopes_supported": ["admin", "requests:read", "requests:work", "requests:write", "webhooks:manage"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "client_credentials", "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": methods,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "service_documentation": at("/ui/"),
    });
    assert_eq!(told.json(), whole);
}

/// Every endpoint that is named is there.
#[tokio::test]
async fn every_address_in_the_metadata_answers() {
    let gateway = Gateway::start();
    for (name, address) in fetch(&gateway, PATHS[0]).await.json().as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let path = address.as_str().unwrap().strip_prefix(&gateway.url("")).unwrap();
            let answer = fetch(&gateway, path).await;
            assert_ne!(answer.status, 404, "{name}");
        }
    }
}

/// Pages of the configured origins may read metadata and keys, and get and give back tokens; those of others may not.
#[tokio::test]
async fn pages_of_configured_origins_may_call_the_authorization_server() {
    let gateway = Gateway::configured("server.cors_origins = [\"https://app.example\"]\n");
    for path in [PATHS[0], PATHS[1], "/.well-known/jwks.json"] {
        let answer = Answer::to(gateway.call(Method::GET, path).header("origin", "https://app.example")).await;
        assert_eq!(answer.header("access-control-allow-origin"), "https://app.example", "{path}");
    }
    for path in ["/oauth/token", "/oauth/revoke"] {
        let ask = |origin| {
            let call = gateway.call(Method::OPTIONS, path).header("origin", origin);
            call.header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization,content-type")
        };
        let allowed = Answer::to(ask("https://app.example")).await;
        assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, "https://app.example"));
        assert_eq!(Answer::to(ask("https://other.example")).await.status, 400);
    }
}
