//! What a gateway that is stopped and started again still knows: everything.

use reqwest::Method;
use serde_json::json;

use super::{PATH, id_of, order, submit_keyed};
use crate::gateway::{Answer, Gateway};

/// A fixed address, so that links and issuer do not follow the port.
const TOML: &str = "server.public_url = \"http://localhost:8080\"";

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let gateway = Gateway::configured(TOML);
    let token = gateway.demo_token().await;
    let body = json!({ "payload": { "n": 1 }, "tags": { "order": "4711" } }).to_string();
    let keyed = id_of(&submit_keyed(&gateway, &token, "key", body.as_str()).await);
    gateway.post(&token, PATH, &json!({ "type": "demo-fail", "payload": [] })).await;
    gateway.advance(3);
    let cancelled = gateway.submit(&token).await;
    Answer::to(gateway.call(Method::POST, &format!("{PATH}/{cancelled}/cancel")).bearer_auth(&token)).await;
    gateway.submit(&token).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        gateway.advance(4);
        seen.push(gateway.get(&token, PATH).await.json());
    }
    let etag = gateway.get(&token, &format!("{PATH}/{keyed}")).await.header("etag").to_owned();
    let (secret, cursor) = (gateway.demo_secret(), gateway.get(&token, &format!("{PATH}?limit=1")).await.json());

    let gateway = Gateway::in_folder(gateway.stop(), TOML);
    gateway.advance(3);
    for seen in seen {
        gateway.advance(4);
        assert_eq!(gateway.get(&token, PATH).await.json(), seen);
    }
    assert_eq!(gateway.get(&token, &format!("{PATH}/{keyed}")).await.header("etag"), etag);
    let again = submit_keyed(&gateway, &token, "key", body).await;
    assert_eq!((id_of(&again), again.header("idempotent-replayed")), (keyed, "true"));
    let cursor = cursor["next_cursor"].as_str().unwrap();
    let rest = gateway.get(&token, &format!("{PATH}?cursor={cursor}")).await.json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 3);
    assert_eq!(gateway.demo_secret(), secret);
    gateway.token("demo", &secret, None).await;
}

#[tokio::test]
async fn a_changed_configuration_rewinds_no_request() {
    let gateway = Gateway::configured(TOML);
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    gateway.advance(15);
    let ended = gateway.get(&token, &format!("{PATH}/{id}")).await.json();
    let stages = "[{ after = \"0s\", stage = \"slow\", status = \"queued\" }, { after = \"1h\", stage = \"end\", status = \"failed\" }]";
    let changed = format!("{TOML}\n[types.default]\nstages = {stages}\n");
    let gateway = Gateway::in_folder(gateway.stop(), &changed);
    gateway.advance(15);
    assert_eq!(gateway.get(&token, &format!("{PATH}/{id}")).await.json(), ended);
    let fresh = gateway.post(&token, PATH, &order()).await;
    assert_eq!((&fresh.json()["stage"], fresh.header("retry-after")), (&json!("slow"), "3600"));
}
