//! Cancelling what a worker works on: it is asked to stop, and has the last word.

use serde_json::{Value, json};

use super::{Workshop, at, failure};

/// A request that a worker has, and that its owner has cancelled.
async fn asked_to_stop() -> (Workshop, String, Value) {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    let lease = shop.lease().await;
    shop.gateway.advance(5);
    let cancel = shop.cancel(&id).await;
    assert_eq!((cancel.status, &cancel.json()["status"]), (202, &json!("running")));
    (shop, id, lease)
}

#[tokio::test]
async fn the_worker_is_told_by_its_heartbeat_and_stops() {
    for (act, body) in [("release", json!({})), ("fail", failure())] {
        let (shop, id, lease) = asked_to_stop().await;
        let told = shop.say(&lease, "heartbeat", json!({})).await.json();
        assert_eq!(told["cancel_requested"], true);
        let answer = shop.say(&lease, act, body).await.json();
        assert_eq!(json!([answer["status"], answer["finished_at"]]), json!(["cancelled", at(5)]), "{act}");
        assert_eq!(shop.seen(&id, &["/status", "/cancel_requested_at"]).await, json!(["cancelled", at(5)]));
        shop.gateway.advance(3000);
        assert_eq!(shop.ask().await.status, 204);
    }
}

#[tokio::test]
async fn a_worker_that_was_done_before_it_heard_has_succeeded() {
    let (shop, id, lease) = asked_to_stop().await;
    assert_eq!(shop.say(&lease, "complete", json!({ "result": 1 })).await.status, 200);
    assert_eq!(shop.seen(&id, &["/status", "/result", "/cancel_requested_at"]).await, json!(["succeeded", 1, at(5)]));
}

#[tokio::test]
async fn without_a_word_it_is_cancelled_when_the_lease_ends() {
    let (shop, id, lease) = asked_to_stop().await;
    shop.gateway.advance(55);
    assert_eq!(shop.ask().await.status, 204);
    assert_eq!(shop.seen(&id, &["/status", "/finished_at"]).await, json!(["cancelled", at(60)]));
    assert_eq!(shop.say(&lease, "complete", json!({})).await.status, 409);
}
