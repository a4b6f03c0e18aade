//! Who may do what at `/v1/requests`: the token is judged before anything else in the request.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, SECRET, four_clients, order};
use crate::gateway::{Answer, Gateway, challenge, client, problem};

/// Method, path and the scope that it needs.
fn operations(id: &str) -> [(Method, String, &'static str); 4] {
    [
        (Method::POST, PATH.into(), "requests:write"),
        (Method::GET, PATH.into(), "requests:read"),
        (Method::GET, format!("{PATH}/{id}"), "requests:read"),
        (Method::POST, format!("{PATH}/{id}/cancel"), "requests:write"),
    ]
}

fn lacking(scope: &str) -> Value {
    let detail = format!("The token is genuine and lacks the scope {scope}. Ask for a token with it.");
    problem(403, "insufficient_scope", "Insufficient scope", &detail)
}

#[tokio::test]
async fn each_operation_needs_its_scope() {
    let gateway = four_clients();
    let reader = gateway.token("reader", SECRET, None).await;
    let writer = gateway.token("writer", SECRET, None).await;
    let narrowed = gateway.token("anna", SECRET, Some("requests:read")).await;
    let id = gateway.submit(&writer).await;
    for (method, path, scope) in operations(&id) {
        let lacks = if scope == "requests:read" { &[&writer][..] } else { &[&reader, &narrowed] };
        for token in lacks {
            let answer = Answer::to(gateway.call(method.clone(), &path).bearer_auth(token).json(&order())).await;
            assert_eq!((answer.status, answer.problem()), (403, lacking(scope)), "{method} {path}");
            let challenge = challenge(&gateway, &format!(", error=\"insufficient_scope\", scope=\"{scope}\""));
            assert_eq!(answer.header("www-authenticate"), challenge);
        }
    }
    assert_eq!(gateway.get(&reader, PATH).await.json()["items"], json!([]));
    let cancel = gateway.call(Method::POST, &format!("{PATH}/{id}/cancel")).bearer_auth(&writer);
    assert_eq!(Answer::to(cancel).await.json()["status"], "cancelled");
}

#[tokio::test]
async fn the_scope_of_the_operator_is_not_that_of_a_client() {
    let gateway = Gateway::configured(&client("ops", SECRET, &["admin", "requests:work"]));
    let token = gateway.token("ops", SECRET, None).await;
    for (method, path, scope) in operations("req_01JD9W3W7QX5T4N0V6K8B2C1DE") {
        let answer = Answer::to(gateway.call(method, &path).bearer_auth(&token)).await;
        assert_eq!((answer.status, answer.problem()), (403, lacking(scope)), "{path}");
    }
}

#[tokio::test]
async fn the_token_is_judged_before_the_rest() {
    let gateway = Gateway::configured("server.max_body_bytes = 1000");
    let token = gateway.demo_token().await;
    let read_only = gateway.token("demo", &gateway.demo_secret(), Some("requests:read")).await;
    let post = || gateway.call(Method::POST, PATH);
    let json = || post().header("content-type", "application/json");
    let broken: [&dyn Fn() -> reqwest::RequestBuilder; 7] = [
        &|| json().body("{"),
        &|| json().body(r#"{"type":"unheard-of","payload":1}"#),
        &|| post().header("content-type", "text/plain").body("x"),
        &|| post(),
        &|| json().body("x".repeat(2000)),
        &|| json().body("{}").header("content-encoding", "gzip"),
        &|| json().body(order().to_string()).header("idempotency-key", ""),
    ];
    for (number, call) in broken.iter().enumerate() {
        let (none, bad) = (Answer::to(call()).await, Answer::to(call().bearer_auth("x")).await);
        assert_eq!((none.status, &none.json()["code"]), (401, &json!("token_missing")), "{number}");
        assert_eq!((bad.status, &bad.json()["code"]), (401, &json!("token_malformed")), "{number}");
        let lacks = Answer::to(call().bearer_auth(&read_only)).await;
        assert_eq!((lacks.status, lacks.problem()), (403, lacking("requests:write")), "{number}");
        let good = Answer::to(call().bearer_auth(&token)).await.status;
        assert!([400, 413, 415].contains(&good), "{number}: {good}");
    }
    for path in [format!("{PATH}?limit=0"), format!("{PATH}/nothing")] {
        assert_eq!(Answer::to(gateway.call(Method::GET, &path)).await.status, 401, "{path}");
    }
}
