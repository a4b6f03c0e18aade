//! Workers that are not heard of: the next one gets the request, the late one is told, and what ends its workers ends too.

use serde_json::json;

use super::{Workshop, at, lost, work};

#[tokio::test]
async fn the_request_of_a_worker_that_died_goes_to_the_next_and_is_completed_once() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    let dead = shop.lease().await;
    shop.gateway.advance(59);
    assert_eq!(shop.ask().await.status, 204);
    shop.gateway.advance(1);
    assert_eq!(shop.status(&id).await, "queued");
    let alive = shop.lease().await;
    assert_eq!(json!([alive["epoch"], alive["attempt"], alive["lease_until"]]), json!([2, 2, at(120)]));
    // It was only slow.
    let running = work(&id, json!({ "status": "running", "epoch": 2, "attempt": 2 }));
    let late = shop.say(&dead, "complete", json!({ "result": "late" })).await;
    assert_eq!((late.status, late.problem()), (409, lost(&running)));
    assert_eq!(shop.say(&alive, "complete", json!({ "result": "in time" })).await.status, 200);
    let late = shop.say(&dead, "complete", json!({ "result": "late" })).await;
    assert_eq!((late.status, &late.problem()["code"]), (409, &json!("lease_lost")));
    assert_eq!(shop.seen(&id, &["/status", "/result"]).await, json!(["succeeded", "in time"]));
}

#[tokio::test]
async fn a_late_completion_counts_while_nobody_else_has_the_request() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    let lease = shop.lease().await;
    shop.gateway.advance(3000);
    assert_eq!(shop.say(&lease, "complete", json!({ "result": 1 })).await.status, 200);
    assert_eq!(shop.seen(&id, &["/status", "/result"]).await, json!(["succeeded", 1]));
}

#[tokio::test]
async fn a_request_that_ends_its_workers_fails_when_its_attempts_are_used_up() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    shop.lease().await;
    shop.gateway.advance(60);
    let last = shop.lease().await;
    shop.gateway.advance(60);
    let seen = shop.seen(&id, &["/status", "/error/code", "/finished_at", "/attempt"]).await;
    assert_eq!(seen, json!(["failed", "worker_lost", at(120), 2]));
    assert_eq!(shop.ask().await.status, 204);
    let late = shop.say(&last, "complete", json!({})).await;
    assert_eq!((late.status, &late.problem()["request"]["status"]), (409, &json!("failed")));
    // What was seen stays so, whatever the clock does.
    shop.gateway.clock.set(super::NOON.plus_millis(90_000));
    assert_eq!(shop.status(&id).await, "failed");
}
