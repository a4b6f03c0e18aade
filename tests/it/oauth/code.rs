//! The code grant: a code is good once, for a minute, for whom it was given to.

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::clock::SetClock;
use serde_json::json;

use super::flow::{
    APP_URI, Browser, SITE_SECRET, SITE_URI, VERIFIER, assert_no_grant, configuration, gateway, member, redeem,
    refresh, request, standing,
};
use crate::gateway::{Gateway, NOON};
use crate::stores::open;

/// D4.
#[tokio::test]
async fn a_code_is_bound_to_its_client_address_and_verifier() {
    let gateway = gateway();
    let code = Browser::new(&gateway).code(&request("app", APP_URI, &[])).await;
    let other_verifier = VERIFIER.replace('d', "e");
    for but in [
        vec![("client_id", "site"), ("client_secret", SITE_SECRET)],
        vec![("redirect_uri", "http://127.0.0.1/cb")],
        vec![("redirect_uri", SITE_URI)],
        vec![("code_verifier", other_verifier.as_str())],
        vec![("code", "another")],
        vec![("code", "\0")],
    ] {
        assert_no_grant(&redeem(&gateway, &code, &but).await);
    }
    for but in
        [("redirect_uri", ""), ("code_verifier", ""), ("code_verifier", "short"), ("code", ""), ("scope", "admin")]
    {
        let answer = redeem(&gateway, &code, &[but]).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("invalid_request")), "{but:?}");
    }
    let wrong_secret = redeem(&gateway, &code, &[("client_id", "site"), ("client_secret", "a wrong one")]).await;
    assert_eq!(wrong_secret.status, 401);
    // None of that has used it up.
    member(&redeem(&gateway, &code, &[]).await, "access_token");
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let gateway = gateway();
    let browser = Browser::new(&gateway);
    let code = browser.code(&request("app", APP_URI, &[])).await;
    gateway.advance(60);
    assert_no_grant(&redeem(&gateway, &code, &[]).await);
    let code = browser.code(&request("app", APP_URI, &[("prompt", "login")])).await;
    gateway.advance(59);
    member(&redeem(&gateway, &code, &[]).await, "access_token");
}

/// RFC 9700 section 4.5: and what the first use gave is not believed any more.
#[tokio::test]
async fn a_code_that_comes_twice_ends_all_that_came_of_it() {
    let gateway = gateway();
    let browser = Browser::new(&gateway);
    let other = redeem(&gateway, &browser.code(&request("app", APP_URI, &[])).await, &[]).await;
    let code = browser.code(&request("app", APP_URI, &[("prompt", "login")])).await;
    let first = redeem(&gateway, &code, &[]).await;
    let again = refresh(&gateway, &member(&first, "refresh_token"), &[]).await;
    assert_no_grant(&redeem(&gateway, &code, &[]).await);
    for of_grant in [&first, &again] {
        assert_eq!(standing(&gateway, &member(of_grant, "access_token")).await, (401, json!("token_revoked")));
        assert_no_grant(&refresh(&gateway, &member(of_grant, "refresh_token"), &[]).await);
    }
    assert_eq!(standing(&gateway, &member(&other, "access_token")).await.0, 200, "another grant of the same person's");
}

#[tokio::test]
async fn also_when_the_gateway_was_started_again_in_between() {
    let gateway = gateway();
    let code = Browser::new(&gateway).code(&request("app", APP_URI, &[])).await;
    let first = redeem(&gateway, &code, &[]).await;
    let gateway = Gateway::in_folder(gateway.stop(), &configuration());
    assert_eq!(standing(&gateway, &member(&first, "access_token")).await.0, 200);
    assert_no_grant(&redeem(&gateway, &code, &[]).await);
    let gateway = Gateway::in_folder(gateway.stop(), &configuration());
    assert_eq!(standing(&gateway, &member(&first, "access_token")).await, (401, json!("token_revoked")));
    assert_no_grant(&refresh(&gateway, &member(&first, "refresh_token"), &[]).await);
}

/// What is expired is forgotten, but a used code only when nothing that came of it counts any more.
#[tokio::test]
async fn a_used_code_is_known_for_as_long_as_there_is_something_to_revoke() {
    let gateway = gateway();
    let browser = Browser::new(&gateway);
    let unused = browser.code(&request("app", APP_URI, &[])).await;
    let code = browser.code(&request("app", APP_URI, &[("prompt", "login")])).await;
    let first = redeem(&gateway, &code, &[]).await;
    let folder = gateway.stop();
    let store = open("sqlite:anteroom.db", &folder.path().join("data"), Arc::new(SetClock::at(NOON)));
    let forgotten = store.records().forget(NOON.plus(Duration::from_hours(7)), 1000).await.unwrap();
    assert_eq!(forgotten, 2, "the code that nobody has used, and the grant that it was for");
    store.close().await;
    let gateway = Gateway::in_folder(folder, &configuration());
    assert_no_grant(&redeem(&gateway, &unused, &[]).await);
    assert_no_grant(&redeem(&gateway, &code, &[]).await);
    assert_eq!(standing(&gateway, &member(&first, "access_token")).await, (401, json!("token_revoked")));
    assert_no_grant(&refresh(&gateway, &member(&first, "refresh_token"), &[]).await);
}

#[tokio::test]
async fn of_two_that_come_at_once_one_at_most_has_a_token_that_counts() {
    let gateway = gateway();
    let code = Browser::new(&gateway).code(&request("app", APP_URI, &[])).await;
    let attempts = futures_util::future::join_all((0..8).map(|_| redeem(&gateway, &code, &[]))).await;
    let given: Vec<_> = attempts.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(given.len(), 1);
    assert_eq!(standing(&gateway, &member(given[0], "access_token")).await, (401, json!("token_revoked")));
}

/// What is kept of codes, cookies and refresh tokens does not give them away.
#[tokio::test]
async fn nothing_of_it_lies_in_the_store() {
    let gateway = gateway();
    let browser = Browser::new(&gateway);
    let code = browser.code(&request("app", APP_URI, &[])).await;
    let first = member(&redeem(&gateway, &code, &[]).await, "refresh_token");
    let next = member(&refresh(&gateway, &first, &[]).await, "refresh_token");
    let cookie = browser.cookie.borrow().strip_prefix("anteroom_session=").unwrap().to_owned();
    let folder = gateway.stop();
    let secrets = [&code, &cookie].into_iter().map(String::as_str).chain(first.split('.')).chain(next.split('.'));
    let secrets: Vec<_> = secrets.collect();
    let mut read = 0;
    for entry in std::fs::read_dir(folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        read += bytes.len();
        let kept = secrets.iter().find(|secret| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        assert_eq!(kept, None, "in {}", path.display());
    }
    assert!(read > 4096);
}
