//! `/v1/requests`: the queue as its clients see it, a file for each operation.

mod advance;
mod batch;
mod cancel;
mod erase;
mod events;
mod fast_path;
mod get;
mod guard;
mod list;
mod outcome;
mod owners;
mod refused;
mod restart;
mod schema;
mod scopes;
mod submit;
mod times;
mod waiting;

use std::time::Duration;

use anteroom::core::clock::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, NOON, client};

const PATH: &str = "/v1/requests";
const SECRET: &str = "an-example-of-a-secret";

/// Two clients that may do everything, one that only reads and one that only writes.
fn four_clients() -> Gateway {
    let both = ["requests:read", "requests:write"];
    let clients = [("anna", &both[..]), ("bob", &both[..]), ("reader", &both[..1]), ("writer", &both[1..])];
    let tables = clients.map(|(id, scopes)| client(id, SECRET, scopes));
    Gateway::configured(&tables.concat())
}

/// What is submitted where it does not matter what.
fn order() -> Value {
    json!({ "type": "default", "payload": { "amount": 1 } })
}

/// A submission under an idempotency key.
async fn submit_keyed(gateway: &Gateway, token: &str, key: &str, body: impl Into<String>) -> Answer {
    let call = gateway.call(Method::POST, PATH).bearer_auth(token).header("idempotency-key", key);
    Answer::to(call.header("content-type", "application/json").body(body.into())).await
}

fn id_of(answer: &Answer) -> String {
    answer.json()["request_id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
}

/// That long after the clock began.
fn at(millis: i64) -> Value {
    NOON.plus_millis(millis).to_string().into()
}

/// The view of a request of the type `default` that was submitted when the clock began, with some members changed.
fn view(gateway: &Gateway, id: &str, changed: Value) -> Value {
    let mut view = json!({
        "request_id": id, "type": "default", "status": "queued", "stage": "received", "progress": null,
        "submitted_at": at(0), "started_at": null, "finished_at": null, "updated_at": at(0), "not_before": null, "deadline": null,
        "purge_at": null, "cancel_requested_at": null, "attempt": 0, "max_attempts": null, "tags": {}, "error": null, "result": null,
        "links": {},
    });
    for (name, value) in changed.as_object().unwrap() {
        assert!(view.get(name).is_some(), "no member {name}");
        view[name] = value.clone();
    }
    if let Some(finished_at) = view["finished_at"].as_str() {
        let finished_at: Timestamp = finished_at.parse().unwrap();
        view["purge_at"] = finished_at.plus(Duration::from_hours(30 * 24)).to_string().into();
    }
    let itself = gateway.url(&format!("{PATH}/{id}"));
    let below = |name: &str| format!("{itself}/{name}");
    view["links"] = json!({ "self": itself, "events": below("events"), "payload": below("payload") });
    match view["status"].as_str().unwrap() {
        "succeeded" => view["links"]["result"] = below("result").into(),
        "failed" | "cancelled" | "expired" => {}
        _ => view["links"]["cancel"] = below("cancel").into(),
    }
    view
}

/// A problem that shows a request.
fn about(mut problem: Value, request: &Value) -> Value {
    problem["request"] = request.clone();
    problem
}
