//! Signatures, verified by the published package of Standard Webhooks and not by our own code.

use anteroom::app::SystemClock;
use anteroom::core::clock::Clock;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use wiremock::Request;

use super::{Receiver, add, header, path_of, post};
use crate::gateway::Gateway;

/// A gateway whose clock shows the time: the package refuses what is old.
async fn start() -> (Gateway, Receiver) {
    let gateway = Gateway::start();
    gateway.clock.set(SystemClock::start().now());
    (gateway, Receiver::start().await)
}

/// Whether the package takes the delivery for one that was signed with this secret.
fn is_signed_with(told: &Request, secret: &Value) -> bool {
    let webhook = Webhook::new(secret.as_str().unwrap()).unwrap();
    webhook.verify(&told.body, &told.headers).is_ok()
}

#[tokio::test]
async fn the_published_package_verifies_a_delivery() {
    let (gateway, receiver) = start().await;
    let token = gateway.demo_token().await;
    let endpoint = add(&gateway, &token, &json!({ "url": receiver.url() })).await;
    gateway.submit(&token).await;
    gateway.advance(15);
    let mut told = receiver.told(1).await.remove(0);
    assert!(is_signed_with(&told, &endpoint["secret"]));
    assert!(!is_signed_with(&told, &"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()));
    told.body.push(b' ');
    assert!(!is_signed_with(&told, &endpoint["secret"]), "each byte counts");
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_for_a_day() {
    let (gateway, receiver) = start().await;
    let token = gateway.demo_token().await;
    let endpoint = add(&gateway, &token, &json!({ "url": receiver.url() })).await;
    let path = path_of(&endpoint);
    let rotated = post(&gateway, &token, &format!("{path}/rotate")).await;
    assert_eq!(rotated.status, 200);
    let (old, new) = (&endpoint["secret"], &rotated.json()["secret"]);
    assert_ne!(old, new);
    let test = format!("{path}/test");
    post(&gateway, &token, &test).await;
    let told = receiver.told(1).await.remove(0);
    assert_eq!(header(&told, "webhook-signature").split(' ').count(), 2);
    assert!(is_signed_with(&told, old) && is_signed_with(&told, new));

    // The package judges by the machine's clock, so the old secret's day is gone by first.
    gateway.clock.advance(std::time::Duration::from_hours(24));
    let token = gateway.demo_token().await;
    post(&gateway, &token, &test).await;
    let later = receiver.told(2).await.remove(1);
    let signature = header(&later, "webhook-signature");
    assert_eq!(signature.split(' ').count(), 1);
    let content = format!("{}.{}.", header(&later, "webhook-id"), header(&later, "webhook-timestamp"));
    let key = STANDARD.decode(new.as_str().unwrap().strip_prefix("whsec_").unwrap()).unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
    let given = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
    assert!(aws_lc_rs::hmac::verify(&key, &[content.as_bytes(), &later.body].concat(), &given).is_ok());
}

#[tokio::test]
async fn a_private_key_signs_and_the_published_public_key_verifies() {
    let (gateway, receiver) = start().await;
    let token = gateway.demo_token().await;
    let endpoint = add(&gateway, &token, &json!({ "url": receiver.url(), "algorithm": "ed25519" })).await;
    assert_eq!(endpoint.get("secret"), None);
    let path = path_of(&endpoint);
    let rotated = post(&gateway, &token, &format!("{path}/rotate")).await.json();
    assert_eq!(rotated["public_keys"].as_array().unwrap()[1..], endpoint["public_keys"].as_array().unwrap()[..]);
    post(&gateway, &token, &format!("{path}/test")).await;
    let told = receiver.told(1).await.remove(0);
    let content = format!("{}.{}.", header(&told, "webhook-id"), header(&told, "webhook-timestamp"));
    let content = [content.as_bytes(), &told.body].concat();
    let keys = rotated["public_keys"].as_array().unwrap().iter();
    for (signature, key) in header(&told, "webhook-signature").split(' ').zip(keys) {
        let key = STANDARD.decode(key.as_str().unwrap().strip_prefix("whpk_").unwrap()).unwrap();
        let signature = STANDARD.decode(signature.strip_prefix("v1a,").unwrap()).unwrap();
        assert!(UnparsedPublicKey::new(&ED25519, key).verify(&content, &signature).is_ok());
    }
}
