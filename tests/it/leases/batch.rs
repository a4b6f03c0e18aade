//! Many leases in one call: each act has the outcome that it has alone.

use serde_json::{Value, json};

use super::{LEASES, Workshop, at, failure, lost, nothing_here, work};
use crate::gateway::{Answer, problem};

async fn act(shop: &Workshop, acts: &[Value]) -> Answer {
    shop.gateway.post(&shop.works, &format!("{LEASES}/batch"), &json!({ "acts": acts })).await
}

fn with(lease: &Value, act: &str, mut body: Value) -> Value {
    body["act"] = json!(act);
    body["lease_id"] = lease["lease_id"].clone();
    body["epoch"] = lease["epoch"].clone();
    body
}

#[tokio::test]
async fn each_act_has_an_outcome_of_its_own() {
    let shop = Workshop::open().await;
    let mut leases = Vec::new();
    for _ in 0..4 {
        shop.submit().await;
        leases.push(shop.lease().await);
    }
    let id = |number: usize| leases[number]["request_id"].as_str().unwrap();
    let mut failure = failure();
    failure["retry_after_seconds"] = json!(7);
    let absent = json!({ "lease_id": "lease_x", "epoch": 1 });
    let acts = [
        with(&leases[0], "complete", json!({ "result": { "n": 1 } })),
        with(&leases[1], "heartbeat", json!({ "lease_seconds": 90 })),
        with(&leases[2], "fail", failure),
        with(&leases[3], "release", json!({})),
        with(&leases[0], "heartbeat", json!({})),
        with(&absent, "complete", json!({})),
        with(&leases[1], "complete", json!({ "results": 1 })),
        with(&leases[1], "finish", json!({})),
        json!({ "act": "complete" }),
    ];
    let answer = act(&shop, &acts).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut items = answer.json()["items"].clone();
    for item in items.as_array_mut().unwrap() {
        if let Some(problem) = item.get_mut("problem").and_then(Value::as_object_mut) {
            assert_eq!(problem.remove("trace_id").unwrap(), answer.header("x-trace-id"));
        }
    }
    let error = json!({ "code": "on_fire", "title": "On fire", "detail": "Fetch water.", "retryable": true });
    let done = work(id(0), json!({ "status": "succeeded", "finished_at": at(0) }));
    let lease = json!({ "lease_until": at(90), "cancel_requested": false, "deadline": null, "run_until": at(300) });
    let malformed = |detail: &str, pointer: &str, code: &str, fault: &str| {
        let mut told = problem(400, "malformed", "Malformed request", detail);
        told["errors"] = json!([{ "pointer": pointer, "code": code, "detail": fault }]);
        told
    };
    let unknown = items[6]["problem"]["errors"][0]["detail"].as_str().unwrap().to_owned();
    assert!(unknown.starts_with("unknown field `results`, expected one of `epoch`, `result`"), "{unknown}");
    let of_another_form = format!("The body does not have the expected form: {unknown}.");
    let none = "it is none of `heartbeat`, `complete`, `fail`, `release`";
    let expected = json!([
        { "index": 0, "status": 200, "request": done },
        { "index": 1, "status": 200, "lease": lease },
        { "index": 2, "status": 200, "request": work(id(2), json!({ "status": "retrying", "ready_at": at(7), "error": error })) },
        { "index": 3, "status": 200, "request": work(id(3), json!({ "attempt": 0, "ready_at": at(0) })) },
        { "index": 4, "status": 409, "problem": lost(&done) },
        { "index": 5, "status": 404, "problem": nothing_here() },
        { "index": 6, "status": 400, "problem": malformed(&of_another_form, "/acts/6/results", "unknown_field", &unknown) },
        { "index": 7, "status": 400, "problem": malformed(&format!("The item can not be read: act: {none}."), "/acts/7/act", "invalid_value", none) },
        { "index": 8, "status": 400, "problem": malformed(
            "The item can not be read: lease_id: missing field `lease_id`.", "/acts/8/lease_id", "missing_field", "missing field `lease_id`") },
    ]);
    assert_eq!(items, expected);
    assert_eq!(shop.seen(id(0), &["/status", "/result"]).await, json!(["succeeded", { "n": 1 }]));
}

#[tokio::test]
async fn a_batch_is_of_a_thousand_at_most() {
    let shop = Workshop::open().await;
    let one = json!({ "act": "release", "lease_id": "lease_x", "epoch": 1 });
    for (count, status) in [(0, 400), (1, 200), (1000, 200), (1001, 400)] {
        let answer = act(&shop, &vec![one.clone(); count]).await;
        assert_eq!(answer.status, status, "{count}");
        if status == 400 {
            let mut told =
                problem(400, "malformed", "Malformed request", "A batch has 1 to 1000 acts. Send more in several.");
            let detail = format!("{count} acts, and 1 to 1000 make a batch");
            told["errors"] = json!([{ "pointer": "/acts", "code": "invalid_value", "detail": detail }]);
            assert_eq!(answer.problem(), told);
        }
    }
}

#[tokio::test]
async fn a_member_that_comes_twice_is_refused() {
    let shop = Workshop::open().await;
    shop.submit().await;
    let lease = shop.lease().await;
    let lease_id = lease["lease_id"].as_str().unwrap();
    let body = format!(r#"{{"acts":[{{"act":"complete","lease_id":"{lease_id}","epoch":1,"result":1,"result":2}}]}}"#);
    let call = shop.gateway.call(reqwest::Method::POST, &format!("{LEASES}/batch")).bearer_auth(&shop.works);
    let answer = Answer::to(call.header("content-type", "application/json").body(body)).await.json();
    assert_eq!(answer["items"][0]["problem"]["errors"][0]["code"], "duplicate_field");
}
