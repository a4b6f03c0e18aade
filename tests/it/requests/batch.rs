//! `POST /v1/requests/batch`: many at once, each with an outcome of its own.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, submit_keyed, view};
use crate::gateway::{Answer, Gateway, problem};

const BATCH: &str = "/v1/requests/batch";

async fn batch(gateway: &Gateway, token: &str, requests: &Value) -> Answer {
    gateway.post(token, BATCH, &json!({ "requests": requests })).await
}

fn items(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_has_an_outcome_of_its_own() {
    let schema = "[types.strict]\nschema = { type = \"object\", required = [\"a\"] }\n\
        stages = [{ after = \"0s\", stage = \"done\", status = \"succeeded\" }]\n\
        [types.default]\nstages = [{ after = \"0s\", stage = \"received\", status = \"queued\" }, { after = \"5s\", stage = \"done\", status = \"succeeded\" }]\n";
    let gateway = Gateway::configured(schema);
    let token = gateway.demo_token().await;
    let requests = json!([
        { "payload": { "n": 0 }, "tags": { "order": "1" }, "idempotency_key": "a" },
        { "type": "unheard-of", "payload": 1 },
        { "type": "strict", "payload": {} },
        { "payload": 1, "tags": { "ORDER": "1" } },
        { "payload": 1, "amount": 2 },
        7,
        { "payload": { "n": 0 }, "tags": { "order": "1" }, "idempotency_key": "a" },
        { "payload": { "n": 1 }, "idempotency_key": "a" },
        { "payload": 1, "deadline": "2020-01-01T00:00:00Z" },
        { "payload": 1, "idempotency_key": "" },
    ]);
    let answer = batch(&gateway, &token, &requests).await;
    let items = items(&answer);
    let ids: Vec<_> = [0, 6].map(|index: usize| items[index]["request"]["request_id"].as_str().unwrap()).into();
    assert_eq!(ids[0], ids[1]);
    for (index, replayed) in [(0, false), (6, true)] {
        let request = view(&gateway, ids[0], json!({ "tags": { "order": "1" } }));
        assert_eq!(items[index], json!({ "index": index, "status": 202, "replayed": replayed, "request": request }));
    }
    let told = [
        (1, 400, "malformed", Some(("/requests/1/type", "unknown_type"))),
        (2, 422, "payload_invalid", Some(("/requests/2/payload", "schema_violation"))),
        (3, 400, "malformed", Some(("/requests/3/tags/ORDER", "invalid_key"))),
        (4, 400, "malformed", Some(("/requests/4/amount", "unknown_field"))),
        (5, 400, "malformed", Some(("/requests/5", "wrong_type"))),
        (7, 422, "idempotency_key_reused", None),
        (8, 400, "malformed", Some(("/requests/8/deadline", "out_of_range"))),
        (9, 400, "malformed", Some(("/requests/9/idempotency_key", "invalid_value"))),
    ];
    for (index, status, code, fault) in told {
        let (item, problem) = (&items[index], &items[index]["problem"]);
        assert_eq!(item.as_object().unwrap().len(), 3, "{item}");
        assert_eq!(
            (&item["index"], &item["status"], &problem["status"]),
            (&json!(index), &json!(status), &json!(status))
        );
        assert_eq!(
            (&problem["code"], &problem["trace_id"]),
            (&json!(code), &json!(answer.header("x-trace-id"))),
            "{index}"
        );
        let pointed = problem.get("errors").map(|faults| (faults[0]["pointer"].clone(), faults[0]["code"].clone()));
        assert_eq!(pointed, fault.map(|(pointer, code)| (json!(pointer), json!(code))), "{index}");
    }
    let list = gateway.get(&token, PATH).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    // A key is the same key in a batch and alone.
    let again = submit_keyed(&gateway, &token, "a", requests[0].to_string()).await;
    assert_eq!((again.status, again.text.contains("unknown field")), (400, true));
    let alone = json!({ "payload": { "n": 0 }, "tags": { "order": "1" } }).to_string();
    let again = submit_keyed(&gateway, &token, "a", alone).await;
    assert_eq!((again.header("idempotent-replayed"), &again.json()["request_id"]), ("true", &json!(ids[0])));
}

#[tokio::test]
async fn a_thousand_are_taken_and_one_more_is_not() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let many: Value = (0..1001).map(|number| json!({ "payload": number })).collect();
    let refused = |count: usize, code: &str| {
        let detail = "A batch has 1 to 1000 requests. Send more in several batches.";
        let mut told = problem(400, "malformed", "Malformed request", detail);
        let fault = format!("{count} requests, and 1 to 1000 make a batch");
        told["errors"] = json!([{ "pointer": "/requests", "code": code, "detail": fault }]);
        told
    };
    let answer = batch(&gateway, &token, &many).await;
    assert_eq!((answer.status, answer.problem()), (400, refused(1001, "too_many")));
    let answer = batch(&gateway, &token, &json!([])).await;
    assert_eq!((answer.status, answer.problem()), (400, refused(0, "invalid_value")));
    assert_eq!(gateway.get(&token, PATH).await.json()["items"], json!([]));
    let items = items(&batch(&gateway, &token, &many.as_array().unwrap()[1..].into()).await);
    assert_eq!(items.len(), 1000);
    assert!(items.iter().enumerate().all(|(index, item)| item["index"] == index && item["status"] == 202));
    let last = items[999]["request"]["request_id"].as_str().unwrap();
    assert_eq!(gateway.get(&token, &format!("{PATH}/{last}/payload")).await.text, "1000");
}

#[tokio::test]
async fn a_batch_has_a_limit_of_its_own() {
    let gateway = Gateway::configured("[server]\nmax_body_bytes = 100\nmax_batch_bytes = 300\n");
    let token = gateway.demo_token().await;
    let of = |length: usize| json!({ "payload": "x".repeat(length) });
    let answer = items(&batch(&gateway, &token, &json!([of(60), of(60), of(90)])).await);
    assert_eq!([&answer[0]["status"], &answer[1]["status"]], [202, 202]);
    // What would be too large alone is too large here.
    let mut told = answer[2].clone();
    told["problem"].as_object_mut().unwrap().remove("trace_id");
    let detail = "It is larger than the gateway reads alone. Send less, or have server.max_body_bytes raised.";
    let too_large = problem(413, "payload_too_large", "Payload too large", detail);
    assert_eq!(told, json!({ "index": 2, "status": 413, "problem": too_large }));
    let answer = batch(&gateway, &token, &json!([of(300)])).await;
    let detail =
        "The batch is larger than the gateway reads. Send several smaller ones, or have server.max_batch_bytes raised.";
    assert_eq!(
        (answer.status, answer.problem()),
        (413, problem(413, "payload_too_large", "Payload too large", detail))
    );
}

#[tokio::test]
async fn what_is_no_batch_is_refused_whole() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    for body in
        [json!([]), json!({}), json!({ "requests": 1 }), json!({ "requests": [{ "payload": 1 }], "atomic": true })]
    {
        assert_eq!(gateway.post(&token, BATCH, &body).await.problem()["code"], "malformed", "{body}");
    }
    let keyed = gateway.call(Method::POST, BATCH).bearer_auth(&token).header("idempotency-key", "a");
    let answer = Answer::to(keyed.json(&json!({ "requests": [{ "payload": 1 }] }))).await;
    let detail = "A batch has no Idempotency-Key: give each request in it an `idempotency_key`.";
    assert_eq!((answer.status, answer.problem()), (400, problem(400, "malformed", "Malformed request", detail)));
    assert_eq!(gateway.get(&token, PATH).await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_million_items_are_counted_and_not_kept() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let call = gateway.call(Method::POST, BATCH).bearer_auth(&token).header("content-type", "application/json");
    let answer = Answer::to(call.body(format!("{{\"requests\":[{}0]}}", "0,".repeat(1_000_000)))).await;
    let mut told =
        problem(400, "malformed", "Malformed request", "A batch has 1 to 1000 requests. Send more in several batches.");
    let detail = "1000001 requests, and 1 to 1000 make a batch";
    told["errors"] = json!([{ "pointer": "/requests", "code": "too_many", "detail": detail }]);
    assert_eq!((answer.status, answer.problem()), (400, told));
}
