//! `DELETE /v1/requests/{request_id}`: what is erased is gone, and its owner is told so.

use reqwest::Method;
use serde_json::json;

use super::{PATH, SECRET, about, four_clients, id_of, submit_keyed};
use crate::gateway::{Answer, Gateway, problem};

async fn erase(gateway: &Gateway, token: &str, id: &str) -> Answer {
    Answer::to(gateway.call(Method::DELETE, &format!("{PATH}/{id}")).bearer_auth(token)).await
}

#[tokio::test]
async fn what_has_not_ended_is_not_erased() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let request = gateway.get(&token, &format!("{PATH}/{id}")).await;
    let answer = erase(&gateway, &token, &id).await;
    let detail = "The request has not reached its end. The member `request` shows how it gets on; wait for its end, or cancel it.";
    let expected = about(problem(409, "not_finished", "Not finished", detail), &request.json());
    assert_eq!((answer.status, answer.problem(), answer.header("retry-after")), (409, expected, "5"));
    assert_eq!(gateway.get(&token, &format!("{PATH}/{id}")).await.json(), request.json());
}

#[tokio::test]
async fn its_owner_is_told_that_it_is_gone_and_others_that_there_is_nothing() {
    let gateway = four_clients();
    let (anna, bob) = (gateway.token("anna", SECRET, None).await, gateway.token("bob", SECRET, None).await);
    let body = r#"{"payload":1,"tags":{"a":"b"}}"#;
    let id = id_of(&submit_keyed(&gateway, &anna, "key", body).await);
    gateway.advance(15);
    assert_eq!(erase(&gateway, &bob, &id).await.status, 404);
    let erased = erase(&gateway, &anna, &id).await;
    assert_eq!((erased.status, erased.text.as_str()), (204, ""));
    let gone = problem(410, "gone", "Gone", "You have erased this request.");
    for (method, below) in [
        (Method::GET, ""),
        (Method::DELETE, ""),
        (Method::GET, "/payload"),
        (Method::GET, "/result"),
        (Method::GET, "/events"),
        (Method::POST, "/cancel"),
        (Method::POST, "/advance"),
    ] {
        let call = |token| Answer::to(gateway.call(method.clone(), &format!("{PATH}/{id}{below}")).bearer_auth(token));
        let (own, foreign) = (call(&anna).await, call(&bob).await);
        assert_eq!((own.status, own.problem()), (410, gone.clone()), "{method} {below}");
        assert_eq!((foreign.status, &foreign.problem()["code"]), (404, &json!("not_found")), "{method} {below}");
    }
    for query in ["", "?tag.a=b", "?idempotency_key=key", &format!("?id={id}"), "?status=succeeded"] {
        let list = gateway.get(&anna, &format!("{PATH}{query}")).await;
        assert_eq!(list.json(), json!({ "items": [], "next_cursor": null }), "{query}");
    }
    // The key is free again, for another body too.
    let again = submit_keyed(&gateway, &anna, "key", r#"{"payload":2}"#).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, ""));
    assert_ne!(id_of(&again), id);
}
