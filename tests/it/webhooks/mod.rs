//! Webhooks: endpoints that are told what becomes of requests, by receivers of the test's own on this machine.

mod busy;
mod deliveries;
mod endpoints;
mod failures;
mod reach;
mod restart;
mod settings;
mod signatures;

use reqwest::Method;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

use crate::gateway::{Answer, Gateway, NOON};
use crate::patience::patiently;
use crate::verify::fake_provider::Changing;

const PATH: &str = "/v1/webhook-endpoints";

/// Somebody who is told, and what it answers until a test changes it.
struct Receiver {
    server: MockServer,
    answer: Changing,
}

impl Receiver {
    async fn start() -> Self {
        let (server, answer) = (MockServer::start().await, Changing::from(status(204)));
        Mock::given(matchers::any()).respond_with(answer.clone()).mount(&server).await;
        Self { server, answer }
    }

    fn url(&self) -> String {
        format!("{}/hooks", self.server.uri())
    }

    /// What it was told, once it is so many times.
    async fn told(&self, times: usize) -> Vec<Request> {
        let told = || async { self.server.received_requests().await.unwrap() };
        patiently(async {
            while told().await.len() < times {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let told = told().await;
        assert_eq!(told.len(), times);
        told
    }
}

fn status(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status)
}

fn body(told: &Request) -> Value {
    serde_json::from_slice(&told.body).unwrap()
}

fn header<'r>(told: &'r Request, name: &str) -> &'r str {
    told.headers[name].to_str().unwrap()
}

/// That long after the clock began.
fn at(millis: i64) -> Value {
    NOON.plus_millis(millis).to_string().into()
}

/// Adds an endpoint; answers what was answered.
async fn add(gateway: &Gateway, token: &str, endpoint: &Value) -> Value {
    let answer = gateway.post(token, PATH, endpoint).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

/// Adds an endpoint that is told of the ends of requests; answers its path.
async fn listen(gateway: &Gateway, token: &str, receiver: &Receiver) -> String {
    path_of(&add(gateway, token, &json!({ "url": receiver.url() })).await)
}

fn path_of(endpoint: &Value) -> String {
    format!("{PATH}/{}", endpoint["endpoint_id"].as_str().unwrap())
}

/// A call without a body.
async fn act(gateway: &Gateway, token: &str, method: Method, path: &str) -> Answer {
    Answer::to(gateway.call(method, path).bearer_auth(token)).await
}

async fn post(gateway: &Gateway, token: &str, path: &str) -> Answer {
    act(gateway, token, Method::POST, path).await
}

/// The one delivery of an endpoint, once so many attempts are in its log.
async fn delivery(gateway: &Gateway, token: &str, endpoint: &str, attempts: usize) -> Value {
    let look = || async {
        let page = gateway.get(token, &format!("{endpoint}/deliveries")).await.json();
        assert!(page["items"].as_array().unwrap().len() <= 1, "{page}");
        page["items"][0].clone()
    };
    patiently(async {
        loop {
            let delivery = look().await;
            if delivery["attempts"].as_array().is_some_and(|made| made.len() == attempts) {
                return delivery;
            }
        }
    })
    .await
}
