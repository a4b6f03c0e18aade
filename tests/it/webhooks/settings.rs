//! `[webhooks]`: endpoints that the Provider has configured, and what can be wrong with them.

use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::{PATH, Receiver, act, at, path_of, post};
use crate::gateway::{Gateway, client};

const SECRET: &str = "an-example-of-a-secret";
const KEYS: [&str; 2] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];

/// A folder with a key in each of two files.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, key) in ["new", "old"].into_iter().zip(KEYS) {
        std::fs::write(folder.path().join(name), format!("{key}\n")).unwrap();
    }
    folder
}

fn configured(url: &str) -> String {
    let scopes = ["webhooks:manage", "requests:write", "requests:read"];
    let endpoint = format!(
        "[webhooks.endpoints.ledger]\nurl = \"{url}\"\nclient = \"anna\"\nevents = [\"request.queued\"]\n\
         secrets = [\"file:new\", \"file:old\"]\n"
    );
    format!("{}{endpoint}", client("anna", SECRET, &scopes))
}

#[tokio::test]
async fn an_endpoint_of_the_configuration_is_told_and_stays_as_it_is() {
    let receiver = Receiver::start().await;
    let gateway = Gateway::in_folder(folder(), &configured(&receiver.url()));
    gateway.clock.set(anteroom::core::clock::Clock::now(&anteroom::app::SystemClock::start()));
    let token = gateway.token("anna", SECRET, None).await;
    gateway.submit(&token).await;
    let told = receiver.told(1).await.remove(0);
    for key in KEYS {
        assert!(Webhook::new(key).unwrap().verify(&told.body, &told.headers).is_ok());
    }
    let page = gateway.get(&token, PATH).await.json();
    let endpoint = &page["items"][0];
    let expected = json!({
        "endpoint_id": endpoint["endpoint_id"], "url": receiver.url(), "description": "", "events": ["request.queued"],
        "algorithm": "hmac-sha256", "public_keys": [], "configured": true, "created_at": at(0), "disabled_at": null,
        "disabled_reason": null, "failing_since": null,
    });
    assert_eq!(page, json!({ "items": [expected], "next_cursor": null }));
    let path = path_of(endpoint);
    let rotated = post(&gateway, &token, &format!("{path}/rotate")).await;
    let deleted = act(&gateway, &token, Method::DELETE, &path).await;
    for refused in [rotated, deleted] {
        assert_eq!((refused.status, refused.problem()["code"].clone()), (409, "endpoint_conflict".into()));
    }
    assert_eq!(post(&gateway, &token, &format!("{path}/test")).await.status, 202);
    receiver.told(2).await;
}

/// What is wrong with a configuration: key, problem.
fn mistakes(toml: &str) -> Vec<(String, String)> {
    Gateway::refusal(toml).into_iter().map(|mistake| (mistake.key, mistake.problem)).collect()
}

#[test]
fn what_can_not_be_used_is_told_at_the_start() {
    let table = |url: &str, lines: &str| format!("[webhooks.endpoints.a]\nurl = \"{url}\"\n{lines}\n");
    let key = |name: &str| format!("webhooks.endpoints.a.{name}");
    let found = mistakes(&table("http://partner.example/", "events = [\"request.lost\"]\nsecrets = []"));
    let expected = [
        (key("url"), "the address is not https".to_owned()),
        (key("client"), "whose requests it is told of is not said, or said twice".into()),
        (
            key("events"),
            "\"request.lost\" is not one of request.scheduled, request.queued, request.running, request.retrying, \
             request.succeeded, request.failed, request.cancelled, request.expired"
                .into(),
        ),
        (key("secrets"), "there is none, so nothing can be signed".into()),
    ];
    assert_eq!(found, expected);
    let found = mistakes(&format!(
        "[webhooks]\ntimeout = \"0s\"\n{}",
        table("https://x.example/", "client = \"a\"\nsecrets = [\"env:HOME\"]")
    ));
    let expected = [
        ("webhooks.timeout".to_owned(), "is 0".to_owned()),
        (key("secrets"), "env:HOME: it begins neither with whsec_ nor with whsk_".into()),
    ];
    assert_eq!(found, expected);
    let problem = "is more than 30 s: a delivery could be sent again while it is still on its way";
    assert_eq!(mistakes("[webhooks]\ntimeout = \"31s\""), [("webhooks.timeout".to_owned(), problem.to_owned())]);
}

#[tokio::test]
async fn an_endpoint_that_is_configured_no_more_is_gone() {
    let receiver = Receiver::start().await;
    let gateway = Gateway::in_folder(folder(), &configured(&receiver.url()));
    let token = gateway.token("anna", SECRET, None).await;
    assert_eq!(gateway.get(&token, PATH).await.json()["items"].as_array().unwrap().len(), 1);
    let folder = gateway.stop();
    let gateway = Gateway::in_folder(folder, &client("anna", SECRET, &["webhooks:manage"]));
    let token = gateway.token("anna", SECRET, None).await;
    assert_eq!(gateway.get(&token, PATH).await.json()["items"], Value::Array(Vec::new()));
}
