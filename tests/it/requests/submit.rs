//! `POST /v1/requests`: what taking a request in answers, and what an idempotency key is good for.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, SECRET, at, four_clients, id_of, order, submit_keyed, view};
use crate::gateway::{Answer, Gateway, problem};

#[tokio::test]
async fn a_submission_is_answered_with_its_view() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let answer = gateway.post(&token, PATH, &order()).await;
    let id = id_of(&answer);
    assert!(id.starts_with("req_") && id.len() == 30, "{id}");
    assert_eq!((answer.status, answer.header("content-type")), (202, "application/json"));
    assert_eq!(answer.json(), view(&gateway, &id, json!({})));
    assert_eq!((answer.header("retry-after"), answer.header("cache-control")), ("5", "private, no-cache"));
    assert_eq!(answer.header("location"), gateway.url(&format!("{PATH}/{id}")));
    assert_eq!(answer.header("idempotent-replayed"), "");
    let get = gateway.get(&token, &format!("{PATH}/{id}")).await;
    assert_eq!((get.json(), get.header("etag")), (answer.json(), answer.header("etag")));
}

#[tokio::test]
async fn type_and_tags_may_be_left_out_and_the_payload_may_be_anything() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    for payload in [json!(null), json!(1), json!("text"), json!([]), json!({ "": { "a/b~c": 1.5e300 } })] {
        let answer = gateway.post(&token, PATH, &json!({ "payload": payload })).await;
        assert_eq!((answer.status, answer.json()), (202, view(&gateway, &id_of(&answer), json!({}))));
    }
    let media_type = "application/vnd.acme.order+json; charset=utf-8";
    let call = gateway.call(Method::POST, PATH).bearer_auth(&token).header("content-type", media_type);
    assert_eq!(Answer::to(call.body(order().to_string())).await.status, 202);
}

#[tokio::test]
async fn tags_are_kept() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let mut tags = json!({ "order": "4711", "": "" });
    tags.as_object_mut().unwrap().remove("");
    tags["a_b.c-9"] = "Größe 😀".into();
    tags[&"k".repeat(40)] = "ü".repeat(200).into();
    for number in 3..20 {
        tags[number.to_string()] = "".into();
    }
    let answer = gateway.post(&token, PATH, &json!({ "payload": 1, "tags": tags })).await;
    assert_eq!(answer.json(), view(&gateway, &id_of(&answer), json!({ "tags": tags })));
}

#[tokio::test]
async fn the_same_key_and_body_are_the_same_request() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let first =
        submit_keyed(&gateway, &token, "order-1", r#"{"type":"default","payload":{"a":1,"b":[2,{"c":3}]}}"#).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (202, ""));
    let id = id_of(&first);
    gateway.advance(5);
    let now = json!({ "status": "running", "stage": "processing", "started_at": at(5000), "updated_at": at(5000) });
    for (key, body) in [
        ("order-1", r#"{"type":"default","payload":{"a":1,"b":[2,{"c":3}]}}"#),
        ("order-1", "{ \"payload\" : {\n \"b\": [2, {\"c\": 3}], \"a\": 1 }, \"tags\": {}, \"type\": \"default\" }"),
        ("order-1", r#"{"payload":{"\u0061":1,"b":[2,{"c":3}]}}"#),
        ("\"order-1\"", r#"{"type":"default","payload":{"a":1,"b":[2,{"c":3}]}}"#),
    ] {
        let again = submit_keyed(&gateway, &token, key, body).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (202, "true"), "{body}");
        assert_eq!(again.json(), view(&gateway, &id, now.clone()), "{body}");
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("retry-after"), "10");
    }
    assert_eq!(gateway.get(&token, PATH).await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let first = submit_keyed(&gateway, &token, "k", r#"{"payload":{"a":1,"b":[1,2]}}"#).await;
    let detail = "The Idempotency-Key was used before with another body. Use a fresh key for a different request.";
    let reused = problem(422, "idempotency_key_reused", "Idempotency key reused", detail);
    for body in [
        r#"{"payload":{"a":1,"b":[2,1]}}"#,
        r#"{"payload":{"a":"1","b":[1,2]}}"#,
        r#"{"type":"demo-fail","payload":{"a":1,"b":[1,2]}}"#,
        r#"{"payload":{"a":1,"b":[1,2]},"tags":{"x":""}}"#,
        r#"{"payload":{"a":1.00000000000000000000001,"b":[1,2]}}"#,
    ] {
        let answer = submit_keyed(&gateway, &token, "k", body).await;
        assert_eq!((answer.status, answer.problem()), (422, reused.clone()), "{body}");
    }
    let list = gateway.get(&token, PATH).await.json();
    assert_eq!(list["items"], json!([first.json()]));
}

#[tokio::test]
async fn a_key_is_its_owners_own() {
    let gateway = four_clients();
    let (anna, bob) = (gateway.token("anna", SECRET, None).await, gateway.token("bob", SECRET, None).await);
    let one = submit_keyed(&gateway, &anna, "k", order().to_string()).await;
    let other = submit_keyed(&gateway, &bob, "k", r#"{"payload":"other"}"#).await;
    assert_eq!((other.status, other.header("idempotent-replayed")), (202, ""));
    assert_ne!(id_of(&one), id_of(&other));
    let different = submit_keyed(&gateway, &anna, "K", order().to_string()).await;
    assert_ne!(id_of(&one), id_of(&different));
}

#[tokio::test]
async fn submissions_with_one_key_at_once_are_one_request() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let calls = (0..20).map(|_| submit_keyed(&gateway, &token, "k", order().to_string()));
    let answers = futures_util::future::join_all(calls).await;
    let fresh = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count();
    let ids: std::collections::BTreeSet<_> = answers.iter().map(id_of).collect();
    assert_eq!((fresh, ids.len()), (1, 1));
}

#[tokio::test]
async fn a_key_that_can_not_be_one_is_refused() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let detail = "The header Idempotency-Key must be sent once, with 1 to 255 printable ASCII characters.";
    let refused = problem(400, "malformed", "Malformed request", detail);
    let keyed = |keys: &[&[u8]]| {
        let call = gateway.call(Method::POST, PATH).bearer_auth(&token).json(&order());
        keys.iter().fold(call, |call, key| call.header("idempotency-key", *key))
    };
    let long = [b'k'; 256];
    for keys in [&[b"".as_slice()][..], &[b"\"\""], &[b"  "], &[&long], &["schlüssel".as_bytes()], &[b"a", b"a"]] {
        let answer = Answer::to(keyed(keys)).await;
        assert_eq!((answer.status, answer.problem()), (400, refused.clone()), "{keys:?}");
    }
    assert_eq!(gateway.get(&token, PATH).await.json()["items"], json!([]));
    for key in [&long[..255], b"\"a \\\"b\\\\ c\"", b"!~ #"] {
        assert_eq!(Answer::to(keyed(&[key])).await.status, 202);
    }
}

#[tokio::test]
async fn a_quoted_key_is_the_text_between_the_quotes() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let ids = async |quoted: &str, plain: &str| {
        let quoted = submit_keyed(&gateway, &token, quoted, order().to_string()).await;
        let plain = submit_keyed(&gateway, &token, plain, order().to_string()).await;
        (id_of(&quoted), id_of(&plain))
    };
    for (quoted, plain) in
        [(r#""one""#, "one"), (r#""a\"b""#, r#"a"b"#), (r#""a\\b""#, r"a\b"), (r#""a\\\"b""#, r#"a\"b"#)]
    {
        let (quoted, plain) = ids(quoted, plain).await;
        assert_eq!(quoted, plain);
    }
}

#[tokio::test]
async fn nobody_sets_what_the_gateway_says_of_a_request() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    for (name, value) in
        [("request_id", json!("req_1")), ("status", json!("succeeded")), ("owner", json!("x")), ("submitted_at", at(0))]
    {
        let mut body = order();
        body[name] = value;
        let answer = gateway.post(&token, PATH, &body).await;
        assert_eq!((answer.status, &answer.json()["errors"][0]["pointer"]), (400, &Value::from(format!("/{name}"))));
    }
}
