//! Workers that wait for work: woken by it, by the time at which there is some, by nothing else, and never in vain.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{LEASES, Workshop, at, failure};
use crate::gateway::{Answer, Gateway};
use crate::patience::patiently;

/// A worker that is ready to wait.
fn waiting(gateway: &Gateway, token: &str, worker: &str, seconds: u32) -> RequestBuilder {
    let body = json!({ "types": ["render"], "worker_id": worker });
    let call = gateway.call(Method::POST, LEASES).bearer_auth(token);
    call.header("prefer", format!("wait={seconds}")).json(&body)
}

/// Waits until so many are held.
async fn held(shop: &Workshop, count: usize) {
    let line = format!("anteroom_http_held {count}");
    patiently(async { while !shop.gateway.operate("/metrics").await.text.lines().any(|it| it == line) {} }).await;
}

/// So many workers that are held.
async fn idle(shop: &Workshop, count: usize) -> JoinSet<Answer> {
    let mut idle = JoinSet::new();
    for number in 0..count {
        idle.spawn(Answer::to(waiting(&shop.gateway, &shop.works, &format!("w-{number}"), 50)));
        held(shop, number + 1).await;
    }
    idle
}

async fn next(idle: &mut JoinSet<Answer>) -> Answer {
    patiently(idle.join_next()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_worker_that_waits_is_woken_by_a_submission() {
    let shop = Workshop::open().await;
    let mut idle = idle(&shop, 1).await;
    let id = shop.submit().await;
    let answer = next(&mut idle).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (200, "wait=50"));
    assert_eq!(answer.json()["leases"][0]["request_id"], id);
}

#[tokio::test]
async fn a_worker_waits_no_longer_than_it_said() {
    let shop = Workshop::open().await;
    for (asked, applied) in [(7, "wait=7"), (600, "wait=50")] {
        let answer = tokio::spawn(Answer::to(waiting(&shop.gateway, &shop.works, "w", asked)));
        held(&shop, 1).await;
        shop.gateway.clock.advance(Duration::from_millis(6_999));
        held(&shop, 1).await;
        shop.gateway.advance(44);
        let answer = patiently(answer).await.unwrap();
        assert_eq!((answer.status, answer.text.as_str(), answer.header("preference-applied")), (204, "", applied));
    }
}

#[tokio::test]
async fn each_submission_wakes_one_worker() {
    let shop = Workshop::open().await;
    let mut idle = idle(&shop, 20).await;
    let mut got = Vec::new();
    for _ in 0..3 {
        let id = shop.submit().await;
        let answer = next(&mut idle).await;
        got.push((id, answer.json()["leases"][0]["request_id"].as_str().unwrap().to_owned()));
    }
    assert!(got.iter().all(|(id, leased)| id == leased), "{got:?}");
    held(&shop, 17).await;
}

#[tokio::test]
async fn work_that_time_makes_ready_wakes_one_worker() {
    let shop = Workshop::open().await;
    shop.submit().await;
    let mut body = failure();
    body["retry_after_seconds"] = json!(20);
    shop.say(&shop.lease().await, "fail", body).await;
    shop.submit().await;
    let lost = shop.lease().await;
    let mut idle = idle(&shop, 10).await;
    shop.gateway.advance(20);
    let retried = next(&mut idle).await.json();
    assert_eq!(json!([retried["leases"][0]["attempt"], retried["leases"][0]["lease_until"]]), json!([2, at(80)]));
    held(&shop, 9).await;
    shop.gateway.advance(25);
    // In time for the wait: its lease ends after 60 seconds.
    assert_eq!(shop.say(&lost, "heartbeat", json!({ "lease_seconds": 1 })).await.json()["lease_until"], at(46));
    held(&shop, 9).await;
    shop.gateway.advance(1);
    let lapsed = next(&mut idle).await.json();
    assert_eq!(lapsed["leases"][0]["request_id"], lost["request_id"]);
    held(&shop, 8).await;
}

#[tokio::test]
async fn the_wake_up_of_a_worker_that_has_gone_passes_to_the_next() {
    let shop = Workshop::open().await;
    let gone = tokio::spawn(waiting(&shop.gateway, &shop.works, "gone", 50).send());
    held(&shop, 1).await;
    let stays = tokio::spawn(Answer::to(waiting(&shop.gateway, &shop.works, "stays", 50)));
    held(&shop, 2).await;
    gone.abort();
    held(&shop, 1).await;
    let id = shop.submit().await;
    let answer = patiently(stays).await.unwrap().json();
    let lease: &Value = &answer["leases"][0];
    assert_eq!(json!([lease["request_id"], lease["epoch"]]), json!([id, 1]));
}

#[tokio::test]
async fn those_who_wait_are_let_go_of_when_the_gateway_stops() {
    let mut shop = Workshop::open().await;
    let mut idle = idle(&shop, 3).await;
    shop.gateway.begin_to_stop();
    for _ in 0..3 {
        assert_eq!(next(&mut idle).await.status, 204);
    }
}

#[tokio::test]
async fn those_who_wait_keep_nobody_else_out() {
    let shop = Workshop::configured("[server]\nmax_in_flight = 3\n").await;
    let mut idle = idle(&shop, 10).await;
    shop.submit().await;
    assert_eq!(next(&mut idle).await.status, 200);
}
