//! A worker that is alive: it keeps its lease, and its owner sees how far the request is.

use serde_json::json;

use super::{Workshop, at, lost, work};

#[tokio::test]
async fn a_heartbeat_prolongs_the_lease_up_to_the_end_of_the_attempt() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    let lease = shop.lease().await;
    let told =
        |until| json!({ "lease_until": at(until), "cancel_requested": false, "deadline": null, "run_until": at(300) });
    for (second, body, until) in
        [(50, json!({}), 110), (100, json!({ "lease_seconds": 190 }), 290), (280, json!({}), 300)]
    {
        shop.gateway.clock.set(super::NOON.plus_millis(second * 1000));
        let answer = shop.say(&lease, "heartbeat", body).await;
        assert_eq!((answer.status, answer.json()), (200, told(until)));
        assert_eq!(shop.ask().await.status, 204);
    }
    // A worker that is alive and does not get on loses the request all the same.
    shop.gateway.advance(20);
    assert_eq!(shop.status(&id).await, "queued");
    assert_eq!(shop.lease().await["epoch"], 2);
    let late = shop.say(&lease, "heartbeat", json!({})).await;
    let request = work(&id, json!({ "status": "running", "epoch": 2, "attempt": 2 }));
    assert_eq!((late.status, late.problem()), (409, lost(&request)));
}

#[tokio::test]
async fn what_the_worker_says_is_seen_by_the_owner() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    let lease = shop.lease().await;
    shop.gateway.advance(5);
    let progress = json!({ "percent": 40.5, "message": "Page 4 of 10", "stage": "drawing" });
    assert_eq!(shop.say(&lease, "heartbeat", json!({ "progress": progress })).await.status, 200);
    assert_eq!(shop.seen(&id, &["/status", "/stage", "/updated_at"]).await, json!(["running", "drawing", at(5)]));
    shop.gateway.advance(5);
    assert_eq!(shop.say(&lease, "heartbeat", json!({ "progress": { "percent": 60 } })).await.status, 200);
    assert_eq!(shop.seen(&id, &["/status", "/stage", "/updated_at"]).await, json!(["running", "drawing", at(10)]));
}

#[tokio::test]
async fn a_late_heartbeat_takes_the_request_back_unless_another_has_it() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    let lease = shop.lease().await;
    shop.gateway.advance(70);
    assert_eq!(shop.status(&id).await, "queued");
    assert_eq!(shop.say(&lease, "heartbeat", json!({})).await.json()["lease_until"], at(130));
    assert_eq!((shop.status(&id).await.as_str(), shop.ask().await.status), ("running", 204));
}
