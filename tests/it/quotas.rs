//! A fair share for each owner: how often it may call, and how many of its requests may be open.

use std::collections::BTreeSet;

use anteroom::queue::quotas::settings::QuotaSettings;
use anteroom::settings::{Flags, Settings, Unusable};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, client, http, problem};
use crate::idp::Idp;
use crate::settings::{keys_of, reference};
use crate::verify::keys::RSA;

const SECRET: &str = "an-example-of-a-secret";
const REQUESTS: &str = "/v1/requests";
/// Requests end after 15 seconds. A fixed address, so that the issuer does not follow the port.
const TYPES: &str = "server.public_url = \"http://localhost:8080\"\n[types.default]\nstages = [\
     { after = \"0s\", stage = \"a\", status = \"queued\" }, { after = \"15s\", stage = \"b\", status = \"succeeded\" }]\n";

/// A configuration with these quotas, and the clients anna and bob.
fn toml(quotas: &str) -> String {
    let scopes = ["requests:read", "requests:write"];
    format!("{TYPES}{quotas}\n{}{}", client("anna", SECRET, &scopes), client("bob", SECRET, &scopes))
}

/// A gateway with that, and the tokens of anna and bob.
async fn gateway(quotas: &str) -> (Gateway, String, String) {
    let gateway = Gateway::configured(&toml(quotas));
    let (anna, bob) = (gateway.token("anna", SECRET, None).await, gateway.token("bob", SECRET, None).await);
    (gateway, anna, bob)
}

/// How many calls in a row are answered before one is refused; at most ten.
async fn calls(gateway: &Gateway, token: &str) -> usize {
    let mut answered = 0;
    while answered < 10 && gateway.get(token, "/v1/whoami").await.status == 200 {
        answered += 1;
    }
    answered
}

/// A submission under this key, or under none.
async fn submit(gateway: &Gateway, token: &str, key: Option<&str>) -> Answer {
    let call = gateway.call(Method::POST, REQUESTS).bearer_auth(token).json(&json!({ "payload": {} }));
    Answer::to(key.into_iter().fold(call, |call, key| call.header("idempotency-key", key))).await
}

/// The statuses of so many submissions, one after the other.
async fn statuses(gateway: &Gateway, token: &str, most: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..most {
        statuses.push(submit(gateway, token, None).await.status);
    }
    statuses
}

/// The settings of this configuration file.
fn load(toml: &str) -> Result<Settings, Unusable> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("anteroom.toml");
    std::fs::write(&file, toml).unwrap();
    Settings::load(&Flags { config: Some(file), ..Flags::default() }, std::iter::empty())
}

#[test]
fn the_reference_names_every_key() {
    let written: toml::Table = reference().parse().unwrap();
    let keys = |table: &toml::Value| table.as_table().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let quotas = load(&reference()).unwrap().quotas;
    assert_eq!(keys(&written["quotas"]), keys_of(&quotas).into_iter().collect());
    assert_eq!(keys(&written["quotas"]["clients"]["acme"]), keys_of(&quotas.clients["acme"]).into_iter().collect());
    let told = |key: &str| written["quotas"][key].as_integer().unwrap().try_into().unwrap();
    let usual = QuotaSettings::default();
    assert_eq!(
        (told("requests_per_second"), told("open_requests")),
        (usual.requests_per_second.into(), usual.open_requests)
    );
    assert_eq!(Some(told("burst")), usual.effective_burst().map(u64::from));
}

/// What is answered when that limit is reached.
fn exceeded(limit: &str, value: u64, reset: u64, detail: &str) -> Value {
    let mut body = problem(429, "quota_exceeded", "Quota exceeded", detail);
    body["limit"] = json!({ "name": limit, "value": value });
    body["reset"] = reset.into();
    body
}

fn too_many_open(value: u64, reset: u64) -> Value {
    let detail = format!(
        "Your limit open_requests is {value}, and so many of your requests have not reached their end. Wait until some have, or cancel \
         some; come again in {reset} s."
    );
    exceeded("open_requests", value, reset, &detail)
}

async fn refusals(gateway: &Gateway, limit: &str) -> String {
    let metrics = gateway.operate("/metrics").await.text;
    let name = format!("anteroom_quota_refusals_total{{limit=\"{limit}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).expect("the metric").to_owned()
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_come_again_and_nobody_else_is() {
    let (gateway, anna, bob) = gateway("[quotas]\nrequests_per_second = 2\nburst = 3").await;
    assert_eq!(calls(&gateway, &anna).await, 3);
    // Whatever is asked for; and the body is not read.
    let refused = Answer::to(gateway.call(Method::POST, REQUESTS).bearer_auth(&anna).body("{")).await;
    let detail = "Your limit requests_per_second is 2, and more calls than that came in your name. Come again in 1 s, and spread your calls.";
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    assert_eq!(refused.problem(), exceeded("requests_per_second", 2, 1, detail));
    assert_eq!(refusals(&gateway, "requests_per_second").await, "2");
    // Another owner has a share of its own; and what needs no token is in nobody's.
    assert_eq!(gateway.call(Method::GET, "/healthz").send().await.unwrap().status(), 200);
    assert_eq!(calls(&gateway, &bob).await, 3);
    // Another token of the same owner is in the same share.
    let again = gateway.token("anna", SECRET, Some("requests:read")).await;
    assert_eq!(gateway.get(&again, REQUESTS).await.status, 429);
    gateway.clock.advance(std::time::Duration::from_millis(500));
    assert_eq!(calls(&gateway, &again).await, 1);
    gateway.advance(60);
    assert_eq!(calls(&gateway, &anna).await, 3);
}

#[tokio::test]
async fn a_client_may_have_limits_of_its_own() {
    let idp = Idp::publishing(&[&RSA]).await;
    let (issuer, verifiers) = (idp.issuer(), idp.toml(""));
    let quotas = format!(
        "[quotas]\nrequests_per_second = 1\nopen_requests = 1\n[quotas.clients.anna]\nrequests_per_second = 5\nburst = 6\n\
         [quotas.clients.bob]\nissuer = \"{issuer}\"\nrequests_per_second = 7\n\
         [quotas.clients.ada]\nissuer = \"{issuer}\"\nrequests_per_second = 4\n[quotas.clients.carl]\nopen_requests = 2\n{verifiers}"
    );
    let carl = client("carl", SECRET, &["requests:read", "requests:write"]);
    let (gateway, anna, bob) = gateway(&format!("{quotas}\n{carl}")).await;
    // The bob with limits of his own is of another issuer; and ada's tokens name no client.
    assert_eq!((calls(&gateway, &anna).await, calls(&gateway, &bob).await), (6, 1));
    assert_eq!(calls(&gateway, &idp.token(&RSA)).await, 4);
    let carl = gateway.token("carl", SECRET, None).await;
    let mut told = Vec::new();
    for token in [&carl, &anna] {
        for _ in 0..3 {
            gateway.advance(1);
            told.push(submit(&gateway, token, None).await.status);
        }
    }
    assert_eq!(told, [202, 202, 429, 202, 429, 429]);
}

#[tokio::test]
async fn open_requests_are_limited_until_they_end() {
    let (gateway, anna, bob) = gateway("[quotas]\nopen_requests = 3").await;
    let keyed = submit(&gateway, &anna, Some("key")).await;
    assert_eq!(statuses(&gateway, &anna, 2).await, [202, 202]);
    let refused = submit(&gateway, &anna, Some("another key")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    assert_eq!(refused.problem(), too_many_open(3, 1));
    // The same submission again is no further request, and reading is not limited.
    let again = submit(&gateway, &anna, Some("key")).await;
    assert_eq!((again.status, again.header("idempotent-replayed"), again.json()), (202, "true", keyed.json()));
    assert_eq!(gateway.get(&anna, REQUESTS).await.json()["items"].as_array().unwrap().len(), 3);
    assert_eq!(submit(&gateway, &bob, None).await.status, 202);
    assert_eq!(refusals(&gateway, "open_requests").await, "1");
    // One that is cancelled is open no more; that is seen a second after the last count.
    let id = keyed.json()["request_id"].as_str().unwrap().to_owned();
    assert_eq!(gateway.post(&anna, &format!("{REQUESTS}/{id}/cancel"), &json!({})).await.status, 200);
    gateway.advance(1);
    assert_eq!(statuses(&gateway, &anna, 2).await, [202, 429]);
    gateway.advance(15);
    assert_eq!(statuses(&gateway, &anna, 4).await, [202, 202, 202, 429]);
}

#[tokio::test]
async fn a_batch_is_taken_in_as_far_as_there_is_room() {
    let (gateway, anna, _) = gateway("[quotas]\nopen_requests = 3").await;
    let batch = json!({ "requests": [
        { "payload": 1, "idempotency_key": "a" },
        { "payload": 1, "idempotency_key": "a" },
        { "payload": 2, "idempotency_key": "b" },
        { "payload": 3 },
    ] });
    let items = async || gateway.post(&anna, "/v1/requests/batch", &batch).await.json()["items"].clone();
    let statuses = |items: &Value| -> Vec<_> {
        let of = |item: &Value| (item["status"].as_u64().unwrap(), item["replayed"].as_bool());
        items.as_array().unwrap().iter().map(of).collect()
    };
    // One that came before takes room until it is known to be the same, as long as there is room.
    let mut first = items().await;
    assert_eq!(statuses(&first), [(202, Some(false)), (202, Some(true)), (202, Some(false)), (429, None)]);
    let mut told = first[3]["problem"].take();
    assert!(told.as_object_mut().unwrap().remove("trace_id").is_some());
    assert_eq!(told, too_many_open(3, 1));
    let again = [(202, Some(true)), (202, Some(true)), (202, Some(true)), (429, None)];
    assert_eq!(statuses(&items().await), again);
    assert_eq!(submit(&gateway, &anna, None).await.status, 202);
    assert_eq!(statuses(&items().await), again);
}

#[tokio::test]
async fn many_at_once_are_no_more_than_the_limit() {
    let (gateway, anna, _) = gateway("[quotas]\nopen_requests = 5").await;
    let answers = join_all((0..30).map(|_| submit(&gateway, &anna, None))).await;
    let taken = answers.iter().filter(|answer| answer.status == 202).count();
    assert_eq!((taken, answers.iter().filter(|answer| answer.status == 429).count()), (5, 25));
    assert_eq!(gateway.get(&anna, REQUESTS).await.json()["items"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_restart_forgets_no_open_request() {
    let toml = toml("[quotas]\nopen_requests = 2");
    let gateway = Gateway::configured(&toml);
    let anna = gateway.token("anna", SECRET, None).await;
    assert_eq!(statuses(&gateway, &anna, 2).await, [202, 202]);
    let gateway = Gateway::in_folder(gateway.stop(), &toml);
    assert_eq!(statuses(&gateway, &anna, 1).await, [429]);
    gateway.advance(15);
    assert_eq!(statuses(&gateway, &anna, 3).await, [202, 202, 429]);
}

#[tokio::test]
async fn with_0_there_is_no_limit() {
    let (gateway, anna, _) = gateway("[quotas]\nrequests_per_second = 0\nopen_requests = 0").await;
    assert_eq!(calls(&gateway, &anna).await, 10);
    assert_eq!(statuses(&gateway, &anna, 10).await, [202; 10]);
}

#[tokio::test]
async fn operators_are_not_limited_where_they_have_an_address_of_their_own() {
    let admin = client("ops", SECRET, &["admin"]);
    let toml = format!(
        "server.mode = \"production\"\nshutdown.delay = \"0s\"\n{TYPES}[quotas]\nrequests_per_second = 1\n{admin}"
    );
    let gateway = Gateway::configured(&toml);
    let token = gateway.token("ops", SECRET, None).await;
    let issuers = format!("http://{}/v1/admin/issuers", gateway.admin.unwrap());
    for _ in 0..3 {
        assert_eq!(Answer::to(http().get(&issuers).bearer_auth(&token)).await.status, 200);
    }
    assert_eq!(calls(&gateway, &token).await, 1);
}

#[test]
fn limits_that_can_not_be_are_refused() {
    let mistakes = |quotas: &str| -> Vec<String> {
        load(quotas).expect_err("a refusal").mistakes.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        mistakes(
            "[quotas]\nrequests_per_second = 1000001\nburst = 0\n[quotas.clients.a]\n[quotas.clients.b]\nrequests_per_second = 0\nburst = 2"
        ),
        [
            "quotas.requests_per_second: 1000001 is more than 1000000. Give a number up to 1000000, or 0 for no limit",
            "quotas.burst: with 0 no call would be let in. Give a number above 0, or leave the key out: then it is one second's worth",
            "quotas.clients.a: it changes no limit. Give it requests_per_second, burst or open_requests, or leave the table out",
            "quotas.clients.b.burst: there is no limit that it could go beyond. Give requests_per_second a number above 0, or leave burst out",
        ]
    );
    let [unknown] = &mistakes("[quotas]\nrequests = 1")[..] else { panic!("one mistake") };
    assert!(
        unknown.starts_with("quotas.requests: unknown field `requests`. Expected: one of `requests_per_second`, "),
        "{unknown}"
    );
}

#[test]
fn limits_of_a_client_whose_tokens_are_not_believed_are_refused() {
    let told = |toml: &str| -> Vec<String> { Gateway::refusal(toml).iter().map(ToString::to_string).collect() };
    let idp = "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"https://idp.example/\"\naudience = [\"anteroom\"]\n";
    assert_eq!(
        told(&format!("{idp}[quotas.clients.acme]\nburst = 1\n")),
        [
            "quotas.clients.acme.issuer: is not given, and our own tokens are not believed here. Give it the `iss` of the client's tokens"
        ]
    );
    assert_eq!(
        told(&format!("{idp}[quotas.clients.acme]\nissuer = \"https://idp.example\"\nburst = 1\n")),
        ["quotas.clients.acme.issuer: \"https://idp.example\" is the issuer of no verifier in verify.chain. \
             Write it as the verifier has it: \"https://idp.example/\""]
    );
}
