//! Endpoints: added, seen, changed and removed by their owner alone.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, act, add, at, path_of, post};
use crate::gateway::{Gateway, client, problem};

const SECRET: &str = "an-example-of-a-secret";

/// The whole view of an endpoint that was added when the clock began.
fn view(id: &Value, changed: &Value) -> Value {
    let mut view = json!({
        "endpoint_id": id, "url": "https://partner.example/hooks", "description": "", "algorithm": "hmac-sha256",
        "events": ["request.succeeded", "request.failed", "request.cancelled", "request.expired"], "public_keys": [],
        "configured": false, "created_at": at(0), "disabled_at": null, "disabled_reason": null, "failing_since": null,
    });
    for (name, value) in changed.as_object().unwrap() {
        view[name] = value.clone();
    }
    view
}

fn partner() -> Value {
    json!({ "url": "https://partner.example/hooks" })
}

#[tokio::test]
async fn the_secret_is_shown_once() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let answer = gateway.post(&token, PATH, &partner()).await;
    assert_eq!((answer.status, answer.header("cache-control")), (201, "private, no-store"));
    let mut added = answer.json();
    let secret = added.as_object_mut().unwrap().remove("secret").unwrap();
    assert!(secret.as_str().unwrap().starts_with("whsec_") && secret.as_str().unwrap().len() == 50, "{secret}");
    let endpoint = view(&added["endpoint_id"], &json!({}));
    assert_eq!(added, endpoint);
    let path = path_of(&added);
    assert_eq!(gateway.get(&token, &path).await.json(), endpoint);
    assert_eq!(gateway.get(&token, PATH).await.json(), json!({ "items": [endpoint], "next_cursor": null }));
    let gone = act(&gateway, &token, Method::DELETE, &path).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(gateway.get(&token, &path).await.status, 404);
    assert_eq!(gateway.get(&token, PATH).await.json(), json!({ "items": [], "next_cursor": null }));
}

#[tokio::test]
async fn what_is_asked_for_is_kept() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let asked = json!({
        "url": "https://partner.example:8443/a?b=c", "description": "the ledger", "algorithm": "ed25519",
        "events": ["request.running", "request.failed", "request.running"],
    });
    let added = add(&gateway, &token, &asked).await;
    let keys = added["public_keys"].as_array().unwrap();
    assert!(keys.len() == 1 && keys[0].as_str().unwrap().starts_with("whpk_"), "{added}");
    let expected = json!({
        "url": "https://partner.example:8443/a?b=c", "description": "the ledger", "algorithm": "ed25519",
        "events": ["request.running", "request.failed"], "public_keys": keys,
    });
    // The private key is nobody's business: no secret is in the answer.
    assert_eq!(added, view(&added["endpoint_id"], &expected));
}

#[tokio::test]
async fn what_can_not_be_used_is_refused_with_its_place() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let long = format!("https://partner.example/{}", "x".repeat(2048));
    let url = |url: &str| json!({ "url": url });
    let with = |name: &str, value: Value| json!({ "url": "https://partner.example/", name: value });
    let private =
        |address: &str| format!("the address leads to {address}, which is not an address of the public Internet");
    for (asked, pointer, detail) in [
        (url("partner.example"), "/url", "the address is not a URL of up to 2048 bytes".to_owned()),
        (url(&long), "/url", "the address is not a URL of up to 2048 bytes".into()),
        (url("http://partner.example/"), "/url", "the address is not https".into()),
        (url("ftp://partner.example/"), "/url", "the address is not https".into()),
        (url("file:///etc/passwd"), "/url", "the address is not https".into()),
        (url("https://anna:pw@partner.example/"), "/url", "the address has a user name or a password in it".into()),
        (url("https://partner.example/#here"), "/url", "the address has a fragment".into()),
        (url("https://10.0.0.1/"), "/url", private("10.0.0.1")),
        (url("https://169.254.169.254/latest/"), "/url", private("169.254.169.254")),
        (url("https://0xa9fea9fe/"), "/url", private("169.254.169.254")),
        (url("https://[fd00:ec2::254]/"), "/url", private("fd00:ec2::254")),
        (url("https://[::ffff:192.168.0.1]/"), "/url", private("::ffff:192.168.0.1")),
        (
            with("description", "x".repeat(201).into()),
            "/description",
            "the description has more than 200 characters".into(),
        ),
        (
            with("events", json!(["request.failed", "request.exploded"])),
            "/events/1",
            "\"request.exploded\" is not one of request.scheduled, request.queued, request.running, request.retrying, \
             request.succeeded, request.failed, request.cancelled, request.expired"
                .into(),
        ),
    ] {
        let answer = gateway.post(&token, PATH, &asked).await;
        let mut expected =
            problem(400, "malformed", "Malformed request", &format!("The endpoint can not be used: {detail}."));
        expected["errors"] = json!([{ "pointer": pointer, "code": "invalid_value", "detail": detail }]);
        assert_eq!((answer.status, answer.problem()), (400, expected), "{asked}");
    }
    for asked in [json!({}), with("events", json!("x")), with("algorithm", "rsa".into()), with("secret", "x".into())] {
        assert_eq!(gateway.post(&token, PATH, &asked).await.status, 400, "{asked}");
    }
    assert_eq!(gateway.get(&token, PATH).await.json()["items"], json!([]));
}

#[tokio::test]
async fn nobody_else_sees_or_changes_an_endpoint() {
    let scopes = ["webhooks:manage"];
    let clients = [client("anna", SECRET, &scopes), client("bob", SECRET, &scopes)].concat();
    let gateway = Gateway::configured(&clients);
    let (anna, bob) = (gateway.token("anna", SECRET, None).await, gateway.token("bob", SECRET, None).await);
    let path = path_of(&add(&gateway, &anna, &partner()).await);
    assert_eq!(gateway.get(&bob, PATH).await.json()["items"], json!([]));
    let unknown = format!("{PATH}/whe_01JD9W3W7QX5T4N0V6K8B2C1DE");
    for path in [path.as_str(), &unknown, "/v1/webhook-endpoints/x"] {
        let mut missing = gateway.get(&bob, path).await;
        assert_eq!(missing.status, 404, "{path}");
        missing.headers.remove("x-trace-id");
        assert_eq!(act(&gateway, &bob, Method::DELETE, path).await.status, 404, "{path}");
        assert_eq!(gateway.get(&bob, &format!("{path}/deliveries")).await.status, 404, "{path}");
        for call in ["rotate", "enable", "test", "deliveries/msg_01JD9W3W7QX5T4N0V6K8B2C1DE/replay"] {
            assert_eq!(post(&gateway, &bob, &format!("{path}/{call}")).await.status, 404, "{path} {call}");
        }
    }
    assert_eq!(gateway.get(&anna, &path).await.status, 200);
}

#[tokio::test]
async fn an_owner_has_twenty_at_most() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let mut last = Value::Null;
    for _ in 0..20 {
        last = add(&gateway, &token, &partner()).await;
    }
    let refused = gateway.post(&token, PATH, &partner()).await;
    let detail = "There are 20 endpoints already. Remove one that is not needed.";
    assert_eq!(
        (refused.status, refused.problem()),
        (409, problem(409, "endpoint_conflict", "Endpoint conflict", detail))
    );
    act(&gateway, &token, Method::DELETE, &path_of(&last)).await;
    add(&gateway, &token, &partner()).await;
}
