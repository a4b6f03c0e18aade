//! What a worker gets that asks for work.

use serde_json::json;

use super::{LEASES, Workshop, at};

#[tokio::test]
async fn a_worker_gets_the_request_as_it_came() {
    let shop = Workshop::open().await;
    let payload = json!({ "big": 12_345_678_901_u64, "list": [1, 2.5, null] });
    let id = shop.submit_as(&shop.anna, payload.clone()).await;
    shop.gateway.advance(3);
    let answer = shop.ask().await;
    let lease = json!({
        "lease_id": id.replace("req_", "lease_"), "request_id": id, "type": "render", "epoch": 1, "attempt": 1, "max_attempts": 2,
        "lease_until": at(63), "run_until": at(303), "deadline": null, "submitted_at": at(0), "tags": { "order": "4711" },
        "payload": payload,
    });
    assert_eq!((answer.status, answer.json()), (200, json!({ "leases": [lease] })));
    let seen = shop.seen(&id, &["/status", "/stage", "/started_at", "/attempt"]).await;
    assert_eq!(seen, json!(["running", "running", at(3), 1]));
}

#[tokio::test]
async fn a_request_is_given_to_one_worker_and_no_more_than_asked_for() {
    let shop = Workshop::open().await;
    let mut submitted = Vec::new();
    for n in 0..3 {
        submitted.push(shop.submit_as(&shop.anna, json!(n)).await);
        shop.gateway.advance(1);
    }
    let ids = |answer: crate::gateway::Answer| -> Vec<String> {
        let leases = answer.json()["leases"].as_array().unwrap().clone();
        leases.iter().map(|lease| lease["request_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(shop.ask_as(&shop.works, 2).await), submitted[..2]);
    assert_eq!(ids(shop.ask_as(&shop.works, 2).await), submitted[2..]);
    let none = shop.ask().await;
    assert_eq!((none.status, none.text.as_str(), none.header("retry-after")), (204, "", ""));
}

#[tokio::test]
async fn the_worker_says_how_long_its_lease_lasts() {
    let shop = Workshop::open().await;
    shop.submit().await;
    let body = json!({ "types": ["render"], "lease_seconds": 7, "worker_id": "w-1" });
    let leased = shop.gateway.post(&shop.works, LEASES, &body).await.json();
    assert_eq!(leased["leases"][0]["lease_until"], at(7));
}

#[tokio::test]
async fn of_several_types_each_is_given_in_turn_for_the_shortest_lease() {
    let more = "[types.print]\nprocessor = \"lease\"\nlease = \"5s\"\n";
    let shop = Workshop::configured(more).await;
    for kind in ["render", "render", "print"] {
        shop.gateway.post(&shop.anna, "/v1/requests", &json!({ "type": kind, "payload": 1 })).await;
    }
    let body = json!({ "types": ["render", "print", "render"], "max": 2, "worker_id": "w-1" });
    let leased = shop.gateway.post(&shop.works, LEASES, &body).await.json();
    let told: Vec<_> =
        leased["leases"].as_array().unwrap().iter().map(|it| [&it["type"], &it["lease_until"]]).collect();
    assert_eq!(json!(told), json!([["render", at(5)], ["print", at(5)]]));
}

#[tokio::test]
async fn the_type_for_a_first_try_is_there_by_itself() {
    let gateway = crate::gateway::Gateway::start();
    let token = gateway.demo_token().await;
    assert_eq!(gateway.post(&token, "/v1/requests", &json!({ "type": "demo-work", "payload": 1 })).await.status, 202);
    let answer = gateway.post(&token, LEASES, &json!({ "types": ["demo-work"], "worker_id": "me" })).await;
    assert_eq!((answer.status, &answer.json()["leases"][0]["max_attempts"]), (200, &json!(3)));
}

#[tokio::test]
async fn a_status_that_is_asked_for_twice_is_listed_once() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    let list = shop.gateway.get(&shop.anna, "/v1/requests?status=queued,running,queued").await.json();
    let ids: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["request_id"].clone()).collect();
    assert_eq!(ids, [json!(id)]);
}
