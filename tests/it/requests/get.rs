//! `GET /v1/requests/{request_id}`: a request's life by the clock, and how little it takes to follow it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, SECRET, at, four_clients, id_of, view};
use crate::gateway::{Answer, Gateway, problem};

/// What a client sees at each moment: milliseconds since submission, the changed members, `Retry-After`.
async fn follow(gateway: &Gateway, token: &str, id: &str, life: &[(i64, Value, &str)]) -> Vec<String> {
    let mut etags = Vec::new();
    for (millis, changed, retry_after) in life {
        gateway.clock.set(crate::gateway::NOON.plus_millis(*millis));
        let answer = gateway.get(token, &format!("{PATH}/{id}")).await;
        assert_eq!((answer.status, answer.json()), (200, view(gateway, id, changed.clone())), "{millis}");
        assert_eq!(answer.header("retry-after"), *retry_after, "{millis}");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        etags.push(answer.header("etag").to_owned());
    }
    etags
}

#[tokio::test]
async fn a_request_goes_through_its_stages() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let running = json!({ "status": "running", "stage": "processing", "started_at": at(5000), "updated_at": at(5000) });
    let done = json!({
        "status": "succeeded", "stage": "done", "started_at": at(5000), "updated_at": at(15_000), "finished_at": at(15_000),
        "result": { "message": format!("processed {id}") }
    });
    let life = [
        (0, json!({}), "5"),
        (1, json!({}), "5"),
        (3500, json!({}), "2"),
        (4999, json!({}), "1"),
        (5000, running.clone(), "10"),
        (14_999, running, "1"),
        (15_000, done.clone(), ""),
        (3_000_000, done, ""),
    ];
    let etags = follow(&gateway, &token, &id, &life).await;
    let [first, second, third] = [&etags[0], &etags[4], &etags[6]];
    assert!(first != second && second != third && first != third, "{etags:?}");
    assert!(etags[..4].iter().all(|etag| etag == first) && etags[5] == *second && etags[7] == *third, "{etags:?}");
    assert!(first.starts_with('"') && first.ends_with('"'));
}

#[tokio::test]
async fn one_that_fails_says_why() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = id_of(&gateway.post(&token, PATH, &json!({ "type": "demo-fail", "payload": null })).await);
    let detail = "Requests of the type demo-fail always fail. Submit one of the type default to see one succeed.";
    let error = json!({ "code": "demo_failure", "title": "Failed as asked", "detail": detail, "retryable": false });
    let failed = json!({
        "type": "demo-fail", "status": "failed", "stage": "failed", "updated_at": at(5000), "finished_at": at(5000),
        "error": error
    });
    follow(&gateway, &token, &id, &[(0, json!({ "type": "demo-fail" }), "5"), (5000, failed, "")]).await;
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let path = format!("{PATH}/{}", gateway.submit(&token).await);
    let etag = gateway.get(&token, &path).await.header("etag").to_owned();
    let ask = |known: &str| gateway.call(Method::GET, &path).bearer_auth(&token).header("if-none-match", known);
    gateway.advance(2);
    for known in [&etag, &format!("\"x\", W/{etag}"), "*"] {
        let answer = Answer::to(ask(known)).await;
        assert_eq!((answer.status, answer.text.as_str(), answer.header("etag")), (304, "", etag.as_str()));
        assert_eq!((answer.header("retry-after"), answer.header("cache-control")), ("3", "private, no-cache"));
    }
    assert_eq!(Answer::to(ask("\"x\"")).await.status, 200);
    gateway.advance(3);
    let answer = Answer::to(ask(&etag)).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("running")));
    assert_ne!(answer.header("etag"), etag);
}

#[tokio::test]
async fn head_says_what_get_does_without_the_body() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let path = format!("{PATH}/{}", gateway.submit(&token).await);
    let get = gateway.get(&token, &path).await;
    let head = Answer::to(gateway.call(Method::HEAD, &path).bearer_auth(&token)).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    for name in ["etag", "retry-after", "content-type", "cache-control", "content-length"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[tokio::test]
async fn anothers_request_looks_like_none() {
    let gateway = four_clients();
    let (anna, bob) = (gateway.token("anna", SECRET, None).await, gateway.token("bob", SECRET, None).await);
    let id = gateway.submit(&anna).await;
    let detail = "There is nothing here under this name, or it is somebody else's. Check the path and the id, and whose token this is.";
    let nothing = problem(404, "not_found", "Not found", detail);
    let upper = id.to_ascii_uppercase();
    for id in [&id, "req_01JD9W3W7QX5T4N0V6K8B2C1DE", "req_", "x", "%00", "req_01JD9W3W7QX5T4N0V6K8B2C1DEX", &upper] {
        let get = gateway.get(&bob, &format!("{PATH}/{id}")).await;
        assert_eq!((get.status, get.problem()), (404, nothing.clone()), "{id}");
        let cancel = gateway.call(Method::POST, &format!("{PATH}/{id}/cancel")).bearer_auth(&bob);
        let cancel = Answer::to(cancel).await;
        assert_eq!((cancel.status, cancel.problem()), (404, nothing.clone()), "{id}");
    }
    assert_eq!(gateway.get(&anna, &format!("{PATH}/{id}")).await.json()["status"], "queued");
    assert_eq!(gateway.get(&bob, PATH).await.json(), json!({ "items": [], "next_cursor": null }));
}
