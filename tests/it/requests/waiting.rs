//! `Prefer: wait=N`: an answer that waits until it is worth reading.

use std::io::Read;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{PATH, at, id_of, order, view};
use crate::gateway::{Answer, Gateway};
use crate::patience::patiently;

/// One place for those who are held; and as few others as can be.
const ONE_PLACE: &str = "[server]\nmax_held = 1\nmax_in_flight = 1\n";

/// Asks for a request, ready to wait for no time at all: that is applied exactly when there is a place.
async fn is_place_free(gateway: &Gateway, token: &str, id: &str) -> Option<bool> {
    let call = gateway.call(Method::GET, &format!("{PATH}/{id}")).bearer_auth(token).header("prefer", "wait=0");
    let answer = Answer::to(call).await;
    let applied = answer.header("preference-applied");
    assert!(["", "wait=0"].contains(&applied), "{applied}");
    // What comes while another is in work is one too many.
    (answer.status == 200).then_some(applied == "wait=0")
}

/// Makes a call until it is held in the one place that there is. The request is one that goes on.
async fn held(gateway: &Gateway, token: &str, id: &str, made: impl Fn() -> RequestBuilder) -> JoinHandle<Answer> {
    let begin = || tokio::spawn(Answer::to(made()));
    let mut call = begin();
    patiently(async {
        while is_place_free(gateway, token, id).await != Some(false) {
            if call.is_finished() {
                call = begin();
            }
        }
    })
    .await;
    assert!(!call.is_finished());
    call
}

async fn answered(held: JoinHandle<Answer>) -> Answer {
    let answer = patiently(held).await.unwrap();
    assert_eq!(answer.header("vary"), "Prefer");
    answer
}

fn get(gateway: &Gateway, token: &str, id: &str, wait: &str) -> RequestBuilder {
    gateway.call(Method::GET, &format!("{PATH}/{id}")).bearer_auth(token).header("prefer", wait)
}

fn done(id: &str) -> Value {
    json!({
        "status": "succeeded", "stage": "done", "started_at": at(5000), "updated_at": at(15_000), "finished_at": at(15_000),
        "result": { "message": format!("processed {id}") },
    })
}

#[tokio::test]
async fn a_status_waits_for_the_end_and_is_no_work_meanwhile() {
    let gateway = Gateway::configured(ONE_PLACE);
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let waiting = held(&gateway, &token, &id, || get(&gateway, &token, &id, "respond-async, wait=\"30\"")).await;
    // Changes that are not the end do not wake it.
    gateway.advance(5);
    assert_eq!(is_place_free(&gateway, &token, &id).await, Some(false));
    gateway.advance(10);
    let answer = answered(waiting).await;
    assert_eq!((answer.status, answer.json()), (200, view(&gateway, &id, done(&id))));
    assert_eq!((answer.header("preference-applied"), answer.header("retry-after")), ("wait=30", ""));
    assert_ne!(answer.header("etag"), "");
}

#[tokio::test]
async fn with_an_etag_it_waits_for_a_change() {
    let gateway = Gateway::configured(ONE_PLACE);
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let known = gateway.get(&token, &format!("{PATH}/{id}")).await.header("etag").to_owned();
    let call = || get(&gateway, &token, &id, "wait=4").header("if-none-match", &known);
    let waiting = held(&gateway, &token, &id, call).await;
    gateway.advance(4);
    let answer = answered(waiting).await;
    assert_eq!((answer.status, answer.text.as_str(), answer.header("etag")), (304, "", known.as_str()));
    assert_eq!((answer.header("preference-applied"), answer.header("retry-after")), ("wait=4", "1"));

    let waiting = held(&gateway, &token, &id, call).await;
    gateway.advance(1);
    let answer = answered(waiting).await;
    let running = json!({ "status": "running", "stage": "processing", "started_at": at(5000), "updated_at": at(5000) });
    assert_eq!((answer.status, answer.json()), (200, view(&gateway, &id, running)));

    // What is not known any more is answered at once, and an end is not waited beyond.
    let answer = Answer::to(call()).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (200, "wait=4"));
    gateway.advance(10);
    let known = Answer::to(call()).await.header("etag").to_owned();
    let answer = Answer::to(get(&gateway, &token, &id, "wait").header("if-none-match", &known)).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (304, "wait=50"));
}

#[tokio::test]
async fn patience_ends_with_the_state_of_then() {
    let gateway = Gateway::configured(ONE_PLACE);
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let waiting = held(&gateway, &token, &id, || get(&gateway, &token, &id, "wait=3")).await;
    gateway.advance(3);
    let answer = answered(waiting).await;
    assert_eq!((answer.status, answer.json()), (200, view(&gateway, &id, json!({}))));
    assert_eq!((answer.header("preference-applied"), answer.header("retry-after")), ("wait=3", "2"));
}

#[tokio::test]
async fn a_cancellation_wakes_who_waits() {
    let gateway = Gateway::configured(ONE_PLACE);
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let waiting = held(&gateway, &token, &id, || get(&gateway, &token, &id, "wait=30")).await;
    let cancel = gateway.call(Method::POST, &format!("{PATH}/{id}/cancel")).bearer_auth(&token);
    let cancelled = Answer::to(cancel).await;
    let answer = answered(waiting).await;
    assert_eq!((answer.json(), &answer.json()["status"]), (cancelled.json(), &json!("cancelled")));
    assert_eq!(answer.header("etag"), cancelled.header("etag"));
}

#[tokio::test]
async fn a_submission_waits_for_its_outcome() {
    let gateway = Gateway::configured(ONE_PLACE);
    let token = gateway.demo_token().await;
    let other = gateway.submit(&token).await;
    let submit = || gateway.call(Method::POST, PATH).bearer_auth(&token).json(&order()).header("prefer", "wait=20");
    let waiting = held(&gateway, &token, &other, submit).await;
    gateway.advance(15);
    let answer = answered(waiting).await;
    let id = id_of(&answer);
    assert_eq!((answer.status, answer.json()), (200, view(&gateway, &id, done(&id))));
    let place = gateway.url(&format!("{PATH}/{id}"));
    assert_eq!((answer.header("content-location"), answer.header("location")), (place.as_str(), ""));
    assert_eq!((answer.header("preference-applied"), answer.header("retry-after")), ("wait=20", ""));
}

#[tokio::test]
async fn a_submission_that_is_not_done_in_time_is_taken_in() {
    let gateway = Gateway::configured(ONE_PLACE);
    let token = gateway.demo_token().await;
    let other = gateway.submit(&token).await;
    let submit = || gateway.call(Method::POST, PATH).bearer_auth(&token).json(&order()).header("prefer", "wait=2");
    let waiting = held(&gateway, &token, &other, submit).await;
    gateway.advance(2);
    let answer = answered(waiting).await;
    let id = id_of(&answer);
    assert_eq!((answer.status, answer.json()), (202, view(&gateway, &id, json!({}))));
    let place = gateway.url(&format!("{PATH}/{id}"));
    assert_eq!((answer.header("content-location"), answer.header("location")), ("", place.as_str()));
    assert_eq!((answer.header("preference-applied"), answer.header("retry-after")), ("wait=2", "3"));
}

#[tokio::test]
async fn a_gateway_that_stops_answers_those_who_wait() {
    let mut gateway = Gateway::configured(ONE_PLACE);
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let waiting = held(&gateway, &token, &id, || get(&gateway, &token, &id, "wait=30")).await;
    gateway.begin_to_stop();
    let answer = answered(waiting).await;
    assert_eq!((answer.status, answer.json()), (200, view(&gateway, &id, json!({}))));
}

#[tokio::test]
async fn who_hangs_up_makes_place() {
    let gateway = Gateway::configured(ONE_PLACE);
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let head = format!(
        "GET {PATH}/{id} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nPrefer: wait=30\r\n\r\n"
    );
    let mut connection = gateway.connect(&head);
    patiently(async {
        while is_place_free(&gateway, &token, &id).await != Some(false) {
            // It was one too many itself.
            connection.set_nonblocking(true).unwrap();
            if connection.read(&mut [0; 1]).is_ok() {
                connection = gateway.connect(&head);
            }
        }
        drop(connection);
        while is_place_free(&gateway, &token, &id).await != Some(true) {}
    })
    .await;
}

#[tokio::test]
async fn where_there_is_no_place_nobody_waits() {
    let gateway = Gateway::configured("[server]\nmax_held = 0\n");
    let token = gateway.demo_token().await;
    let submit = gateway.call(Method::POST, PATH).bearer_auth(&token).json(&order()).header("prefer", "wait=20");
    let submitted = Answer::to(submit).await;
    let id = id_of(&submitted);
    let status = Answer::to(get(&gateway, &token, &id, "wait=20")).await;
    assert_eq!((submitted.status, status.status), (202, 200));
    for answer in [submitted, status] {
        assert_eq!((answer.header("preference-applied"), answer.header("vary")), ("", "Prefer"));
        assert_eq!(answer.json(), view(&gateway, &id, json!({})));
    }
}
