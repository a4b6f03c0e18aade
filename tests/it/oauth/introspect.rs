//! `/oauth/introspect`: what of a token is told, to whom, and that nothing is told of others.

use reqwest::Method;
use serde_json::json;

use super::{SECRET, acme, assert_malformed, assert_unproven, form_call};
use crate::gateway::{Answer, Gateway, NOON, client};
use crate::verify::keys::{SECRET as FOREIGN_SECRET, hmac};

const PATH: &str = "/oauth/introspect";

async fn ask(gateway: &Gateway, token: &str) -> Answer {
    Answer::to(form_call(gateway, PATH, &[("token", token)]).basic_auth("acme", Some(SECRET))).await
}

fn assert_inactive(answer: &Answer) {
    assert_eq!((answer.status, answer.json()), (200, json!({ "active": false })));
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
}

/// D10: whatever is not a good token of ours is just that.
#[tokio::test]
async fn a_good_token_is_told_whole_and_any_other_is_just_inactive() {
    let gateway = acme();
    let token = gateway.token("acme", SECRET, Some("requests:read")).await;
    let told = ask(&gateway, &token).await;
    assert_eq!((told.status, told.header("cache-control"), told.header("pragma")), (200, "no-store", "no-cache"));
    let id = told.json()["jti"].clone();
    assert_eq!(id.as_str().map(str::len), Some(22));
    let whole = json!({
        "active": true, "scope": "requests:read", "client_id": "acme", "sub": "acme", "aud": "anteroom",
        "iss": "http://localhost:8080", "exp": NOON.seconds() + 3600, "iat": NOON.seconds(), "jti": id, "token_type": "Bearer",
    });
    assert_eq!(told.json(), whole);
    let (head, _) = token.rsplit_once('.').unwrap();
    for unknown in ["x", "not a token", "a.b.c", head, &format!("{head}.AAAA"), &"x".repeat(9000)] {
        assert_inactive(&ask(&gateway, unknown).await);
    }
    gateway.advance(3600);
    assert_inactive(&ask(&gateway, &token).await);
}

#[tokio::test]
async fn who_asks_must_have_a_secret_and_prove_it() {
    let public = "[clients.app]\npublic = true\nredirect_uris = [\"https://app.example/\"]\n";
    let gateway = Gateway::configured(&format!("{}{public}", client("acme", SECRET, &["requests:read"])));
    let token = gateway.token("acme", SECRET, None).await;
    for form in [&[("token", &*token), ("client_id", "app")][..], &[("token", &token), ("client_id", "nobody")]] {
        assert_unproven(&Answer::to(form_call(&gateway, PATH, form)).await);
    }
    assert_unproven(&Answer::to(form_call(&gateway, PATH, &[("token", &token)]).basic_auth("acme", Some("no"))).await);
    let without = Answer::to(form_call(&gateway, PATH, &[("token", &token)])).await;
    assert_eq!((without.status, &without.json()["error"]), (401, &json!("invalid_client")));
    let by_body = [("token", &*token), ("client_id", "acme"), ("client_secret", SECRET)];
    assert_eq!(Answer::to(form_call(&gateway, PATH, &by_body)).await.json()["active"], true);
}

#[tokio::test]
async fn the_token_comes_once_in_the_body() {
    let gateway = acme();
    for form in [&[][..], &[("token", "")]] {
        let answer = Answer::to(form_call(&gateway, PATH, form).basic_auth("acme", Some(SECRET))).await;
        assert_malformed(&answer, "the parameter token is missing");
    }
    let twice = form_call(&gateway, PATH, &[("token", "a"), ("token", "b")]).basic_auth("acme", Some(SECRET));
    assert_malformed(&Answer::to(twice).await, "a parameter is repeated");
    let by_query = gateway.call(Method::POST, "/oauth/introspect?token=x").basic_auth("acme", Some(SECRET));
    assert_malformed(&Answer::to(by_query).await, "the parameter token is missing");
}

/// Where others alone are believed, tokens are given all the same, and can be asked about.
#[tokio::test]
async fn tokens_that_do_not_open_this_api_are_told_too() {
    let other = "verify.chain = [\"idp\"]\n[verifiers.idp]\nkind = \"oidc\"\nissuer = \"http://127.0.0.1:9/\"\naudience = [\"x\"]\n";
    let gateway = Gateway::configured(&format!("{other}{}", client("acme", SECRET, &["requests:read"])));
    let token = gateway.token("acme", SECRET, None).await;
    assert_eq!(gateway.get(&token, "/v1/whoami").await.status, 401);
    assert_eq!(ask(&gateway, &token).await.json()["active"], true);
}

/// Of the tokens of others nothing is told, though they open this API.
#[tokio::test]
async fn tokens_of_other_issuers_are_nobodys_business_here() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), FOREIGN_SECRET).unwrap();
    let legacy = "[verifiers.self]\nkind = \"self\"\n[verifiers.legacy]\nkind = \"hs256\"\nissuer = \"https://legacy.example/\"\n\
        audience = [\"anteroom\"]\nsecrets = [\"file:secret\"]\n";
    let gateway = Gateway::in_folder(folder, &format!("{legacy}{}", client("acme", SECRET, &["requests:read"])));
    let claims =
        json!({ "iss": "https://legacy.example/", "sub": "bob", "aud": "anteroom", "exp": NOON.seconds() + 60 });
    let token = hmac(FOREIGN_SECRET.as_bytes()).sign(&json!({ "alg": "HS256", "typ": "JWT" }), &claims);
    assert_eq!(gateway.get(&token, "/v1/whoami").await.status, 200);
    assert_inactive(&ask(&gateway, &token).await);
    let own = gateway.token("acme", SECRET, None).await;
    assert_eq!(ask(&gateway, &own).await.json()["active"], true);
}
