//! Whom grants are of: a person who proves who they are at the login page, and who can take it back.

use reqwest::Method;
use serde_json::json;

use super::flow::{APP_URI, Browser, assert_no_grant, configuration, member, redeem, refresh, request, standing};
use super::form_call;
use crate::gateway::{Answer, Gateway, client};

const ROOT_SECRET: &str = "an-example-of-a-secret-of-root";
/// What a [`Browser`] logs in with.
const PASSWORD: &str = "any will do";

/// A gateway where `ada` has an account, and a token of its operator's.
async fn gateway() -> (Gateway, String) {
    let toml = configuration().replace("login = \"any\"", "registration = \"open\"");
    let gateway = Gateway::configured(&format!("{toml}{}", client("root", ROOT_SECRET, &["admin"])));
    let body = json!({ "name": "ada", "password": PASSWORD });
    assert_eq!(Answer::to(gateway.call(Method::POST, "/register").json(&body)).await.status, 201);
    let root = gateway.token("root", ROOT_SECRET, None).await;
    (gateway, root)
}

/// D11, at the login page as at `POST /login`.
#[tokio::test]
async fn who_guesses_at_the_login_page_waits() {
    let (gateway, _) = gateway().await;
    let (browser, asked) = (Browser::new(&gateway), request("app", APP_URI, &[]));
    let login = browser.get(&asked).await;
    let attempt =
        async |password| browser.submit("/oauth/login", &login, &[("name", "ada"), ("password", password)]).await;
    for _ in 0..5 {
        let wrong = attempt("a wrong one").await;
        assert_eq!(wrong.status, 403);
        assert!(wrong.text.contains("There is no such account, or the password is wrong."), "{}", wrong.text);
    }
    let slowed = attempt(PASSWORD).await;
    assert_eq!((slowed.status, slowed.header("retry-after")), (429, "30"));
    assert!(slowed.text.contains("There were too many attempts. Please wait before you try again."), "{}", slowed.text);
    gateway.advance(30);
    assert_eq!(attempt(PASSWORD).await.status, 303);
}

/// What a grant is good for, while its person has the account and the password that they had.
async fn assert_ends_with(act: impl AsyncFn(&Gateway, &str) -> u16) {
    let (gateway, root) = gateway().await;
    let (browser, asked) = (Browser::new(&gateway), request("app", APP_URI, &[]));
    let first = redeem(&gateway, &browser.code(&asked).await, &[]).await;
    let next = refresh(&gateway, &member(&first, "refresh_token"), &[]).await;
    let pending = browser.submit(&asked, &browser.get(&asked).await, &[("decision", "allow")]).await;
    let code = super::flow::parameter(&pending, "code");
    gateway.advance(1);
    assert_eq!(act(&gateway, &root).await, 204);
    for answer in [&first, &next] {
        assert_eq!(standing(&gateway, &member(answer, "access_token")).await, (401, json!("token_revoked")));
    }
    assert_no_grant(&refresh(&gateway, &member(&next, "refresh_token"), &[]).await);
    assert_no_grant(&redeem(&gateway, &code, &[]).await);
    let page = browser.get(&asked).await;
    assert!(page.text.contains("<h1>Log in</h1>"), "{}", page.text);
    // For as long as access tokens live a revocation says so; from then on nothing but the account does.
    gateway.advance(2 * 3600);
    assert_no_grant(&refresh(&gateway, &member(&next, "refresh_token"), &[]).await);
}

#[tokio::test]
async fn another_password_ends_what_was_granted() {
    assert_ends_with(async |gateway, root| {
        let body = json!({ "password": "a longer horse" });
        gateway.post(root, "/v1/admin/accounts/ada/password", &body).await.status
    })
    .await;
}

#[tokio::test]
async fn without_the_account_nothing_is_left_of_what_it_granted() {
    assert_ends_with(async |gateway, root| {
        Answer::to(gateway.call(Method::DELETE, "/v1/admin/accounts/ada").bearer_auth(root)).await.status
    })
    .await;
}

/// D10: a client has the tokens of people as it has its own, and can give them back.
#[tokio::test]
async fn an_access_token_of_a_person_can_be_given_back() {
    let (gateway, _) = gateway().await;
    let code = Browser::new(&gateway).code(&request("app", APP_URI, &[])).await;
    let token = member(&redeem(&gateway, &code, &[]).await, "access_token");
    let given_back = form_call(&gateway, "/oauth/revoke", &[("token", &token), ("client_id", "app")]);
    assert_eq!(Answer::to(given_back).await.status, 200);
    assert_eq!(standing(&gateway, &token).await, (401, json!("token_revoked")));
}
