//! `GET /v1/requests/{request_id}/events`: what happens to a request, told once and in order.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{PATH, at, view};
use crate::gateway::{Answer, Gateway, NOON};
use crate::patience::{patiently, until};

/// A type that takes its time, and tokens that last longer.
const SLOW: &str = "[issuer]\nlifetime = \"366 days\"\n[types.default]\nstages = [\n\
    { after = \"0s\", stage = \"received\", status = \"queued\" },\n\
    { after = \"3000 days\", stage = \"done\", status = \"succeeded\" },\n]\n";

fn event(version: &str, kind: &str, millis: i64, status: &str, stage: &str) -> Value {
    json!({ "version": version, "kind": kind, "at": at(millis), "status": status, "stage": stage, "attempt": 0 })
}

/// A life from the beginning to its end.
fn life() -> [Value; 3] {
    [
        event("0.0", "submitted", 0, "queued", "received"),
        event("0.1", "time_passed", 5000, "running", "processing"),
        event("0.2", "time_passed", 15_000, "succeeded", "done"),
    ]
}

/// Events as they are sent.
fn sent(events: &[Value]) -> String {
    let one = |event: &Value| format!("id: {}\nevent: change\ndata: {event}\n\n", event["version"].as_str().unwrap());
    events.iter().map(one).collect()
}

/// The text with its `data` in the order of keys that the test's own JSON has.
fn read(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("data: ") {
        Some(data) => format!("data: {}\n", serde_json::from_str::<Value>(data).unwrap()),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

async fn follow(gateway: &Gateway, token: &str, id: &str, last: Option<&str>) -> Response {
    let call = gateway.call(Method::GET, &format!("{PATH}/{id}/events")).bearer_auth(token);
    let call = if let Some(last) = last { call.header("last-event-id", last) } else { call };
    let answer = call.send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer
}

/// The next piece of a stream; nothing at its end.
async fn next(stream: &mut Response) -> Option<String> {
    let piece = patiently(stream.chunk()).await.unwrap()?;
    Some(read(std::str::from_utf8(&piece).unwrap()))
}

fn with_request(mut event: Value, request: &Value) -> Value {
    event["request"] = request.clone();
    event
}

#[tokio::test]
async fn a_change_is_told_when_it_happens_and_the_stream_ends_with_the_request() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let mut stream = follow(&gateway, &token, &id, None).await;
    assert_eq!(
        (stream.status().as_u16(), &stream.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    assert_eq!(
        (&stream.headers()["x-accel-buffering"], &stream.headers()["vary"]),
        (&"no".parse().unwrap(), &"Accept".parse().unwrap())
    );
    let [submitted, running, done] = life();
    assert_eq!(next(&mut stream).await, Some(sent(&[submitted])));
    gateway.advance(5);
    assert_eq!(next(&mut stream).await, Some(sent(&[running])));
    gateway.advance(10);
    let request = gateway.get(&token, &format!("{PATH}/{id}")).await.json();
    assert_eq!(next(&mut stream).await, Some(sent(&[with_request(done, &request)])));
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test]
async fn who_comes_back_is_told_what_it_missed() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    gateway.advance(15);
    let request = gateway.get(&token, &format!("{PATH}/{id}")).await.json();
    let [submitted, running, done] = life();
    let whole = [submitted, running, with_request(done, &request)];
    for (last, from) in [(None, 0), (Some("0.0"), 1), (Some("0.1"), 2), (Some("7.0"), 0), (Some("x"), 0), (Some(""), 0)]
    {
        let answer = Answer::of(follow(&gateway, &token, &id, last).await).await;
        assert_eq!((answer.status, read(&answer.text)), (200, sent(&whole[from..])), "{last:?}");
    }
    let answer = Answer::of(follow(&gateway, &token, &id, Some("0.2")).await).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
}

#[tokio::test]
async fn a_cancellation_is_told_at_once() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    gateway.advance(6);
    let mut stream = follow(&gateway, &token, &id, None).await;
    let [submitted, running, _] = life();
    assert_eq!(next(&mut stream).await, Some(sent(&[submitted.clone(), running.clone()])));
    let cancel = gateway.call(Method::POST, &format!("{PATH}/{id}/cancel")).bearer_auth(&token);
    let request = Answer::to(cancel).await.json();
    let cancelled = event("1.0", "cancelled", 6000, "cancelled", "processing");
    assert_eq!(next(&mut stream).await, Some(sent(&[with_request(cancelled.clone(), &request)])));
    assert_eq!(next(&mut stream).await, None);
    let list = gateway.call(Method::GET, &format!("{PATH}/{id}/events")).bearer_auth(&token);
    let list = Answer::to(list.header("accept", "application/json")).await;
    assert_eq!(list.json(), json!({ "items": [submitted, running, cancelled] }));
}

#[tokio::test]
async fn who_prefers_json_is_given_a_list() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let path = format!("{PATH}/{id}/events");
    gateway.advance(5);
    let call = |accept: &str| gateway.call(Method::GET, &path).bearer_auth(&token).header("accept", accept);
    let [submitted, running, _] = life();
    let list = json!({ "items": [submitted, running] });
    for accept in [
        "application/json",
        "Application/*",
        "text/event-stream;q=0.5, application/json",
        "text/event-stream; q=0, */*",
    ] {
        let answer = Answer::to(call(accept).header("last-event-id", "0.1")).await;
        assert_eq!(
            (answer.status, answer.json(), answer.header("content-type")),
            (200, list.clone(), "application/json"),
            "{accept}"
        );
        assert_eq!((answer.header("cache-control"), answer.header("vary")), ("no-store", "Accept"));
    }
    for accept in
        ["*/*", "text/event-stream", "application/json, text/event-stream", "application/json;q=0.1, text/*", ""]
    {
        let answer = call(accept).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream", "{accept}");
    }
    let head = Answer::to(gateway.call(Method::HEAD, &path).bearer_auth(&token)).await;
    assert_eq!((head.status, head.text.as_str(), head.header("content-type")), (200, "", "text/event-stream"));
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive() {
    let gateway = Gateway::configured(SLOW);
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let mut stream = follow(&gateway, &token, &id, None).await;
    assert_eq!(next(&mut stream).await, Some(sent(&life()[..1])));
    let beat = tokio::spawn(async move { next(&mut stream).await });
    // The silence is counted from whenever the stream began to listen.
    until(|| {
        gateway.advance(15);
        beat.is_finished()
    })
    .await;
    let beat = beat.await.unwrap().unwrap();
    assert!(beat.starts_with(":\n\n"), "{beat}");
}

#[tokio::test]
async fn a_silent_stream_does_not_look_at_the_store() {
    let gateway = Gateway::configured(SLOW);
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let mut stream = follow(&gateway, &token, &id, None).await;
    assert_eq!(next(&mut stream).await, Some(sent(&life()[..1])));
    // After the second comment there is nothing any more that it could look at; some of the next may have been on their way.
    for number in 1..=40 {
        let beat = tokio::spawn(async move { (patiently(stream.chunk()).await.unwrap(), stream) });
        until(|| {
            gateway.advance(15);
            beat.is_finished()
        })
        .await;
        let (beat, same) = beat.await.unwrap();
        assert!(beat.is_some_and(|beat| beat.starts_with(b":\n\n")), "{number}");
        stream = same;
        if number == 2 {
            let database = gateway.folder.path().join("data/anteroom.db");
            rusqlite::Connection::open(database).unwrap().execute_batch("ALTER TABLE events RENAME TO lost").unwrap();
        }
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_token_and_with_the_gateway() {
    let mut gateway = Gateway::configured(&SLOW.replace("3650 days", "1h"));
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let first = sent(&life()[..1]);
    let stream = follow(&gateway, &token, &id, None).await;
    let whole = tokio::spawn(async move { patiently(stream.text()).await.unwrap() });
    until(|| {
        gateway.advance(60);
        whole.is_finished()
    })
    .await;
    let whole = read(&whole.await.unwrap());
    let comments = whole.strip_prefix(&first).unwrap();
    assert_eq!(comments, ":\n\n".repeat(comments.len() / 3));

    let token = gateway.demo_token().await;
    let stream = follow(&gateway, &token, &id, None).await;
    gateway.begin_to_stop();
    let whole = patiently(stream.text()).await.unwrap();
    assert_eq!(read(&whole), first);
}

#[tokio::test]
async fn where_there_is_no_place_a_stream_tells_what_there_is_and_ends() {
    let gateway = Gateway::configured("[server]\nmax_held = 0\n");
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let answer = Answer::of(follow(&gateway, &token, &id, None).await).await;
    assert_eq!(read(&answer.text), format!("retry: 10000\n\n{}", sent(&life()[..1])));
    let request = view(&gateway, &id, json!({}));
    assert_eq!(gateway.get(&token, &format!("{PATH}/{id}")).await.json(), request);
    assert_eq!(request["submitted_at"], NOON.to_string());
}
