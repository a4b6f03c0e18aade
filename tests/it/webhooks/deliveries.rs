//! What is told: each change once, to those who want to know of it.

use serde_json::{Value, json};

use super::{Receiver, act, add, at, body, delivery, header, listen, path_of, post};
use crate::gateway::{Gateway, NOON, client};

const SECRET: &str = "an-example-of-a-secret";

#[tokio::test]
async fn an_end_is_told_once() {
    let (gateway, receiver) = (Gateway::start(), Receiver::start().await);
    let token = gateway.demo_token().await;
    let endpoint = listen(&gateway, &token, &receiver).await;
    let id = gateway.submit(&token).await;
    gateway.advance(15);
    let told = receiver.told(1).await.remove(0);
    assert_eq!((told.method.as_str(), told.url.path()), ("POST", "/hooks"));
    assert_eq!(header(&told, "content-type"), "application/json");
    assert_eq!(header(&told, "webhook-timestamp"), (NOON.seconds() + 15).to_string());
    let payload = json!({
        "type": "request.succeeded", "timestamp": at(15_000),
        "data": {
            "request_id": id, "type": "default", "status": "succeeded", "stage": "done", "version": "0.2", "progress": null,
            "submitted_at": at(0), "started_at": at(5000), "finished_at": at(15_000), "updated_at": at(15_000),
            "cancel_requested_at": null, "attempt": 0, "tags": {}, "error": null,
            "result": { "message": format!("processed {id}") },
        },
    });
    assert_eq!(body(&told), payload);
    let delivery = delivery(&gateway, &token, &endpoint, 1).await;
    let expected = json!({
        "delivery_id": header(&told, "webhook-id"), "endpoint_id": endpoint.rsplit('/').next().unwrap(), "request_id": id,
        "event": "request.succeeded", "status": "delivered", "created_at": at(15_000), "next_attempt_at": null,
        "finished_at": at(15_000), "attempts": [{ "at": at(15_000), "duration_ms": 0, "status": 204, "error": null }],
        "payload": payload,
    });
    assert_eq!(delivery, expected);
    // Nothing more comes of it, whatever happens then.
    gateway.advance(3600);
    let token = gateway.demo_token().await;
    assert_eq!(gateway.get(&token, &format!("/v1/requests/{id}")).await.json()["status"], "succeeded");
    gateway.submit(&token).await;
    gateway.advance(15);
    let told = receiver.told(2).await;
    assert_ne!(header(&told[0], "webhook-id"), header(&told[1], "webhook-id"));
}

/// The types of what was told, with the stage and the version.
fn kinds(told: &[wiremock::Request]) -> Vec<(Value, Value, Value)> {
    let kind = |told| {
        let mut body = body(told);
        (body["type"].take(), body["data"]["stage"].take(), body["data"]["version"].take())
    };
    told.iter().map(kind).collect()
}

#[tokio::test]
async fn each_stage_is_told_to_who_wants_to_know() {
    let (gateway, receiver) = (Gateway::start(), Receiver::start().await);
    let token = gateway.demo_token().await;
    let events = ["request.queued", "request.running", "request.succeeded"];
    add(&gateway, &token, &json!({ "url": receiver.url(), "events": events })).await;
    gateway.submit(&token).await;
    receiver.told(1).await;
    gateway.advance(5);
    receiver.told(2).await;
    gateway.advance(10);
    let told = receiver.told(3).await;
    let row = |kind: &str, stage: &str, version: &str| (kind.into(), stage.into(), version.into());
    let expected = [
        row("request.queued", "received", "0.0"),
        row("request.running", "processing", "0.1"),
        row("request.succeeded", "done", "0.2"),
    ];
    assert_eq!(kinds(&told), expected);
    // A sender that was late tells of all that it has missed.
    gateway.submit(&token).await;
    gateway.advance(15);
    let mut late = kinds(&receiver.told(6).await[3..]);
    late.sort_by_key(|(_, _, version)| version.to_string());
    assert_eq!(late, expected);
}

#[tokio::test]
async fn a_cancellation_is_told_and_no_stage_after_it() {
    let (gateway, receiver) = (Gateway::start(), Receiver::start().await);
    let token = gateway.demo_token().await;
    let endpoint = listen(&gateway, &token, &receiver).await;
    let id = gateway.submit(&token).await;
    gateway.advance(7);
    assert_eq!(post(&gateway, &token, &format!("/v1/requests/{id}/cancel")).await.status, 200);
    let told = receiver.told(1).await;
    assert_eq!(kinds(&told), [("request.cancelled".into(), "processing".into(), "1.0".into())]);
    assert_eq!(body(&told[0])["data"]["cancel_requested_at"], at(7000));
    // What is on its way for a minute is sent again.
    delivery(&gateway, &token, &endpoint, 1).await;
    gateway.advance(60);
    // The end of another comes after the end that this one would have had.
    gateway.submit(&token).await;
    gateway.advance(15);
    assert_eq!(kinds(&receiver.told(2).await)[1].0, "request.succeeded");
}

#[tokio::test]
async fn who_comes_later_is_told_what_happens_then() {
    let (gateway, receiver) = (Gateway::start(), Receiver::start().await);
    let token = gateway.demo_token().await;
    gateway.submit(&token).await;
    gateway.advance(14);
    let late = gateway.submit(&token).await;
    gateway.advance(2);
    // The first has ended by now, the second is on its way.
    listen(&gateway, &token, &receiver).await;
    gateway.advance(20);
    let told = receiver.told(1).await;
    assert_eq!(
        (kinds(&told)[0].0.clone(), body(&told[0])["data"]["request_id"].clone()),
        ("request.succeeded".into(), late.into())
    );
}

#[tokio::test]
async fn one_is_told_of_ones_own_requests() {
    let secret = SECRET;
    let scopes = ["webhooks:manage", "requests:write", "requests:read"];
    let gateway = Gateway::configured(&[client("anna", secret, &scopes), client("bob", secret, &scopes)].concat());
    let (anna, bob) = (gateway.token("anna", secret, None).await, gateway.token("bob", secret, None).await);
    let (hers, his) = (Receiver::start().await, Receiver::start().await);
    listen(&gateway, &anna, &hers).await;
    let endpoint = listen(&gateway, &bob, &his).await;
    gateway.submit(&anna).await;
    gateway.advance(15);
    hers.told(1).await;
    assert_eq!(
        gateway.get(&bob, &format!("{endpoint}/deliveries")).await.json(),
        json!({ "items": [], "next_cursor": null })
    );
    his.told(0).await;
}

#[tokio::test]
async fn the_log_is_read_page_by_page() {
    let (gateway, receiver) = (Gateway::start(), Receiver::start().await);
    let token = gateway.demo_token().await;
    let endpoint = listen(&gateway, &token, &receiver).await;
    for _ in 0..3 {
        gateway.advance(1);
        gateway.submit(&token).await;
    }
    gateway.advance(20);
    receiver.told(3).await;
    let log = format!("{endpoint}/deliveries");
    let all = gateway.get(&token, &log).await.json();
    let times: Vec<_> =
        all["items"].as_array().unwrap().iter().map(|item| item["payload"]["timestamp"].clone()).collect();
    assert_eq!(times, [at(18_000), at(17_000), at(16_000)]);
    let first = gateway.get(&token, &format!("{log}?limit=2")).await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = gateway.get(&token, &format!("{log}?limit=2&cursor={cursor}")).await.json();
    assert_eq!((first["items"].as_array().unwrap().len(), second["items"].as_array().unwrap().len()), (2, 1));
    assert_eq!(second["items"][0]["delivery_id"], all["items"][2]["delivery_id"]);
    assert_eq!(second["next_cursor"], Value::Null);
    for query in ["limit=0", "limit=201", "limit=x", "cursor=x", "since=1"] {
        assert_eq!(gateway.get(&token, &format!("{log}?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn a_test_is_sent_once_and_what_came_of_it_is_in_the_log() {
    let (gateway, receiver) = (Gateway::start(), Receiver::start().await);
    let token = gateway.demo_token().await;
    let events = json!({ "url": receiver.url(), "events": ["request.failed"] });
    let endpoint = path_of(&add(&gateway, &token, &events).await);
    receiver.answer.to(super::status(500));
    let sent = post(&gateway, &token, &format!("{endpoint}/test")).await;
    assert_eq!((sent.status, sent.json()["status"].clone()), (202, "pending".into()));
    let told = receiver.told(1).await;
    let id = endpoint.rsplit('/').next().unwrap();
    let payload = json!({ "type": "webhook.test", "timestamp": at(0), "data": { "endpoint_id": id } });
    assert_eq!(
        (body(&told[0]), header(&told[0], "webhook-id")),
        (payload, sent.json()["delivery_id"].as_str().unwrap())
    );
    let logged = delivery(&gateway, &token, &endpoint, 1).await;
    assert_eq!(
        (&logged["status"], &logged["next_attempt_at"], &logged["request_id"]),
        (&"failed".into(), &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn what_is_erased_with_its_endpoint_is_told_no_more() {
    let (gateway, receiver, other) = (Gateway::start(), Receiver::start().await, Receiver::start().await);
    let token = gateway.demo_token().await;
    let endpoint = listen(&gateway, &token, &receiver).await;
    listen(&gateway, &token, &other).await;
    gateway.submit(&token).await;
    assert_eq!(act(&gateway, &token, reqwest::Method::DELETE, &endpoint).await.status, 204);
    gateway.advance(15);
    other.told(1).await;
    receiver.told(0).await;
}

#[tokio::test]
async fn an_operator_sees_what_was_told_of_a_request() {
    let scopes = ["webhooks:manage", "requests:write", "requests:read", "admin"];
    let (gateway, receiver) = (Gateway::configured(&client("anna", SECRET, &scopes)), Receiver::start().await);
    let token = gateway.token("anna", SECRET, None).await;
    let endpoint = listen(&gateway, &token, &receiver).await;
    let id = gateway.submit(&token).await;
    gateway.advance(15);
    let mut told = delivery(&gateway, &token, &endpoint, 1).await;
    told["url"] = receiver.url().into();
    let whole = gateway.get(&token, &format!("/v1/admin/requests/{id}")).await.json();
    assert_eq!(whole["webhook_deliveries"], json!([told]));
}

#[tokio::test]
async fn a_delivery_is_small_whatever_its_request_is_called() {
    let (gateway, receiver) = (Gateway::start(), Receiver::start().await);
    let token = gateway.demo_token().await;
    listen(&gateway, &token, &receiver).await;
    let tags: serde_json::Map<_, _> = (0..20).map(|n| (format!("t{n}"), "\u{1}".repeat(200).into())).collect();
    let sent = json!({ "type": "default", "payload": {}, "tags": tags });
    assert_eq!(gateway.post(&token, "/v1/requests", &sent).await.status, 202);
    gateway.advance(15);
    let told = receiver.told(1).await.remove(0);
    assert!(told.body.len() < 20_000, "{}", told.body.len());
    assert_eq!(body(&told)["data"]["tags"], serde_json::Value::Null);
}
