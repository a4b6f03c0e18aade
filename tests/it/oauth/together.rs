//! Two gateways on one store: what one of them gave, took back or rotated is known at the other, within five seconds.

use reqwest::Method;
use serde_json::{Value, json};

use super::flow::{
    APP_URI, Browser, SITE_SECRET, assert_no_grant, configuration, member, redeem, refresh, request, standing,
};
use super::form_call;
use crate::gateway::{Answer, Gateway, client, problem};
use crate::patience::patiently;
use crate::postgres_server::Server;

const ROOT_SECRET: &str = "an-example-of-a-secret-of-root";
/// How late another gateway may learn of it, in seconds; README and `/oauth/revoke` say so.
const BOUND: u64 = 5;

fn gateways() -> [Gateway; 2] {
    let url = Server::shared().database();
    let root = client("root", ROOT_SECRET, &["admin", "requests:read"]);
    let toml = format!("store.url = \"{url}\"\nissuer.algorithm = \"ES256\"\n{}{root}", configuration());
    [(); 2].map(|()| Gateway::configured(&toml))
}

/// Waits until the gateway, whose clock stands, says so of a token.
async fn comes_to(gateway: &Gateway, token: &str, expected: (u16, Value)) {
    patiently(async {
        while standing(gateway, token).await != expected {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Moves their clocks on together.
fn advance(gateways: [&Gateway; 2], seconds: u64) {
    for gateway in gateways {
        gateway.advance(seconds);
    }
}

fn revoked() -> (u16, Value) {
    (401, json!("token_revoked"))
}

#[tokio::test]
async fn a_token_that_is_taken_back_here_is_refused_there_in_five_seconds() {
    let [here, there] = gateways();
    let token = here.token("site", SITE_SECRET, None).await;
    let other = there.token("site", SITE_SECRET, None).await;
    for gateway in [&here, &there] {
        assert_eq!([standing(gateway, &token).await.0, standing(gateway, &other).await.0], [200, 200]);
    }
    let call = form_call(&here, "/oauth/revoke", &[("token", &token)]).basic_auth("site", Some(SITE_SECRET));
    assert_eq!(Answer::to(call).await.status, 200);
    assert_eq!(standing(&here, &token).await, revoked(), "at once");
    there.advance(BOUND);
    comes_to(&there, &token, revoked()).await;
    assert_eq!([standing(&here, &other).await.0, standing(&there, &other).await.0], [200, 200]);
}

/// The other gateway remembers a client for as long: what it gives it meanwhile is not believed either.
#[tokio::test]
async fn what_a_removed_client_is_given_there_is_not_believed() {
    let [here, there] = gateways();
    let root = here.token("root", ROOT_SECRET, None).await;
    let added = here.post(&root, "/v1/admin/clients", &json!({ "client_id": "acme" })).await.json();
    let secret = added["client_secret"].as_str().unwrap();
    let before = there.token("acme", secret, None).await;
    let removal = here.call(Method::DELETE, "/v1/admin/clients/acme").bearer_auth(&root);
    assert_eq!(Answer::to(removal).await.status, 204);
    advance([&here, &there], BOUND - 1);
    let after = there.token("acme", secret, None).await;
    for token in [&before, &after] {
        assert_eq!(standing(&here, token).await, revoked());
    }
    advance([&here, &there], 1);
    for token in [&before, &after] {
        comes_to(&there, token, revoked()).await;
    }
    let again = json!({ "client_id": "acme" });
    for gateway in [&here, &there] {
        let detail = "A client of this id was removed a moment ago, and other gateways may know it still: add it ten seconds later, or choose another.";
        let refused = gateway.post(&root, "/v1/admin/clients", &again).await.problem();
        assert_eq!(refused, problem(409, "client_conflict", "Client conflict", detail));
    }
    advance([&here, &there], BOUND);
    let added = there.post(&root, "/v1/admin/clients", &again).await.json();
    let new = there.token("acme", added["client_secret"].as_str().unwrap(), None).await;
    assert_eq!([standing(&here, &new).await.0, standing(&there, &new).await.0], [200, 200]);
}

#[tokio::test]
async fn a_code_and_a_refresh_token_are_good_once_at_all_of_them() {
    let [here, there] = gateways();
    let code = Browser::new(&here).code(&request("app", APP_URI, &[])).await;
    let first = redeem(&there, &code, &[]).await;
    let access = member(&first, "access_token");
    assert_eq!([standing(&here, &access).await.0, standing(&there, &access).await.0], [200, 200]);
    let next = refresh(&here, &member(&first, "refresh_token"), &[]).await;
    assert_no_grant(&refresh(&there, &member(&first, "refresh_token"), &[]).await);
    assert_eq!(standing(&there, &access).await, revoked(), "at once where it was seen");
    assert_no_grant(&refresh(&here, &member(&next, "refresh_token"), &[]).await);
    advance([&here, &there], BOUND);
    comes_to(&here, &member(&next, "access_token"), revoked()).await;

    let code = Browser::new(&here).code(&request("app", APP_URI, &[])).await;
    let first = redeem(&here, &code, &[]).await;
    assert_no_grant(&redeem(&there, &code, &[]).await);
    assert_eq!(standing(&there, &member(&first, "access_token")).await, revoked());
    assert_no_grant(&refresh(&here, &member(&first, "refresh_token"), &[]).await);
}

#[tokio::test]
async fn a_key_that_is_rotated_here_is_known_there_before_it_signs() {
    let [here, there] = gateways();
    let old = here.token("root", ROOT_SECRET, None).await;
    let keys = async |gateway: &Gateway| Answer::to(gateway.call(Method::GET, "/.well-known/jwks.json")).await.text;
    assert_eq!(keys(&here).await, keys(&there).await, "they began with one key");
    assert_eq!(here.post(&old, "/v1/admin/keys", &json!({})).await.status, 200);
    let rotated = keys(&here).await;
    advance([&here, &there], BOUND);
    patiently(async {
        while keys(&there).await != rotated {
            tokio::task::yield_now().await;
        }
    })
    .await;
    advance([&here, &there], 310);
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let new = [here.token("root", ROOT_SECRET, None).await, there.token("root", ROOT_SECRET, None).await];
    assert_eq!(kid(&new[0]), kid(&new[1]));
    assert_ne!(kid(&new[0]), kid(&old));
    for token in [&old, &new[0], &new[1]] {
        assert_eq!([standing(&here, token).await.0, standing(&there, token).await.0], [200, 200]);
    }
}
