//! `POST /v1/requests/{request_id}/cancel`: once, and only before the end.

use reqwest::Method;
use serde_json::json;

use super::{PATH, about, at, view};
use crate::gateway::{Answer, Gateway, problem};

async fn cancel(gateway: &Gateway, token: &str, id: &str) -> Answer {
    Answer::to(gateway.call(Method::POST, &format!("{PATH}/{id}/cancel")).bearer_auth(token)).await
}

fn too_late(request: &serde_json::Value) -> serde_json::Value {
    let detail = "The request had reached its end before it could be cancelled or moved on. The member `request` shows how it ended.";
    about(problem(409, "request_finished", "Request finished", detail), request)
}

#[tokio::test]
async fn a_waiting_request_is_cancelled_once() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let before = gateway.get(&token, &format!("{PATH}/{id}")).await;
    gateway.advance(2);
    let cancelled = view(
        &gateway,
        &id,
        json!({
            "status": "cancelled", "updated_at": at(2000), "finished_at": at(2000), "cancel_requested_at": at(2000)
        }),
    );
    let answer = cancel(&gateway, &token, &id).await;
    assert_eq!((answer.status, answer.json()), (200, cancelled.clone()));
    assert_eq!((answer.header("retry-after"), answer.header("cache-control")), ("", "private, no-cache"));
    assert_ne!(answer.header("etag"), before.header("etag"));
    gateway.advance(100);
    let get = gateway.get(&token, &format!("{PATH}/{id}")).await;
    assert_eq!((get.json(), get.header("etag")), (cancelled.clone(), answer.header("etag")));
    let again = cancel(&gateway, &token, &id).await;
    assert_eq!((again.status, again.problem()), (409, too_late(&cancelled)));
}

#[tokio::test]
async fn a_running_request_keeps_when_it_ran() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    gateway.advance(14);
    let answer = cancel(&gateway, &token, &id).await;
    let cancelled = json!({
        "status": "cancelled", "stage": "processing", "started_at": at(5000), "updated_at": at(14_000),
        "finished_at": at(14_000), "cancel_requested_at": at(14_000)
    });
    assert_eq!((answer.status, answer.json()), (200, view(&gateway, &id, cancelled)));
}

#[tokio::test]
async fn an_end_is_not_undone() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    gateway.advance(15);
    let ended = gateway.get(&token, &format!("{PATH}/{id}")).await.json();
    assert_eq!(ended["status"], "succeeded");
    let answer = cancel(&gateway, &token, &id).await;
    assert_eq!((answer.status, answer.problem()), (409, too_late(&ended)));
    assert_eq!(gateway.get(&token, &format!("{PATH}/{id}")).await.json(), ended);
}

#[tokio::test]
async fn of_cancellations_at_once_one_is_the_first() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let answers = futures_util::future::join_all((0..8).map(|_| cancel(&gateway, &token, &id))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn only_the_state_that_is_meant_is_cancelled() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let path = format!("{PATH}/{id}");
    let queued = gateway.get(&token, &path).await.header("etag").to_owned();
    gateway.advance(5);
    let running = gateway.get(&token, &path).await;
    let cancel_if = async |known: &str| {
        let call = gateway.call(Method::POST, &format!("{path}/cancel")).bearer_auth(&token);
        Answer::to(call.header("if-match", known)).await
    };
    let detail = "The request is in another state than the one that `If-Match` names. The member `request` shows the present one; decide again.";
    let changed = about(problem(412, "state_changed", "State changed", detail), &running.json());
    let weak = format!("W/{}", running.header("etag"));
    for known in [queued.as_str(), "\"x\"", "", "\"9.9\", \"0.7\"", weak.as_str()] {
        let answer = cancel_if(known).await;
        assert_eq!(
            (answer.status, answer.problem(), answer.header("retry-after")),
            (412, changed.clone(), "10"),
            "{known}"
        );
    }
    let answer = cancel_if(&format!("\"x\", {}", running.header("etag"))).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("cancelled")));
    assert_eq!(cancel_if("*").await.problem(), too_late(&answer.json()));
    assert_eq!(cancel_if(&queued).await.status, 412);
    assert_eq!(cancel_if(answer.header("etag")).await.problem(), too_late(&answer.json()));
}
