//! How a lease ends by its worker's word: complete, fail, release.

use serde_json::json;

use super::{Workshop, at, failure, lost, work};

#[tokio::test]
async fn a_completed_request_has_succeeded_once() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    let lease = shop.lease().await;
    shop.gateway.advance(5);
    let done = work(&id, json!({ "status": "succeeded", "finished_at": at(5) }));
    // The worker did not hear the first answer; another result changes nothing any more.
    for result in [json!({ "pages": 10 }), json!({ "pages": 11 })] {
        let answer = shop.say(&lease, "complete", json!({ "result": result })).await;
        assert_eq!((answer.status, answer.json()), (200, done.clone()));
    }
    let seen = shop.seen(&id, &["/status", "/result", "/finished_at"]).await;
    assert_eq!(seen, json!(["succeeded", { "pages": 10 }, at(5)]));
    for (act, body) in [("heartbeat", json!({})), ("fail", failure()), ("release", json!({}))] {
        let answer = shop.say(&lease, act, body).await;
        assert_eq!((answer.status, answer.problem()), (409, lost(&done)), "{act}");
    }
}

#[tokio::test]
async fn a_failed_attempt_is_followed_by_another_after_a_while() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    let lease = shop.lease().await;
    let answer = shop.say(&lease, "fail", failure()).await;
    let ready_at = answer.json()["ready_at"].clone();
    let error = json!({ "code": "on_fire", "title": "On fire", "detail": "Fetch water.", "retryable": true });
    let retrying = work(&id, json!({ "status": "retrying", "ready_at": ready_at, "error": error }));
    assert_eq!((answer.status, answer.json()), (200, retrying));
    let waited = ready_at.as_str().unwrap();
    assert!((at(10).as_str().unwrap()..=at(20).as_str().unwrap()).contains(&waited), "{waited}");
    assert_eq!(shop.seen(&id, &["/status", "/error", "/attempt"]).await, json!(["retrying", error, 1]));
    shop.gateway.advance(9);
    assert_eq!(shop.ask().await.status, 204);
    shop.gateway.advance(11);
    let lease = shop.lease().await;
    assert_eq!(json!([lease["epoch"], lease["attempt"]]), json!([2, 2]));
    // That was the last one.
    let answer = shop.say(&lease, "fail", failure()).await;
    let failed = json!({ "status": "failed", "epoch": 2, "attempt": 2, "finished_at": at(20), "error": error });
    assert_eq!((answer.status, answer.json()), (200, work(&id, failed)));
    assert_eq!(shop.seen(&id, &["/status", "/error"]).await, json!(["failed", error]));
}

#[tokio::test]
async fn the_worker_says_when_and_whether_to_try_again() {
    let shop = Workshop::open().await;
    let first = shop.submit().await;
    let mut body = failure();
    body["retry_after_seconds"] = json!(90);
    assert_eq!(shop.say(&shop.lease().await, "fail", body).await.json()["ready_at"], at(90));
    let second = shop.submit().await;
    let mut body = failure();
    body["retryable"] = json!(false);
    let failed = shop.say(&shop.lease().await, "fail", body).await.json();
    assert_eq!(json!([failed["status"], failed["error"]["retryable"]]), json!(["failed", false]));
    assert_eq!([shop.status(&first).await, shop.status(&second).await], ["retrying", "failed"]);
}

#[tokio::test]
async fn a_request_that_is_given_back_keeps_its_attempts() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    for epoch in 1..=5 {
        let lease = shop.lease().await;
        assert_eq!(json!([lease["epoch"], lease["attempt"]]), json!([epoch, 1]));
        let answer = shop.say(&lease, "release", json!({})).await;
        let given_back = work(&id, json!({ "epoch": epoch, "attempt": 0, "ready_at": at(0) }));
        assert_eq!((answer.status, answer.json()), (200, given_back));
    }
    let answer = shop.say(&shop.lease().await, "release", json!({ "delay_seconds": 30 })).await.json();
    assert_eq!(json!([answer["status"], answer["ready_at"]]), json!(["scheduled", at(30)]));
    assert_eq!(shop.ask().await.status, 204);
    shop.gateway.advance(30);
    assert_eq!(shop.ask().await.status, 200);
}
