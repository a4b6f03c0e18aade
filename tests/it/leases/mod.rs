//! `/v1/leases`: the queue as its workers see it.

mod batch;
mod cancelled;
mod ends;
mod fairness;
mod given;
mod heartbeat;
mod lapses;
mod metrics;
mod refused;
mod results;
mod waiting;

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, NOON, client, problem};

const LEASES: &str = "/v1/leases";
pub(crate) const SECRET: &str = "an-example-of-a-secret";

/// A type for workers: two attempts, leases of a minute, and a wait of 10 to 20 seconds between them.
const RENDER: &str = "[types.render]\nprocessor = \"lease\"\nattempts = 2\nrun_timeout = \"5m\"\nbackoff = { first = \"20s\", most = \"1m\" }\n";

/// Two clients that submit, and two that work.
const CLIENTS: [(&str, &[&str]); 4] = [
    ("anna", &["requests:read", "requests:write"]),
    ("bob", &["requests:read", "requests:write"]),
    ("works", &["requests:work"]),
    ("other", &["requests:work"]),
];

/// A gateway with those, and the tokens of Anna and of the worker.
pub(crate) struct Workshop {
    pub(crate) gateway: Gateway,
    pub(crate) anna: String,
    pub(crate) works: String,
}

impl Workshop {
    /// With the type `render`.
    pub(crate) async fn open() -> Self {
        Self::configured("").await
    }

    /// With this in the configuration as well; the keys of the type `render` come last.
    pub(crate) async fn configured(toml: &str) -> Self {
        let clients = CLIENTS.map(|(id, scopes)| client(id, SECRET, scopes)).concat();
        let gateway = Gateway::configured(&format!("{clients}{RENDER}{toml}"));
        let anna = gateway.token("anna", SECRET, None).await;
        let works = gateway.token("works", SECRET, None).await;
        Self { gateway, anna, works }
    }

    pub(crate) async fn token(&self, client: &str) -> String {
        self.gateway.token(client, SECRET, None).await
    }

    /// Anna submits.
    pub(crate) async fn submit(&self) -> String {
        self.submit_as(&self.anna, json!({ "n": 1 })).await
    }

    pub(crate) async fn submit_as(&self, token: &str, payload: Value) -> String {
        let body = json!({ "type": "render", "payload": payload, "tags": { "order": "4711" } });
        let answer = self.gateway.post(token, "/v1/requests", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()["request_id"].as_str().unwrap().to_owned()
    }

    /// The worker asks for one request, at once.
    pub(crate) async fn ask(&self) -> Answer {
        self.ask_as(&self.works, 1).await
    }

    pub(crate) async fn ask_as(&self, token: &str, max: u32) -> Answer {
        let body = json!({ "types": ["render"], "max": max, "worker_id": "w-1" });
        self.gateway.post(token, LEASES, &body).await
    }

    /// The worker gets one request.
    pub(crate) async fn lease(&self) -> Value {
        let answer = self.ask().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["leases"][0].clone()
    }

    /// The worker says something about a lease.
    pub(crate) async fn say(&self, lease: &Value, act: &str, body: Value) -> Answer {
        self.say_as(&self.works, lease, act, body).await
    }

    async fn say_as(&self, token: &str, lease: &Value, act: &str, mut body: Value) -> Answer {
        body["epoch"] = lease["epoch"].clone();
        let path = format!("{LEASES}/{}/{act}", lease["lease_id"].as_str().unwrap());
        self.gateway.post(token, &path, &body).await
    }

    /// The request as its owner sees it, and these members of it.
    pub(crate) async fn seen(&self, id: &str, members: &[&str]) -> Value {
        let answer = self.gateway.get(&self.anna, &format!("/v1/requests/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let view = answer.json();
        members.iter().map(|name| view.pointer(name).cloned().unwrap_or_default()).collect()
    }

    /// The kinds of events that a request has seen, with their attempts.
    async fn status(&self, id: &str) -> String {
        self.seen(id, &["/status"]).await[0].as_str().unwrap().to_owned()
    }

    async fn cancel(&self, id: &str) -> Answer {
        let path = format!("/v1/requests/{id}/cancel");
        Answer::to(self.gateway.call(Method::POST, &path).bearer_auth(&self.anna)).await
    }
}

/// That long after the clock began.
fn at(seconds: i64) -> Value {
    NOON.plus_millis(seconds * 1000).to_string().into()
}

/// A failure as a worker tells it.
fn failure() -> Value {
    json!({ "error": { "code": "on_fire", "title": "On fire", "detail": "Fetch water." } })
}

/// A request that Anna submitted when the clock began, as its workers see it, with some members changed.
fn work(id: &str, changed: Value) -> Value {
    let mut view = json!({
        "request_id": id, "type": "render", "status": "queued", "epoch": 1, "attempt": 1, "max_attempts": 2, "submitted_at": at(0),
        "ready_at": null, "finished_at": null, "deadline": null, "cancel_requested_at": null, "tags": { "order": "4711" },
        "error": null,
    });
    for (name, value) in changed.as_object().unwrap() {
        assert!(view.get(name).is_some(), "no member {name}");
        view[name] = value.clone();
    }
    view
}

/// What the late one is told.
fn lost(request: &Value) -> Value {
    let detail = "This is not the lease that counts: another has been given since, the attempt has ended, or the request has. Stop \
                  working on the request, and do not report on it again; the member `request` shows how it stands.";
    let mut told = problem(409, "lease_lost", "Lease lost", detail);
    told["request"] = request.clone();
    told
}

fn nothing_here() -> Value {
    let detail = "There is nothing here under this name, or it is somebody else's. Check the path and the id, and whose token this is.";
    problem(404, "not_found", "Not found", detail)
}
