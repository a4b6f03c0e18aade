//! What the authorization server has answered holds after `kill -9`: codes that were used, tokens that were given back, signing keys.

use std::path::Path;

use reqwest::Method;
use serde_json::json;

use super::flow::{
    APP_URI, Browser, Callable, SITE_SECRET, assert_no_grant, configuration, member, redeem, refresh, request,
    standing, token,
};
use crate::gateway::Answer;
use crate::postgres_server::Server;
use crate::process::Gateway;

const REVOKED: &str = "token_revoked";

/// A code that was brought twice, a refresh token that was, a token that was given back, and one that is good.
struct Given {
    code: String,
    of_code: Answer,
    old_refresh_token: String,
    refreshed: Answer,
    taken_back: String,
    kept: String,
    keys: String,
}

async fn keys(gateway: &Gateway) -> String {
    Answer::to(gateway.call(Method::GET, "/.well-known/jwks.json")).await.text
}

/// A token by the credentials of the client `site`.
async fn by_credentials(gateway: &Gateway) -> String {
    let form = [("grant_type", "client_credentials"), ("client_id", "site"), ("client_secret", SITE_SECRET)];
    member(&token(gateway, &form).await, "access_token")
}

/// What is given before the first kill.
async fn give(gateway: &Gateway) -> Given {
    let code = Browser::new(gateway).code(&request("app", APP_URI, &[])).await;
    let of_code = redeem(gateway, &code, &[]).await;
    let other = Browser::new(gateway).code(&request("app", APP_URI, &[])).await;
    let old_refresh_token = member(&redeem(gateway, &other, &[]).await, "refresh_token");
    let refreshed = refresh(gateway, &old_refresh_token, &[]).await;
    let (taken_back, kept) = (by_credentials(gateway).await, by_credentials(gateway).await);
    let form = super::flow::encoded(&[("client_id", "site"), ("client_secret", SITE_SECRET), ("token", &taken_back)]);
    let call = gateway.call(Method::POST, "/oauth/revoke").header("content-type", super::FORM).body(form);
    assert_eq!(Answer::to(call).await.status, 200);
    Given { code, of_code, old_refresh_token, refreshed, taken_back, kept, keys: keys(gateway).await }
}

/// Every token of what came twice is refused, and none is to be had for it.
async fn assert_ended(gateway: &Gateway, given: &Given) {
    for answer in [&given.of_code, &given.refreshed] {
        assert_eq!(standing(gateway, &member(answer, "access_token")).await, (401, json!(REVOKED)));
        assert_no_grant(&refresh(gateway, &member(answer, "refresh_token"), &[]).await);
    }
}

/// What nobody has brought twice stands as it did.
async fn assert_as_before(gateway: &Gateway, given: &Given) {
    assert_eq!(keys(gateway).await, given.keys);
    assert_eq!(standing(gateway, &given.kept).await.0, 200, "it was signed by a key that is there still");
    assert_eq!(standing(gateway, &given.taken_back).await, (401, json!(REVOKED)));
}

async fn is_held_over_kills(folder: &Path, store: &str) {
    let toml = format!("issuer.algorithm = \"ES256\"\n{store}{}", configuration());
    let start = || Gateway::configured(folder, &toml, &[]);
    let gateway = start();
    let given = give(&gateway).await;
    gateway.kill();

    let gateway = start();
    assert_as_before(&gateway, &given).await;
    for answer in [&given.of_code, &given.refreshed] {
        assert_eq!(standing(&gateway, &member(answer, "access_token")).await.0, 200, "nothing came twice yet");
    }
    assert_no_grant(&redeem(&gateway, &given.code, &[]).await);
    assert_no_grant(&refresh(&gateway, &given.old_refresh_token, &[]).await);
    gateway.kill();

    let gateway = start();
    assert_ended(&gateway, &given).await;
    assert_as_before(&gateway, &given).await;
    assert_no_grant(&redeem(&gateway, &given.code, &[]).await);
    assert_eq!(standing(&gateway, &by_credentials(&gateway).await).await.0, 200);
}

/// Check 3 of issue 5, in SQLite.
#[tokio::test]
async fn a_code_that_comes_twice_is_seen_over_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    is_held_over_kills(folder.path(), "").await;
}

#[tokio::test]
async fn and_in_postgresql() {
    let folder = tempfile::tempdir().unwrap();
    let url = Server::shared().database();
    is_held_over_kills(folder.path(), &format!("store.url = \"{url}\"\n")).await;
}
