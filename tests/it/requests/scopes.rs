//! Types that name a scope: a token with it opens their requests and no others, and no other token opens them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, SECRET, id_of, submit_keyed};
use crate::gateway::{Answer, Gateway, challenge, client, problem};

const STAGES: &str = "stages = [{ after = \"0s\", stage = \"a\", status = \"queued\" }, { after = \"5s\", stage = \"b\", status = \"succeeded\" }]";
const ALL: [&str; 4] = ["requests:read", "requests:write", "current_time", "epoch_time"];

/// Two types with a scope, one without, and one client that has all scopes.
fn clock() -> Gateway {
    let types = [("default", ""), ("now", "scope = \"current_time\"\n"), ("epoch", "scope = \"epoch_time\"\n")];
    let tables = types.map(|(name, scope)| format!("[types.{name}]\n{STAGES}\n{scope}"));
    let clients = client("clock", SECRET, &ALL) + &client("other", SECRET, &ALL);
    Gateway::configured(&format!("{}{clients}", tables.concat()))
}

async fn token(gateway: &Gateway, scope: &str) -> String {
    gateway.token("clock", SECRET, Some(scope)).await
}

async fn submit(gateway: &Gateway, token: &str, kind: &str) -> Answer {
    gateway.post(token, PATH, &json!({ "type": kind, "payload": { "of": kind } })).await
}

/// One request of each type.
async fn three(gateway: &Gateway) -> [String; 3] {
    let all = gateway.token("clock", SECRET, None).await;
    let mut ids = Vec::new();
    for kind in ["default", "now", "epoch"] {
        ids.push(id_of(&submit(gateway, &all, kind).await));
        // So that they stand in a list in this order.
        gateway.clock.advance(Duration::from_millis(1));
    }
    ids.try_into().unwrap()
}

fn lacking(scope: &str) -> Value {
    let detail = format!("The token is genuine and lacks the scope {scope}. Ask for a token with it.");
    problem(403, "insufficient_scope", "Insufficient scope", &detail)
}

/// That the whole answer is a refusal for lack of that scope.
fn assert_lacking(gateway: &Gateway, answer: &Answer, scope: &str, case: &str) {
    assert_eq!((answer.status, answer.problem()), (403, lacking(scope)), "{case}");
    let challenge = challenge(gateway, &format!(", error=\"insufficient_scope\", scope=\"{scope}\""));
    assert_eq!(answer.header("www-authenticate"), challenge, "{case}");
}

#[tokio::test]
async fn a_token_narrowed_to_the_scope_of_a_type_submits_that_type_alone() {
    let gateway = clock();
    let lacks = [
        ("current_time", [("default", Some("requests:write")), ("now", None), ("epoch", Some("epoch_time"))]),
        ("requests:write", [("default", None), ("now", Some("current_time")), ("epoch", Some("epoch_time"))]),
        ("requests:read", [("default", "requests:write"); 3].map(|(kind, scope)| (kind, Some(scope)))),
        ("current_time requests:write", [("default", None), ("now", None), ("epoch", Some("epoch_time"))]),
    ];
    for (scope, kinds) in lacks {
        let token = token(&gateway, scope).await;
        for (kind, lack) in kinds {
            let (answer, case) = (submit(&gateway, &token, kind).await, format!("{scope}: {kind}"));
            match lack {
                Some(lack) => assert_lacking(&gateway, &answer, lack, &case),
                None => assert_eq!((answer.status, &answer.json()["type"]), (202, &json!(kind)), "{case}"),
            }
        }
    }
}

#[tokio::test]
async fn every_operation_on_a_request_needs_the_scope_of_its_type() {
    let gateway = clock();
    let usual = token(&gateway, "requests:read requests:write").await;
    let narrow = token(&gateway, "current_time").await;
    let elsewhere = token(&gateway, "epoch_time").await;
    let stranger = gateway.token("other", SECRET, None).await;
    let [plain, ..] = three(&gateway).await;
    // What it is answered when it may: while the request is queued.
    let operations = [
        (Method::GET, "", 200),
        (Method::GET, "/events", 200),
        (Method::GET, "/payload", 200),
        (Method::GET, "/result", 409),
        (Method::POST, "/cancel", 200),
        (Method::POST, "/advance", 200),
        (Method::DELETE, "", 409),
    ];
    for (method, below, status) in operations {
        let id = id_of(&submit(&gateway, &narrow, "now").await);
        let call = async |token: &str, id: &str| {
            let call = gateway.call(method.clone(), &format!("{PATH}/{id}{below}")).bearer_auth(token);
            Answer::to(call.header("accept", "application/json")).await
        };
        let case = format!("{method} {below}");
        for token in [&usual, &elsewhere] {
            assert_lacking(&gateway, &call(token, &id).await, "current_time", &case);
        }
        let own = if method == Method::GET { "requests:read" } else { "requests:write" };
        assert_lacking(&gateway, &call(&narrow, &plain).await, own, &case);
        assert_eq!(call(&stranger, &id).await.status, 404, "{case}");
        assert_eq!(call(&narrow, &id).await.status, status, "{case}");
    }
}

#[tokio::test]
async fn a_call_that_waits_and_a_stream_are_refused_at_once() {
    let gateway = clock();
    let [_, id, _] = three(&gateway).await;
    let usual = token(&gateway, "requests:read").await;
    let waiting = gateway.call(Method::GET, &format!("{PATH}/{id}")).header("prefer", "wait=50").bearer_auth(&usual);
    assert_lacking(&gateway, &Answer::to(waiting).await, "current_time", "long poll");
    let stream = gateway.call(Method::GET, &format!("{PATH}/{id}/events")).header("accept", "text/event-stream");
    assert_lacking(&gateway, &Answer::to(stream.bearer_auth(&usual)).await, "current_time", "stream");
}

#[tokio::test]
async fn each_of_a_batch_has_the_outcome_of_its_type() {
    let gateway = clock();
    let requests = ["default", "now", "epoch"].map(|kind| json!({ "type": kind, "payload": 1 }));
    let requests = json!({ "requests": requests });
    let path = format!("{PATH}/batch");
    let answer = gateway.post(&token(&gateway, "current_time").await, &path, &requests).await;
    let (mut items, trace_id) = (answer.json()["items"].as_array().unwrap().clone(), answer.header("x-trace-id"));
    for (index, lack) in [(0, "requests:write"), (2, "epoch_time")] {
        let mut problem = lacking(lack);
        problem["trace_id"] = trace_id.into();
        assert_eq!(items[index], json!({ "index": index, "status": 403, "problem": problem }));
    }
    let taken = items[1].take();
    assert_eq!((answer.status, &taken["status"], &taken["request"]["type"]), (200, &json!(202), &json!("now")));
    let reader = token(&gateway, "requests:read").await;
    assert_lacking(&gateway, &gateway.post(&reader, &path, &requests).await, "requests:write", "no type at all");
}

#[tokio::test]
async fn a_list_shows_what_the_token_opens_and_counts_nothing_else() {
    let gateway = clock();
    let [plain, now, epoch] = three(&gateway).await;
    for (scope, seen) in [
        ("requests:read", vec![&plain]),
        ("current_time", vec![&now]),
        ("current_time epoch_time", vec![&epoch, &now]),
        ("current_time requests:read", vec![&now, &plain]),
        ("requests:read current_time epoch_time", vec![&epoch, &now, &plain]),
    ] {
        let token = token(&gateway, scope).await;
        let list = async |query: &str| {
            let answer = gateway.get(&token, &format!("{PATH}?{query}")).await.json();
            let ids: Vec<_> =
                answer["items"].as_array().unwrap().iter().map(|item| item["request_id"].clone()).collect();
            (ids, answer["next_cursor"].clone())
        };
        let ids = |seen: Vec<&String>| seen.into_iter().map(|id| json!(id)).collect::<Vec<_>>();
        assert_eq!(list("").await, (ids(seen.clone()), Value::Null), "{scope}");
        let limit = seen.len();
        assert_eq!(list(&format!("limit={limit}")).await, (ids(seen.clone()), Value::Null), "{scope}: no page follows");
        for (kind, id) in [("default", &plain), ("now", &now), ("epoch", &epoch)] {
            let one = || if seen.contains(&id) { ids(vec![id]) } else { Vec::new() };
            for query in [format!("type={kind}"), format!("id={id}"), format!("type={kind}&status=queued")] {
                assert_eq!(list(&query).await, (one(), Value::Null), "{scope}: {query}");
            }
        }
    }
    let writer = token(&gateway, "requests:write").await;
    assert_lacking(&gateway, &gateway.get(&writer, PATH).await, "requests:read", "no type at all");
}

#[tokio::test]
async fn an_idempotency_key_tells_nothing_of_another_type() {
    let gateway = clock();
    let [all, narrow, usual] = [ALL.join(" "), "current_time".into(), "requests:read requests:write".to_owned()];
    let [all, narrow, usual] =
        [token(&gateway, &all).await, token(&gateway, &narrow).await, token(&gateway, &usual).await];
    let body = json!({ "type": "now", "payload": 1 }).to_string();
    let id = id_of(&submit_keyed(&gateway, &all, "k", body.clone()).await);
    assert_eq!(id_of(&submit_keyed(&gateway, &narrow, "k", body.clone()).await), id);
    assert_lacking(&gateway, &submit_keyed(&gateway, &usual, "k", body).await, "current_time", "a replay");
    let found = gateway.get(&usual, &format!("{PATH}?idempotency_key=k")).await;
    assert_eq!(found.json(), json!({ "items": [], "next_cursor": null }));
}
