//! `/auth` and `/auth/`: the partner prototype's door to the token service, where a client has a secret.

use reqwest::Method;
use serde_json::json;

use crate::gateway::{Answer, Gateway, client};

const SECRET: &str = "an-example-of-a-secret-of-a-client";
const DOORS: [&str; 3] = ["/auth", "/auth/", "//auth"];

fn acme() -> Gateway {
    Gateway::configured(&client("acme", SECRET, &["requests:read", "requests:write"]))
}

/// Checks a good answer whole.
fn assert_token(answer: &Answer, scope: &str) {
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text);
    let token = &answer.json()["access_token"];
    assert_eq!(token.as_str().unwrap().split('.').count(), 3);
    let whole = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": scope });
    assert_eq!(answer.json(), whole);
}

#[tokio::test]
async fn basic_alone_is_enough() {
    let gateway = acme();
    for path in DOORS {
        for method in [Method::GET, Method::POST] {
            let answer = Answer::to(gateway.call(method, path).basic_auth("acme", Some(SECRET))).await;
            assert_token(&answer, "requests:read requests:write");
        }
        let head = Answer::to(gateway.call(Method::HEAD, path).basic_auth("acme", Some(SECRET))).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""));
    }
}

#[tokio::test]
async fn a_body_may_leave_the_grant_out() {
    let gateway = acme();
    let json = json!({ "client_id": "acme", "client_secret": SECRET, "scope": "requests:read" });
    assert_token(&Answer::to(gateway.call(Method::POST, "/auth").json(&json)).await, "requests:read");
    let other = json!({ "client_id": "acme", "client_secret": SECRET, "grant_type": "password" });
    let answer = Answer::to(gateway.call(Method::POST, "/auth").json(&other)).await;
    assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("unsupported_grant_type")));
}

#[tokio::test]
async fn without_the_secret_there_is_no_token() {
    let gateway = acme();
    let refused = |description: &str| json!({ "error": "invalid_client", "error_description": description });
    let none = refused("no client id and secret were sent: send them by HTTP Basic or in the body");
    let wrong = refused("the client is not known or its secret is wrong");
    let in_query = format!("/auth/?client_id=acme&client_secret={SECRET}");
    for path in DOORS.into_iter().chain([in_query.as_str()]) {
        for method in [Method::GET, Method::POST] {
            let call = || gateway.call(method.clone(), path);
            for (call, refused) in [(call(), &none), (call().basic_auth("acme", Some("wrong")), &wrong)] {
                let answer = Answer::to(call).await;
                assert_eq!((answer.status, &answer.json()), (401, refused), "{method} {path}");
                assert_eq!(answer.header("www-authenticate"), "Basic realm=\"anteroom\", charset=\"UTF-8\"");
                assert_eq!(answer.header("cache-control"), "no-store");
            }
        }
    }
    // A page's own call: a challenge would make the browser ask its user with a window of its own.
    let from_page = gateway.call(Method::POST, "/oauth/token").header("x-requested-with", "XMLHttpRequest");
    let answer =
        Answer::to(from_page.basic_auth("acme", Some("wrong")).json(&json!({ "grant_type": "client_credentials" })))
            .await;
    assert_eq!((answer.status, answer.json(), answer.header("www-authenticate")), (401, wrong, ""));
    let bearer = Answer::to(gateway.call(Method::GET, "/auth").bearer_auth("x")).await;
    let description = "the header Authorization is not HTTP Basic with an id and a secret";
    let no_basic = json!({ "error": "invalid_client", "error_description": description });
    assert_eq!((bearer.status, bearer.json()), (401, no_basic));
}

#[tokio::test]
async fn get_reads_no_body() {
    let gateway = acme();
    let body = json!({ "client_id": "acme", "client_secret": SECRET });
    let answer = Answer::to(gateway.call(Method::GET, "/auth/").json(&body)).await;
    assert_eq!((answer.status, &answer.json()["error"]), (401, &json!("invalid_client")));
}
