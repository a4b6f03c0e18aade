//! What is not taken: told again by the schedule, given up at last, and begun anew when its owner says so.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Receiver, at, delivery, header, listen, post, status};
use crate::gateway::Gateway;
use crate::patience::patiently;

/// The waits of the schedule in seconds, each with the tenth that chance may add.
const WAITS: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// A request has ended, and its receiver answers this.
async fn ended(answer: wiremock::ResponseTemplate) -> (Gateway, Receiver, String) {
    let (gateway, receiver) = (Gateway::start(), Receiver::start().await);
    receiver.answer.to(answer);
    let token = gateway.demo_token().await;
    let endpoint = listen(&gateway, &token, &receiver).await;
    gateway.submit(&token).await;
    gateway.advance(15);
    (gateway, receiver, endpoint)
}

/// How many milliseconds after the clock began the delivery is tried next.
fn next(delivery: &Value) -> i64 {
    let next: jiff::Timestamp = delivery["next_attempt_at"].as_str().unwrap().parse().unwrap();
    next.as_millisecond() - crate::gateway::NOON.millis()
}

#[tokio::test]
async fn it_is_told_again_by_the_schedule_and_given_up_at_last() {
    let (gateway, receiver, endpoint) = ended(status(500)).await;
    for (made, wait) in WAITS.into_iter().enumerate() {
        let token = gateway.demo_token().await;
        let logged = delivery(&gateway, &token, &endpoint, made + 1).await;
        assert_eq!(logged["status"], "pending");
        let (due, wait_millis) = (next(&logged), i64::try_from(wait * 1000).unwrap());
        let last: jiff::Timestamp = logged["attempts"][made]["at"].as_str().unwrap().parse().unwrap();
        let waited = due - (last.as_millisecond() - crate::gateway::NOON.millis());
        assert!((wait_millis..=wait_millis + wait_millis / 10).contains(&waited), "{waited} for {wait}");
        gateway.advance(wait + wait / 10 + 1);
    }
    let token = gateway.demo_token().await;
    let given_up = delivery(&gateway, &token, &endpoint, 10).await;
    assert_eq!((&given_up["status"], &given_up["next_attempt_at"]), (&json!("failed"), &Value::Null));
    assert!(given_up["finished_at"].is_string());
    let told = receiver.told(10).await;
    let ids: std::collections::BTreeSet<_> = told.iter().map(|told| header(told, "webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 1, "the name stays");
    let times: std::collections::BTreeSet<_> =
        told.iter().map(|told| header(told, "webhook-timestamp").to_owned()).collect();
    assert_eq!(times.len(), 10, "the time is that of the attempt");

    // Its owner has mended the receiver, and lets it be told again.
    receiver.answer.to(status(200));
    let replay = format!("{endpoint}/deliveries/{}/replay", given_up["delivery_id"].as_str().unwrap());
    let replayed = post(&gateway, &token, &replay).await;
    assert_eq!((replayed.status, replayed.json()["status"].clone()), (202, "pending".into()));
    let logged = delivery(&gateway, &token, &endpoint, 11).await;
    assert_eq!(logged["status"], "delivered");
    let told = receiver.told(11).await;
    assert_eq!(header(&told[10], "webhook-id"), header(&told[0], "webhook-id"));
    assert_eq!(gateway.get(&token, &endpoint).await.json()["failing_since"], Value::Null);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_nothing_more() {
    let (gateway, receiver, endpoint) = ended(status(410)).await;
    let token = gateway.demo_token().await;
    let given_up = delivery(&gateway, &token, &endpoint, 1).await;
    assert_eq!(given_up["status"], "failed");
    let view = gateway.get(&token, &endpoint).await.json();
    assert_eq!((&view["disabled_at"], &view["disabled_reason"]), (&at(15_000), &json!("It answered 410 Gone.")));
    gateway.submit(&token).await;
    gateway.advance(20);
    assert_eq!(
        gateway.get(&token, &format!("{endpoint}/deliveries")).await.json()["items"].as_array().unwrap().len(),
        1
    );
    let replay = format!("deliveries/{}/replay", given_up["delivery_id"].as_str().unwrap());
    for call in ["test", &replay] {
        let refused = post(&gateway, &token, &format!("{endpoint}/{call}")).await;
        assert_eq!((refused.status, refused.problem()["code"].clone()), (409, "endpoint_conflict".into()), "{call}");
    }
    receiver.told(1).await;

    // Until its owner enables it.
    receiver.answer.to(status(200));
    let enabled = post(&gateway, &token, &format!("{endpoint}/enable")).await;
    assert_eq!((enabled.status, enabled.json()["disabled_at"].clone()), (200, Value::Null));
    gateway.submit(&token).await;
    gateway.advance(15);
    receiver.told(2).await;
}

#[tokio::test]
async fn a_receiver_that_asks_to_be_left_alone_is() {
    for code in [429, 502, 503, 504] {
        let (gateway, receiver, endpoint) = ended(status(code).insert_header("retry-after", "900")).await;
        let token = gateway.demo_token().await;
        let logged = delivery(&gateway, &token, &endpoint, 1).await;
        assert_eq!(next(&logged), 15_000 + 900_000, "{code}");
        receiver.answer.to(status(200));
        gateway.advance(899);
        receiver.told(1).await;
        gateway.advance(1);
        receiver.told(2).await;
    }
    // Of another status that is not what it means; and nobody is left alone for longer than a day.
    for (code, seconds, least, most) in [(500, "900", 5000, 5500), (429, "9999999", 86_400_000, 86_400_000)] {
        let (gateway, _receiver, endpoint) = ended(status(code).insert_header("retry-after", seconds)).await;
        let logged = delivery(&gateway, &gateway.demo_token().await, &endpoint, 1).await;
        assert!((15_000 + least..=15_000 + most).contains(&next(&logged)), "{code}: {}", logged["next_attempt_at"]);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (gateway, receiver, endpoint) = ended(status(302).insert_header("location", "/elsewhere")).await;
    let token = gateway.demo_token().await;
    let logged = delivery(&gateway, &token, &endpoint, 1).await;
    assert_eq!((&logged["status"], &logged["attempts"][0]["status"]), (&json!("pending"), &json!(302)));
    receiver.told(1).await;
}

#[tokio::test]
async fn who_can_not_be_reached_is_told_why_in_the_log() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    // Nothing listens there.
    let url = { format!("http://{}/", std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()) };
    let endpoint = super::path_of(&super::add(&gateway, &token, &json!({ "url": url })).await);
    post(&gateway, &token, &format!("{endpoint}/test")).await;
    let logged = delivery(&gateway, &token, &endpoint, 1).await;
    let error = logged["attempts"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("There was no connection: ") && error.contains("refused"), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_fails_is_asked_slowly_and_disabled_after_five_days() {
    let (gateway, receiver, endpoint) = ended(status(500)).await;
    let answer = async || gateway.get(&gateway.demo_token().await, &endpoint).await.json();
    patiently(async { while answer().await["failing_since"].is_null() {} }).await;
    assert_eq!(answer().await["failing_since"], at(15_000));
    // Requests end all the time; each attempt fails.
    let attempts = async || receiver.server.received_requests().await.unwrap().len();
    let mut seen = 1;
    while answer().await["disabled_at"].is_null() {
        gateway.submit(&gateway.demo_token().await).await;
        gateway.clock.advance(Duration::from_hours(8));
        patiently(async { while attempts().await <= seen && answer().await["disabled_at"].is_null() {} }).await;
        seen = attempts().await;
        // At once there is one attempt where there would be many.
        assert!(seen < 200);
    }
    assert_eq!(answer().await["disabled_reason"], "Every attempt of the last five days has failed.");
}

#[tokio::test]
async fn an_endpoint_that_hangs_keeps_no_other_waiting() {
    let (gateway, slow, quick) = (Gateway::start(), Receiver::start().await, Receiver::start().await);
    slow.answer.to(status(200).set_delay(Duration::from_hours(1)));
    let token = gateway.demo_token().await;
    listen(&gateway, &token, &slow).await;
    listen(&gateway, &token, &quick).await;
    for _ in 0..80 {
        gateway.submit(&token).await;
    }
    gateway.advance(15);
    quick.told(80).await;
    // Four are on their way at once, and no more.
    slow.told(4).await;
}
