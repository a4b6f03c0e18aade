//! A gateway that ends and begins again: endpoints stay, nothing is lost, and nothing is told twice.

use serde_json::Value;

use super::{Receiver, body, delivery, header, listen, status};
use crate::gateway::Gateway;

#[tokio::test]
async fn what_ends_while_there_is_no_gateway_is_told_by_the_next() {
    let (gateway, receiver) = (Gateway::start(), Receiver::start().await);
    let token = gateway.demo_token().await;
    let endpoint = listen(&gateway, &token, &receiver).await;
    let (first, second) = (gateway.submit(&token).await, gateway.submit(&token).await);
    let folder = gateway.stop();

    let gateway = Gateway::in_folder(folder, "");
    let token = gateway.demo_token().await;
    gateway.advance(20);
    let mut told: Vec<_> = receiver.told(2).await.iter().map(|told| body(told)["data"]["request_id"].clone()).collect();
    told.sort_by_key(Value::to_string);
    let mut both = [Value::from(first), Value::from(second)];
    both.sort_by_key(Value::to_string);
    assert_eq!(told, both);
    let log = format!("{endpoint}/deliveries");
    let all_told = || async {
        let page = gateway.get(&token, &log).await.json();
        page["items"].as_array().unwrap().iter().all(|item| item["status"] == "delivered")
    };
    crate::patience::patiently(async { while !all_told().await {} }).await;
    let folder = gateway.stop();

    let gateway = Gateway::in_folder(folder, "");
    gateway.advance(3600);
    let token = gateway.demo_token().await;
    gateway.submit(&token).await;
    gateway.advance(15);
    receiver.told(3).await;
}

#[tokio::test]
async fn what_was_not_taken_is_told_again_by_the_next() {
    let (gateway, receiver) = (Gateway::start(), Receiver::start().await);
    receiver.answer.to(status(500));
    let token = gateway.demo_token().await;
    let endpoint = listen(&gateway, &token, &receiver).await;
    gateway.submit(&token).await;
    gateway.advance(15);
    delivery(&gateway, &token, &endpoint, 1).await;
    let folder = gateway.stop();

    receiver.answer.to(status(200));
    let gateway = Gateway::in_folder(folder, "");
    gateway.advance(15 + 6);
    let token = gateway.demo_token().await;
    let logged = delivery(&gateway, &token, &endpoint, 2).await;
    assert_eq!(logged["status"], "delivered");
    let told = receiver.told(2).await;
    assert_eq!(header(&told[0], "webhook-id"), header(&told[1], "webhook-id"));
    assert_eq!(told[0].body, told[1].body);
}
