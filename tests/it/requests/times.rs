//! `not_before` and `deadline`: when a request begins, and by when it must be done.

use serde_json::{Value, json};

use super::{PATH, at, id_of, submit_keyed, view};
use crate::gateway::{Gateway, NOON, problem};

const YEAR: i64 = 366 * 86_400_000;

#[tokio::test]
async fn a_request_begins_when_it_is_told_to() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let answer =
        gateway.post(&token, PATH, &json!({ "payload": 1, "not_before": "2026-11-22T07:12:13.482+01:00" })).await;
    let id = id_of(&answer);
    let scheduled = json!({ "status": "scheduled", "stage": "scheduled", "not_before": at(10_000) });
    assert_eq!((answer.status, answer.json()), (202, view(&gateway, &id, scheduled)));
    assert_eq!(answer.header("retry-after"), "10");
    for (seconds, changed) in [
        (10, json!({ "updated_at": at(10_000) })),
        (5, json!({ "status": "running", "stage": "processing", "started_at": at(15_000), "updated_at": at(15_000) })),
    ] {
        gateway.advance(seconds);
        let mut expected = view(&gateway, &id, changed);
        expected["not_before"] = at(10_000);
        assert_eq!(gateway.get(&token, &format!("{PATH}/{id}")).await.json(), expected);
    }
}

#[tokio::test]
async fn what_is_not_done_by_its_deadline_expires() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = id_of(&gateway.post(&token, PATH, &json!({ "payload": 1, "deadline": at(7000) })).await);
    gateway.advance(7);
    let expired = json!({
        "status": "expired", "stage": "expired", "started_at": at(5000), "updated_at": at(7000), "finished_at": at(7000),
        "deadline": at(7000),
    });
    let answer = gateway.get(&token, &format!("{PATH}/{id}")).await;
    assert_eq!((answer.json(), answer.header("retry-after")), (view(&gateway, &id, expired), ""));
    let result = gateway.get(&token, &format!("{PATH}/{id}/result")).await;
    assert_eq!((result.status, &result.problem()["code"]), (409, &json!("request_failed")));
}

#[tokio::test]
async fn times_that_can_not_be_meant_are_pointed_at() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let far = "it lies more than a year ahead; now it is 2026-11-22T06:12:03.482Z";
    let late = "it does not lie after now and after `not_before`; now it is 2026-11-22T06:12:03.482Z";
    for (not_before, deadline, faults) in [
        (at(YEAR + 1), Value::Null, &[("/not_before", far)][..]),
        (Value::Null, at(0), &[("/deadline", late)]),
        (at(5000), at(5000), &[("/deadline", late)]),
        (at(YEAR + 1), at(-1), &[("/not_before", far), ("/deadline", late)]),
    ] {
        let body = json!({ "payload": 1, "not_before": not_before, "deadline": deadline });
        let answer = gateway.post(&token, PATH, &body).await;
        let mut expected = problem(
            400,
            "malformed",
            "Malformed request",
            "The times of the request break a rule; see errors for each.",
        );
        let fault =
            |(pointer, detail): &(&str, &str)| json!({ "pointer": pointer, "code": "out_of_range", "detail": detail });
        expected["errors"] = faults.iter().map(fault).collect();
        assert_eq!((answer.status, answer.problem()), (400, expected), "{body}");
    }
    for times in [
        json!({ "not_before": at(YEAR) }),
        json!({ "not_before": at(-1), "deadline": at(1) }),
        json!({ "deadline": null }),
    ] {
        let mut body = json!({ "payload": 1 });
        body.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
        assert_eq!(gateway.post(&token, PATH, &body).await.status, 202, "{body}");
    }
    let answer = gateway.post(&token, PATH, &json!({ "payload": 1, "deadline": "tomorrow" })).await;
    let fault = &answer.problem()["errors"][0];
    assert_eq!((answer.status, &fault["pointer"], &fault["code"]), (400, &json!("/deadline"), &json!("invalid_value")));
}

#[tokio::test]
async fn a_repeated_submission_is_recognized_after_its_deadline() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let body = json!({ "payload": 1, "deadline": at(1000) }).to_string();
    let first = submit_keyed(&gateway, &token, "key", body.clone()).await;
    gateway.clock.set(NOON.plus_millis(2000));
    let again = submit_keyed(&gateway, &token, "key", body.clone()).await;
    assert_eq!((again.status, again.header("idempotent-replayed"), id_of(&again)), (202, "true", id_of(&first)));
    assert_eq!(again.json()["status"], "expired");
    assert_eq!(submit_keyed(&gateway, &token, "other", body).await.status, 400);
    let other = json!({ "payload": 1, "deadline": at(5000) }).to_string();
    assert_eq!(submit_keyed(&gateway, &token, "key", other).await.problem()["code"], "idempotency_key_reused");
}
