//! `POST /v1/requests/{request_id}/advance`: a test of a client's walks through the stages in no time.

use reqwest::Method;
use serde_json::json;

use super::{PATH, about, at, view};
use crate::gateway::{Answer, Gateway, client, problem};

async fn advance(gateway: &Gateway, token: &str, id: &str) -> Answer {
    Answer::to(gateway.call(Method::POST, &format!("{PATH}/{id}/advance")).bearer_auth(token)).await
}

#[tokio::test]
async fn a_request_is_moved_through_its_stages() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    gateway.advance(1);
    let running = json!({ "status": "running", "stage": "processing", "started_at": at(1000), "updated_at": at(1000) });
    let done = json!({
        "status": "succeeded", "stage": "done", "started_at": at(1000), "updated_at": at(3000), "finished_at": at(3000),
        "result": { "message": format!("processed {id}") },
    });
    let answer = advance(&gateway, &token, &id).await;
    assert_eq!((answer.status, answer.json()), (200, view(&gateway, &id, running)));
    assert_eq!(answer.header("retry-after"), "10");
    gateway.advance(2);
    let before = gateway.get(&token, &format!("{PATH}/{id}")).await;
    assert_eq!((before.header("etag"), before.header("retry-after")), (answer.header("etag"), "8"));
    let answer = advance(&gateway, &token, &id).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("succeeded")));
    let (mut shown, mut expected) = (answer.json(), view(&gateway, &id, done));
    // The stages before keep their distance from the last.
    for view in [&mut shown, &mut expected] {
        view["started_at"] = json!(null);
    }
    assert_eq!(shown, expected);
    let again = advance(&gateway, &token, &id).await;
    let detail = "The request had reached its end before it could be cancelled or moved on. The member `request` shows how it ended.";
    let ended = about(problem(409, "request_finished", "Request finished", detail), &answer.json());
    assert_eq!((again.status, again.problem()), (409, ended));
}

#[tokio::test]
async fn it_is_not_there_in_production() {
    let both = ["requests:read", "requests:write"];
    let gateway = Gateway::configured(&format!(
        "[server]\nmode = \"production\"\n[shutdown]\ndelay = \"0s\"\n{}",
        client("anna", "s", &both)
    ));
    let token = gateway.token("anna", "s", None).await;
    let id = gateway.submit(&token).await;
    assert_eq!(advance(&gateway, &token, &id).await.problem()["code"], "not_found");
    let contract = Answer::to(gateway.call(Method::GET, "/openapi.json")).await.json();
    let paths = contract["paths"].as_object().unwrap();
    assert!(paths.contains_key("/v1/requests/{request_id}/cancel"));
    assert!(!paths.contains_key("/v1/requests/{request_id}/advance"));
}
