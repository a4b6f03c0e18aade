//! The refresh grant, D5: each token is good once, for no more than was granted, and not for ever.

use reqwest::Method;
use serde_json::json;

use super::flow::{
    APP_URI, Browser, SITE_SECRET, SITE_URI, assert_no_grant, configuration, gateway, member, redeem, refresh, request,
    standing, token,
};
use super::form_call;
use crate::gateway::{Answer, Gateway};

const DAY: u64 = 24 * 3600;

/// What the app gets for what a person grants.
async fn granted(gateway: &Gateway) -> Answer {
    let code = Browser::new(gateway).code(&request("app", APP_URI, &[])).await;
    redeem(gateway, &code, &[]).await
}

#[tokio::test]
async fn each_use_gives_another_and_an_old_one_ends_the_family() {
    let gateway = gateway();
    let zeroth = granted(&gateway).await;
    let first = refresh(&gateway, &member(&zeroth, "refresh_token"), &[]).await;
    let (access, next) = (member(&first, "access_token"), member(&first, "refresh_token"));
    let whole = json!({
        "access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": next,
        "scope": "requests:read requests:write",
    });
    assert_eq!((first.json(), first.header("cache-control")), (whole, "no-store"));
    let second = refresh(&gateway, &next, &[]).await;
    assert_eq!(standing(&gateway, &member(&second, "access_token")).await.0, 200);
    assert_no_grant(&refresh(&gateway, &member(&zeroth, "refresh_token"), &[]).await);
    assert_no_grant(&refresh(&gateway, &member(&second, "refresh_token"), &[]).await);
    for of_family in [&zeroth, &first, &second] {
        assert_eq!(standing(&gateway, &member(of_family, "access_token")).await, (401, json!("token_revoked")));
    }
}

#[tokio::test]
async fn a_family_ends_thirty_days_after_the_grant_however_often_it_is_refreshed() {
    let gateway = gateway();
    let mut answer = granted(&gateway).await;
    for _ in 0..29 {
        gateway.advance(DAY);
        answer = refresh(&gateway, &member(&answer, "refresh_token"), &[]).await;
    }
    gateway.advance(DAY - 1);
    answer = refresh(&gateway, &member(&answer, "refresh_token"), &[]).await;
    let last = member(&answer, "refresh_token");
    gateway.advance(1);
    assert_no_grant(&refresh(&gateway, &last, &[]).await);
}

#[tokio::test]
async fn the_scope_is_narrowed_for_one_token_and_never_grows() {
    let gateway = gateway();
    let code =
        Browser::new(&gateway).code(&request("app", APP_URI, &[("scope", "requests:read requests:write")])).await;
    let answer = redeem(&gateway, &code, &[]).await;
    let narrowed = refresh(&gateway, &member(&answer, "refresh_token"), &[("scope", "requests:read")]).await;
    assert_eq!(member(&narrowed, "scope"), "requests:read");
    let beyond = refresh(&gateway, &member(&narrowed, "refresh_token"), &[("scope", "requests:read admin")]).await;
    assert_eq!((beyond.status, &beyond.json()["error"]), (400, &json!("invalid_scope")));
    // That has not used it up, and the grant is as wide as it was.
    let whole = refresh(&gateway, &member(&narrowed, "refresh_token"), &[]).await;
    assert_eq!(member(&whole, "scope"), "requests:read requests:write");
}

/// D5: the client and the person could have more, and it was not granted.
#[tokio::test]
async fn what_was_not_granted_is_not_to_be_had_later() {
    let gateway = gateway();
    let code = Browser::new(&gateway).code(&request("app", APP_URI, &[("scope", "requests:read")])).await;
    let answer = redeem(&gateway, &code, &[]).await;
    let own = member(&answer, "refresh_token");
    for beyond in ["requests:write", "requests:read requests:write", "unheard:of"] {
        let refused = refresh(&gateway, &own, &[("scope", beyond)]).await;
        assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_scope")), "{beyond}");
    }
    let next = refresh(&gateway, &own, &[]).await;
    assert_eq!(member(&next, "scope"), "requests:read");
    let refused = gateway
        .post(&member(&next, "access_token"), "/v1/requests", &json!({ "type": "default", "payload": {} }))
        .await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("insufficient_scope")));
}

#[tokio::test]
async fn another_clients_token_is_nothing_and_is_left_alone() {
    let gateway = gateway();
    let own = member(&granted(&gateway).await, "refresh_token");
    let as_site = [
        ("grant_type", "refresh_token"),
        ("client_id", "site"),
        ("client_secret", SITE_SECRET),
        ("refresh_token", own.as_str()),
    ];
    assert_no_grant(&token(&gateway, &as_site).await);
    for bad in ["no dot", ".", "a.b", "\0.\0"] {
        assert_no_grant(&refresh(&gateway, bad, &[]).await);
    }
    member(&refresh(&gateway, &own, &[]).await, "access_token");
}

#[tokio::test]
async fn a_client_with_a_secret_must_prove_itself_each_time() {
    let gateway = gateway();
    let code = Browser::new(&gateway).code(&request("site", SITE_URI, &[])).await;
    let proven = [("client_id", "site"), ("client_secret", SITE_SECRET)];
    let answer = redeem(&gateway, &code, &[proven[0], proven[1], ("redirect_uri", SITE_URI)]).await;
    let own = member(&answer, "refresh_token");
    let unproven = token(&gateway, &[("grant_type", "refresh_token"), proven[0], ("refresh_token", &own)]).await;
    assert_eq!(unproven.status, 401);
    let again =
        token(&gateway, &[("grant_type", "refresh_token"), proven[0], proven[1], ("refresh_token", &own)]).await;
    member(&again, "access_token");
}

#[tokio::test]
async fn who_may_not_refresh_gets_no_refresh_token() {
    let toml = configuration().replace("public = true", "public = true\ngrants = [\"authorization_code\"]");
    let gateway = Gateway::configured(&toml);
    let answer = granted(&gateway).await;
    assert_eq!(answer.json().get("refresh_token"), None);
    let refused = refresh(&gateway, "a.b", &[]).await;
    assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("unauthorized_client")));
    let unsuited = Answer::to(gateway.call(Method::GET, "/oauth/token")).await;
    assert_eq!(unsuited.status, 405);
}

/// Rotation outlives the process.
#[tokio::test]
async fn an_old_one_is_known_after_a_restart() {
    let gateway = gateway();
    let zeroth = granted(&gateway).await;
    let first = refresh(&gateway, &member(&zeroth, "refresh_token"), &[]).await;
    let gateway = Gateway::in_folder(gateway.stop(), &configuration());
    let second = refresh(&gateway, &member(&first, "refresh_token"), &[]).await;
    assert_no_grant(&refresh(&gateway, &member(&first, "refresh_token"), &[]).await);
    assert_eq!(standing(&gateway, &member(&second, "access_token")).await, (401, json!("token_revoked")));
}

/// RFC 7009 section 2.1: and everything that came of the grant.
#[tokio::test]
async fn one_that_is_given_back_ends_the_family() {
    let gateway = gateway();
    let (given_back, other) = (granted(&gateway).await, granted(&gateway).await);
    let token = member(&given_back, "refresh_token");
    let as_site = [("client_id", "site"), ("client_secret", SITE_SECRET), ("token", token.as_str())];
    for (form, status) in [(&as_site[..], 200), (&[("client_id", "app"), ("token", token.as_str())][..], 401)] {
        let answer = Answer::to(form_call(&gateway, "/oauth/revoke", form)).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
        assert_eq!(
            standing(&gateway, &member(&given_back, "access_token")).await.0,
            status,
            "another client's is left alone"
        );
    }
    assert_no_grant(&refresh(&gateway, &token, &[]).await);
    member(&refresh(&gateway, &member(&other, "refresh_token"), &[]).await, "access_token");
}
