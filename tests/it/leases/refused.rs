//! What workers are refused: what breaks a rule, and the leases of others.

use serde_json::{Value, json};

use super::{LEASES, Workshop, failure, nothing_here};
use crate::gateway::{Gateway, problem};

fn broken(faults: &Value) -> Value {
    let mut told = problem(400, "malformed", "Malformed request", "The body breaks a rule; see errors for each.");
    told["errors"] = faults.clone();
    told
}

#[tokio::test]
async fn each_rule_for_asking_is_pointed_at() {
    let shop = Workshop::open().await;
    let body = json!({ "types": [], "max": 101, "lease_seconds": 3601, "worker_id": "w 1" });
    let answer = shop.gateway.post(&shop.works, LEASES, &body).await;
    let fault = |pointer: &str, detail: &str| json!({ "pointer": pointer, "code": "invalid_value", "detail": detail });
    let faults = json!([
        fault("/types", "0 types, and 1 to 100 may be asked for"),
        fault("/max", "it is 101, and may be 1 to 100"),
        fault("/lease_seconds", "it is 3601, and may be 1 to 3600"),
        fault("/worker_id", "it has 1 to 128 visible ASCII characters"),
    ]);
    assert_eq!((answer.status, answer.problem()), (400, broken(&faults)));
}

#[tokio::test]
async fn types_that_are_not_for_workers_are_pointed_at() {
    let more = "[types.plain]\nstages = [{ after = \"0s\", stage = \"a\", status = \"queued\" }, { after = \"1s\", stage = \"b\", status = \"succeeded\" }]\n";
    let shop = Workshop::configured(more).await;
    let body = json!({ "types": ["plain", "render", "nope\n"], "worker_id": "w" });
    let answer = shop.gateway.post(&shop.works, LEASES, &body).await;
    let fault = |pointer: &str, name: &str| {
        let detail = format!("\"{name}\" is no type for workers; those for workers are: render");
        json!({ "pointer": pointer, "code": "unknown_type", "detail": detail })
    };
    let detail = "Some of the types are not for workers; see errors for each.";
    let mut told = problem(400, "malformed", "Malformed request", detail);
    told["errors"] = json!([fault("/types/0", "plain"), fault("/types/2", "nope\\n")]);
    assert_eq!((answer.status, answer.problem()), (400, told));
}

#[tokio::test]
async fn each_rule_for_reporting_is_pointed_at() {
    let shop = Workshop::open().await;
    shop.submit().await;
    let lease = shop.lease().await;
    let long = |length| "x".repeat(length);
    let text = |pointer: &str, least: usize, most: usize| {
        let detail = format!("it is a text of {least} to {most} characters, none of them a control character");
        json!({ "pointer": pointer, "code": "invalid_value", "detail": detail })
    };
    let fault = |pointer: &str, detail: &str| json!({ "pointer": pointer, "code": "invalid_value", "detail": detail });
    for (act, body, faults) in [
        (
            "heartbeat",
            json!({ "lease_seconds": 0, "progress": { "percent": 100.1, "message": long(501), "stage": "" } }),
            json!([
                fault("/lease_seconds", "it is 0, and may be 1 to 3600"),
                fault("/progress/percent", "it is a number from 0 to 100"),
                text("/progress/message", 0, 500),
                text("/progress/stage", 1, 64),
            ]),
        ),
        (
            "fail",
            json!({ "error": { "code": "On Fire", "title": "a\u{7}", "detail": long(4001) }, "retry_after_seconds": 604_801 }),
            json!([
                fault("/error/code", "it has 1 to 64 characters out of a-z, 0-9, \"_\", \".\" and \"-\""),
                text("/error/title", 1, 200),
                text("/error/detail", 0, 4000),
                fault("/retry_after_seconds", "it is 604801, and may be 0 to 604800"),
            ]),
        ),
        (
            "release",
            json!({ "delay_seconds": 604_801 }),
            json!([fault("/delay_seconds", "it is 604801, and may be 0 to 604800")]),
        ),
    ] {
        let answer = shop.say(&lease, act, body).await;
        assert_eq!((answer.status, answer.problem()), (400, broken(&faults)), "{act}");
    }
    assert_eq!(
        shop.say(&lease, "heartbeat", json!({ "progress": { "done": 1 } })).await.problem()["errors"][0]["code"],
        "unknown_field"
    );
}

#[tokio::test]
async fn a_lease_of_another_caller_is_not_there() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    shop.gateway.advance(1);
    let never_leased = shop.submit().await;
    let lease = shop.lease().await;
    assert_eq!(lease["request_id"], id);
    let other = shop.token("other").await;
    for (act, body) in [("heartbeat", json!({})), ("complete", json!({})), ("fail", failure()), ("release", json!({}))]
    {
        let answer = shop.say_as(&other, &lease, act, body.clone()).await;
        assert_eq!((answer.status, answer.problem()), (404, nothing_here()), "{act}");
        let absent = lease["lease_id"].as_str().unwrap().replace("lease_0", "lease_1");
        let unleased = never_leased.replace("req_", "lease_");
        for name in [id.as_str(), &absent, &unleased, "lease_", "lease_x"] {
            let lease = json!({ "lease_id": name, "epoch": 1 });
            assert_eq!(shop.say(&lease, act, body.clone()).await.status, 404, "{act} {name}");
        }
    }
    assert_eq!(shop.status(&id).await, "running");
    // The other has it now: the first is late, and is told so.
    shop.gateway.advance(60);
    assert_eq!(shop.ask_as(&other, 2).await.json()["leases"].as_array().unwrap().len(), 2);
    let late = shop.say(&lease, "complete", json!({})).await;
    assert_eq!((late.status, &late.problem()["code"]), (409, &json!("lease_lost")));
    let guessed = json!({ "lease_id": lease["lease_id"], "epoch": 2 });
    assert_eq!(shop.say(&guessed, "complete", json!({})).await.status, 404);
}

#[tokio::test]
async fn the_leases_of_a_request_that_time_moves_on_are_not_there() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let path = format!("{LEASES}/{}/complete", id.replace("req_", "lease_"));
    let answer = gateway.post(&token, &path, &json!({ "epoch": 1 })).await;
    assert_eq!((answer.status, answer.problem()), (404, nothing_here()));
}

#[tokio::test]
async fn workers_need_a_scope_of_their_own() {
    let shop = Workshop::open().await;
    assert_eq!(shop.ask_as(&shop.anna, 1).await.problem()["code"], "insufficient_scope");
    assert_eq!(shop.gateway.get(&shop.works, "/v1/requests").await.problem()["code"], "insufficient_scope");
}
