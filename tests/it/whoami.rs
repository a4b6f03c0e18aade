//! `/v1/whoami`: the caller as the gateway sees it, and what a token must be like to be one.

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, NOON, challenge, client};

#[tokio::test]
async fn a_token_is_shown_its_caller() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let answer = gateway.get(&token, "/v1/whoami").await;
    let caller = json!({
        "issuer": "http://localhost:8080", "subject": "demo", "client_id": "demo",
        "scopes": ["requests:read", "requests:work", "requests:write", "webhooks:manage"], "permissions": [], "audience": ["anteroom"], "email": null,
        "expires_at": "2026-11-22T07:12:03.000Z",
    });
    assert_eq!((answer.status, answer.header("content-type"), answer.json()), (200, "application/json", caller));
    assert_eq!(answer.header("cache-control"), "no-store");
    let head = Answer::to(gateway.call(Method::HEAD, "/v1/whoami").bearer_auth(&token)).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[tokio::test]
async fn any_genuine_token_will_do() {
    let gateway = Gateway::configured(&client("ops", "an-example-of-a-secret", &["admin"]));
    let token = gateway.token("ops", "an-example-of-a-secret", None).await;
    assert_eq!(gateway.get(&token, "/v1/whoami").await.json()["scopes"], json!(["admin"]));
}

fn unauthenticated(code: &str, sentence: &str) -> Value {
    let kind = "urn:anteroom:error:unauthenticated";
    let detail = format!("{sentence} Get a fresh token and send it as `Authorization: Bearer TOKEN`.");
    json!({ "type": kind, "title": "Not authenticated", "status": 401, "detail": detail, "code": code })
}

#[tokio::test]
async fn without_a_token_the_challenge_names_no_error() {
    let gateway = Gateway::start();
    let missing = unauthenticated("token_missing", "No bearer token was sent.");
    let whoami = || gateway.call(Method::GET, "/v1/whoami");
    let token = gateway.demo_token().await;
    let elsewhere = gateway.call(Method::GET, &format!("/v1/whoami?access_token={token}"));
    let cookie = whoami().header("cookie", format!("access_token={token}"));
    let by_proxy =
        whoami().header("x-access-tokens", &token).header("x-user", "demo").header("x-anteroom-subject", "demo");
    for call in [whoami(), whoami().basic_auth("demo", Some(gateway.demo_secret())), elsewhere, cookie, by_proxy] {
        let answer = Answer::to(call).await;
        assert_eq!((answer.status, answer.problem()), (401, missing.clone()));
        assert_eq!(answer.header("www-authenticate"), challenge(&gateway, ""));
    }
}

#[tokio::test]
async fn a_bad_token_is_told_why() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{rest}.{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
    let malformed = ("token_malformed", "The token is not well-formed.");
    for (token, (code, sentence)) in [
        ("garbage", malformed),
        ("", malformed),
        (rest, malformed),
        (&forged, ("signature_invalid", "The token's signature does not match.")),
    ] {
        let answer = gateway.get(token, "/v1/whoami").await;
        assert_eq!((answer.status, answer.problem()), (401, unauthenticated(code, sentence)), "{token}");
        let challenge = challenge(&gateway, &format!(", error=\"invalid_token\", error_description=\"{sentence}\""));
        assert_eq!(answer.header("www-authenticate"), challenge);
    }
}

#[tokio::test]
async fn a_token_serves_until_it_expires_and_not_before_it_was_made() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let code = async || gateway.get(&token, "/v1/whoami").await.json()["code"].clone();
    gateway.clock.set(NOON.plus_millis(-1000));
    assert_eq!(code().await, "token_not_yet_valid");
    gateway.clock.set(NOON);
    gateway.advance(3599);
    assert_eq!(code().await, Value::Null);
    gateway.advance(1);
    assert_eq!(code().await, "token_expired");
}

#[tokio::test]
async fn the_scheme_is_the_same_in_any_case() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    for scheme in ["bearer", "BEARER"] {
        let call = gateway.call(Method::GET, "/v1/whoami").header("authorization", format!("{scheme} {token}"));
        assert_eq!(Answer::to(call).await.status, 200, "{scheme}");
    }
}
