//! `…/payload` and `…/result`: what went in, and what came out.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, about, id_of};
use crate::gateway::{Answer, Gateway, problem};

#[tokio::test]
async fn a_payload_is_given_back_to_the_letter() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let payload = "{ \"b\": 12345678901234567890123.10,\n \"a\":\"\\u0061\" }";
    let call = gateway.call(Method::POST, PATH).bearer_auth(&token).header("content-type", "application/json");
    let id = id_of(&Answer::to(call.body(format!("{{\"payload\": {payload} }}"))).await);
    let path = format!("{PATH}/{id}/payload");
    for seconds in [0, 15] {
        gateway.advance(seconds);
        let answer = gateway.get(&token, &path).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, payload));
        assert_eq!(
            (answer.header("content-type"), answer.header("cache-control")),
            ("application/json", "private, no-cache")
        );
    }
    let head = Answer::to(gateway.call(Method::HEAD, &path).bearer_auth(&token)).await;
    assert_eq!(
        (head.status, head.text.as_str(), head.header("content-length")),
        (200, "", payload.len().to_string().as_str())
    );
}

#[tokio::test]
async fn a_result_is_there_once_the_request_has_succeeded() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let path = format!("{PATH}/{id}/result");
    let early = gateway.get(&token, &path).await;
    let request = gateway.get(&token, &format!("{PATH}/{id}")).await.json();
    let detail = "The request has not reached its end. The member `request` shows how it gets on; wait for its end, or cancel it.";
    let expected = about(problem(409, "not_finished", "Not finished", detail), &request);
    assert_eq!((early.status, early.problem(), early.header("retry-after")), (409, expected, "5"));
    gateway.advance(15);
    let answer = gateway.get(&token, &path).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "message": format!("processed {id}") })));
    assert_eq!(
        (answer.header("content-type"), answer.header("cache-control")),
        ("application/json", "private, no-cache")
    );
    assert_eq!((answer.header("content-disposition"), answer.header("x-content-type-options")), ("", "nosniff"));
    let etag = answer.header("etag");
    let again = Answer::to(gateway.call(Method::GET, &path).bearer_auth(&token).header("if-none-match", etag)).await;
    assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", etag));
}

#[tokio::test]
async fn what_ended_otherwise_has_none() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let failing = id_of(&gateway.post(&token, PATH, &json!({ "type": "demo-fail", "payload": 1 })).await);
    let cancelled = gateway.submit(&token).await;
    Answer::to(gateway.call(Method::POST, &format!("{PATH}/{cancelled}/cancel")).bearer_auth(&token)).await;
    gateway.advance(5);
    for id in [failing, cancelled] {
        let answer = gateway.get(&token, &format!("{PATH}/{id}/result")).await;
        let request: Value = gateway.get(&token, &format!("{PATH}/{id}")).await.json();
        let detail = "The request has reached its end without a result: it failed, was cancelled or expired. The member `request` shows how it ended.";
        let expected = about(problem(409, "request_failed", "Request failed", detail), &request);
        assert_eq!((answer.status, answer.problem(), answer.header("retry-after")), (409, expected, ""));
    }
}

#[tokio::test]
async fn a_type_that_gives_nothing_gives_null() {
    let stages = "[{ after = \"0s\", stage = \"done\", status = \"succeeded\" }]";
    let gateway = Gateway::configured(&format!("[types.default]\nstages = {stages}\n"));
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let answer = gateway.get(&token, &format!("{PATH}/{id}/result")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "null"));
}
