//! The clock of OAuth 2.0 by the code flow: a person lets a client at one endpoint, for five seconds.

use serde_json::json;

use super::flow::{APP_URI, Browser, member, redeem, request};
use crate::gateway::Gateway;

#[tokio::test]
async fn a_client_gets_what_one_endpoint_needs_for_five_seconds() {
    let app = format!(
        "[clients.app]\npublic = true\nconsent = \"auto\"\nredirect_uris = [\"{APP_URI}\"]\nscopes = [\"current_time\", \"epoch_time\"]\n"
    );
    let gateway = Gateway::configured(&format!("{}\n{app}", include_str!("../../../config/clock.toml")));
    let code = Browser::new(&gateway).code(&request("app", APP_URI, &[("scope", "current_time")])).await;
    let issued = redeem(&gateway, &code, &[]).await;
    assert_eq!((&issued.json()["scope"], &issued.json()["expires_in"]), (&json!("current_time"), &json!(5)));
    let token = member(&issued, "access_token");
    let submit = async |kind: &str| {
        let answer = gateway.post(&token, "/v1/requests", &json!({ "type": kind, "payload": {} })).await;
        (answer.status, answer.json()["code"].clone())
    };
    assert_eq!(submit("current_time").await.0, 202);
    assert_eq!(submit("epoch_time").await, (403, json!("insufficient_scope")));
    gateway.advance(6);
    assert_eq!(submit("current_time").await, (401, json!("token_expired")));
}
