//! `/oauth/revoke`: a token that is given back is not believed any more, whatever happens to the gateway.

use serde_json::json;

use super::{SECRET, acme, assert_malformed, assert_unproven, form_call};
use crate::gateway::{Answer, Gateway, client, problem};

const PATH: &str = "/oauth/revoke";

async fn revoke(gateway: &Gateway, id: &str, token: &str) -> Answer {
    Answer::to(form_call(gateway, PATH, &[("token", token)]).basic_auth(id, Some(SECRET))).await
}

fn assert_done(answer: &Answer) {
    assert_eq!((answer.status, &*answer.text), (200, ""));
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
}

async fn assert_revoked(gateway: &Gateway, token: &str) {
    let refused = gateway.get(token, "/v1/whoami").await;
    assert_eq!((refused.status, &refused.problem()["code"]), (401, &json!("token_revoked")));
    let call = form_call(gateway, "/oauth/introspect", &[("token", token)]).basic_auth("acme", Some(SECRET));
    assert_eq!(Answer::to(call).await.json(), json!({ "active": false }));
}

/// D10, and what issue 5 says of revoked tokens: refused at once, though its verdict is remembered, and after a restart.
#[tokio::test]
async fn a_token_that_is_given_back_is_refused_at_once_and_after_a_restart() {
    let toml = client("acme", SECRET, &["requests:read"]);
    let gateway = Gateway::configured(&toml);
    let (given_back, kept) = (gateway.token("acme", SECRET, None).await, gateway.token("acme", SECRET, None).await);
    assert_eq!(gateway.get(&given_back, "/v1/whoami").await.status, 200);
    for _ in 0..2 {
        assert_done(&revoke(&gateway, "acme", &given_back).await);
        assert_revoked(&gateway, &given_back).await;
    }
    assert_eq!(gateway.get(&kept, "/v1/whoami").await.status, 200);
    let gateway = Gateway::in_folder(gateway.stop(), &toml);
    assert_revoked(&gateway, &given_back).await;
    assert_eq!(gateway.get(&kept, "/v1/whoami").await.status, 200);
    gateway.advance(3600);
    let expired = gateway.get(&given_back, "/v1/whoami").await.problem();
    assert_eq!((&expired["status"], &expired["code"]), (&json!(401), &json!("token_expired")));
}

#[tokio::test]
async fn another_clients_token_and_none_at_all_are_left_alone() {
    let gateway = Gateway::configured(&["acme", "other"].map(|id| client(id, SECRET, &["requests:read"])).concat());
    let token = gateway.token("acme", SECRET, None).await;
    for token in [&*token, "x", "a.b.c"] {
        assert_done(&revoke(&gateway, "other", token).await);
    }
    assert_eq!(gateway.get(&token, "/v1/whoami").await.status, 200);
}

#[tokio::test]
async fn who_gives_a_token_back_says_who_it_is() {
    let public = "[clients.app]\npublic = true\nredirect_uris = [\"https://app.example/\"]\n";
    let gateway = Gateway::configured(&format!("{}{public}", client("acme", SECRET, &["requests:read"])));
    let token = gateway.token("acme", SECRET, None).await;
    for id in ["acme", "nobody"] {
        assert_unproven(&Answer::to(form_call(&gateway, PATH, &[("token", &token), ("client_id", id)])).await);
    }
    assert_done(&Answer::to(form_call(&gateway, PATH, &[("token", &token), ("client_id", "app")])).await);
    assert_eq!(gateway.get(&token, "/v1/whoami").await.status, 200);
    let empty = form_call(&gateway, PATH, &[]).basic_auth("acme", Some(SECRET));
    assert_malformed(&Answer::to(empty).await, "the parameter token is missing");
}

#[tokio::test]
async fn a_method_other_than_post_is_refused() {
    let answer = Answer::to(acme().call(reqwest::Method::GET, PATH)).await;
    let detail = "The path exists, and not for this method. Use one of the methods in the header `Allow`.";
    assert_eq!(answer.problem(), problem(405, "method_not_allowed", "Method not allowed", detail));
}
