//! The clock of OAuth 2.0 by its ready configuration: a token for one endpoint, for five seconds.

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, NOON, problem};
use crate::guard::ask;
use crate::verify::keys::{SECRET as FOREIGN_SECRET, hmac};

const TOML: &str = include_str!("../../config/clock.toml");
const PATH: &str = "/v1/requests";

/// What `/oauth/token` answers the demo client that asks for this scope.
async fn ask_for(gateway: &Gateway, scope: &str) -> Value {
    let form = format!("grant_type=client_credentials&scope={scope}");
    let call = gateway.call(Method::POST, "/oauth/token").basic_auth("demo", Some(gateway.demo_secret()));
    Answer::to(call.header("content-type", "application/x-www-form-urlencoded").body(form)).await.json()
}

async fn submit(gateway: &Gateway, token: &str, kind: &str) -> Answer {
    gateway.post(token, PATH, &json!({ "type": kind, "payload": {} })).await
}

#[tokio::test]
async fn a_token_for_one_endpoint_opens_it_for_five_seconds() {
    let gateway = Gateway::configured(TOML);
    let issued = ask_for(&gateway, "current_time").await;
    assert_eq!((&issued["expires_in"], &issued["scope"]), (&json!(5), &json!("current_time")));
    let token = issued["access_token"].as_str().unwrap();
    let told = submit(&gateway, token, "current_time").await;
    assert_eq!((told.status, &told.json()["finished_at"]), (202, &json!(NOON.to_string())));
    assert_eq!(gateway.get(token, PATH).await.json()["items"], json!([told.json()]));
    let other = submit(&gateway, token, "epoch_time").await;
    let detail = "The token is genuine and lacks the scope epoch_time. Ask for a token with it.";
    assert_eq!(other.problem(), problem(403, "insufficient_scope", "Insufficient scope", detail));
    gateway.advance(6);
    let late = submit(&gateway, token, "current_time").await;
    assert_eq!((late.status, &late.json()["code"]), (401, &json!("token_expired")));
}

#[tokio::test]
async fn a_token_lives_no_longer_than_the_shortest_of_its_scopes() {
    let gateway = Gateway::configured(TOML);
    for (scope, lifetime) in [("requests:read", 3600), ("requests:read+epoch_time", 5), ("", 5)] {
        assert_eq!(ask_for(&gateway, scope).await["expires_in"], lifetime, "{scope}");
    }
}

#[tokio::test]
async fn the_scopes_of_types_are_told_wherever_scopes_are() {
    let gateway = Gateway::configured(TOML);
    let read = async |path: &str| Answer::to(gateway.call(Method::GET, path)).await.json();
    let metadata = read("/.well-known/oauth-protected-resource").await;
    let scopes = json!(["requests:read", "requests:write", "current_time", "epoch_time"]);
    assert_eq!(metadata["scopes_supported"], scopes);
    let document = read("/openapi.json").await;
    let offered = &document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"];
    assert_eq!(offered["current_time"], "Submit, read and cancel your requests of the type current_time");
    let ways = |own: &str| json!([{ "bearer": [] }, { "oauth2": [own] }, { "oauth2": ["current_time"] }, { "oauth2": ["epoch_time"] }]);
    assert_eq!(document["paths"][PATH]["post"]["security"], ways("requests:write"));
    assert_eq!(document["paths"]["/v1/requests/{request_id}"]["get"]["security"], ways("requests:read"));
    assert_eq!(document["paths"]["/v1/leases"]["post"]["security"][1], json!({ "oauth2": ["requests:work"] }));
}

/// Another issuer's word for a scope of a type is not that scope, unless the list of its verifier makes it that.
#[tokio::test]
async fn another_issuers_tokens_open_a_type_by_the_list_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), FOREIGN_SECRET).unwrap();
    let legacy = "[verifiers.legacy]\nkind = \"hs256\"\nissuer = \"https://legacy.example/\"\naudience = [\"anteroom\"]\n\
        secrets = [\"file:secret\"]\nscopes = { \"time:read\" = \"current_time\" }\n\
        [guards.clock]\nscopes = [\"current_time\"]\n";
    let gateway = Gateway::in_folder(folder, &format!("{TOML}\n{legacy}"));
    for (scope, submitted, decided) in [("time:read", 202, 200), ("current_time", 403, 403)] {
        let claims = json!({
            "iss": "https://legacy.example/", "sub": "bob", "aud": "anteroom", "exp": NOON.seconds() + 60, "scope": scope,
        });
        let token = hmac(FOREIGN_SECRET.as_bytes()).sign(&json!({ "alg": "HS256", "typ": "JWT" }), &claims);
        assert_eq!(submit(&gateway, &token, "current_time").await.status, submitted, "{scope}");
        assert_eq!(ask(&gateway, "clock", &token).await.status, decided, "{scope}");
    }
}
