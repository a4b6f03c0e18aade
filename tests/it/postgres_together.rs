//! Several gateways on one database: what one of them gave or was told holds at every other.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use anteroom::core::ports::Change;
use anteroom::core::ports::requests::{Claim, Filter, Order, Submission, Target};
use anteroom::core::request::{Act, By, Output, Process, Refused, Request, Status, Work, Worker};
use reqwest::Method;
use serde_json::json;

use crate::gateway::{Answer, Gateway, client};
use crate::patience::sent;
use crate::postgres_server::{Server, place};
use crate::store_contract::webhooks;
use crate::stores::{Opened, Place, START, keyed, new, owner, request};

/// One more store on the database of another.
fn beside(opened: &Opened) -> Opened {
    Opened::at(Place { url: opened.url.clone(), directory: tempfile::tempdir().unwrap(), cleared: None })
}

/// A request that workers work on.
fn work(number: u64) -> Request {
    Request {
        process: Process::Lease(Box::new(Work::new(START, START, 3))),
        kind: "ocr".into(),
        ..request(&owner("anna"), START, number)
    }
}

fn claim(most: usize) -> Claim {
    let worker = Worker { issuer: "https://issuer.example/".into(), subject: "worker".into(), id: "w1".into() };
    let kinds = vec![("ocr".to_owned(), Duration::from_mins(1))];
    Claim { kinds, most, lease: Duration::from_secs(10), worker, by: By::default() }
}

#[tokio::test]
async fn a_lease_of_one_gateway_is_finished_at_another() {
    let here = Opened::at(place());
    let other = beside(&here);
    here.submit(new(work(1))).await;
    let leased = here.requests().claim(claim(5)).await.unwrap().leased;
    assert_eq!(leased.len(), 1);
    assert!(other.requests().claim(claim(5)).await.unwrap().leased.is_empty());
    let complete = |epoch| Order {
        target: Target { owner: None, id: work(1).id },
        act: Act::Complete { epoch, output: Output { content_type: Output::JSON.into(), body: b"{}".into() } },
        by: By::default(),
    };
    let stale = other.requests().act_all(vec![complete(7)]).await.unwrap().remove(0).unwrap();
    assert_eq!(stale.refused, Some(Refused::LeaseLost));
    let done = other.requests().act_all(vec![complete(1)]).await.unwrap().remove(0).unwrap();
    assert_eq!(done.refused, None);
    assert_eq!(here.requests().find_any(work(1).id).await.unwrap(), Some(done.request));
    let kept = here.requests().output(work(1).id).await.unwrap();
    assert_eq!(kept, Some(Output { content_type: Output::JSON.into(), body: b"{}".into() }));
}

#[tokio::test]
async fn claims_at_several_gateways_share_the_work() {
    let here = Opened::at(place());
    let others: Vec<_> = (0..3).map(|_| beside(&here)).collect();
    let sent: Vec<_> = (0..60).map(|number| new(work(number))).collect();
    here.requests().submit_all(sent).await.unwrap();
    let stores: Vec<_> = others.iter().chain([&here]).map(Opened::requests).collect();
    let claims = stores.iter().cycle().take(24).map(|store| store.claim(claim(5)));
    let claimed = futures_util::future::join_all(claims).await;
    let mut ids: Vec<_> =
        claimed.into_iter().flat_map(|claimed| claimed.unwrap().leased).map(|(request, _)| request.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..60).map(|number| work(number).id).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_key_sent_to_several_gateways_at_once_is_one_request() {
    let here = Opened::at(place());
    let other = beside(&here);
    let sent = (0..40)
        .map(|number| crate::stores::keyed(request(&owner("anna"), START, number), &format!("k{}", number % 5), 1));
    let stores = [here.requests(), other.requests()];
    let submitting = sent.zip(stores.iter().cycle()).map(|(new, store)| store.submit(new));
    let outcomes: Vec<_> = futures_util::future::join_all(submitting).await.into_iter().map(Result::unwrap).collect();
    let accepted = outcomes.iter().filter(|outcome| matches!(outcome, Submission::Accepted(_))).count();
    let replayed = outcomes.iter().filter(|outcome| matches!(outcome, Submission::Replayed(_))).count();
    assert_eq!((accepted, replayed), (5, 35));
    assert_eq!(here.all(&owner("anna")).await.len(), 5);
}

#[tokio::test]
async fn what_changes_at_one_gateway_is_heard_at_another() {
    let here = Opened::at(place());
    let other = beside(&here);
    let (hear, heard) = mpsc::channel();
    other.store.on_change(Box::new(move |change| drop(hear.send(change))));
    // What is submitted before the other listens may be missed, and is found by looking: so again, until it is told.
    let mut told = None;
    for number in 1..100 {
        here.submit(new(work(number))).await;
        // It also says that anything may have changed, whenever it may have missed something.
        let soon = heard.recv_timeout(Duration::from_millis(500)).ok().filter(|change| *change != Change::Anything);
        told = told.or(soon);
        if told.is_some() {
            break;
        }
    }
    assert_eq!(told, Some(Change::Ready("ocr".into(), START)));
    here.requests().claim(claim(1)).await.unwrap();
    let is_of_one = |change: &Change| matches!(change, Change::Request(_));
    let next = || std::iter::from_fn(|| sent(&heard)).find(is_of_one);
    assert_eq!(next(), Some(Change::Request(work(1).id)));
}

/// Gateways with the same clients and secret on one database.
fn gateways() -> [Gateway; 2] {
    let url = Server::shared().database();
    let scopes = ["requests:read", "requests:write"];
    [(), ()].map(|()| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("signing"), "a secret that all of the gateways have").unwrap();
        let toml = format!(
            "[store]\nurl = \"{url}\"\n[issuer]\nurl = \"https://anteroom.example\"\nsecrets = [\"file:signing\"]\n{}",
            client("acme", "an-example-of-a-secret", &scopes)
        );
        Gateway::in_folder(folder, &toml)
    })
}

#[tokio::test]
async fn tokens_cursors_keys_and_cancellations_cross() {
    let [one, two] = gateways();
    let token = one.token("acme", "an-example-of-a-secret", None).await;
    let ids = [one.submit(&token).await, two.submit(&token).await, one.submit(&token).await];
    for id in &ids {
        let path = format!("/v1/requests/{id}");
        let (at_one, at_two) = (one.get(&token, &path).await, two.get(&token, &path).await);
        assert_eq!((at_one.status, at_one.header("etag")), (200, at_two.header("etag")));
    }
    let first = one.get(&token, "/v1/requests?limit=1").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = two.get(&token, &format!("/v1/requests?limit=2&cursor={cursor}")).await.json();
    let mut listed: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| item["request_id"].as_str().unwrap().to_owned())
        .collect();
    listed.sort_unstable();
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    assert_eq!(listed, sorted);
    let body = json!({ "type": "default", "payload": {} });
    let submit = |gateway: &Gateway| {
        Answer::to(
            gateway.call(Method::POST, "/v1/requests").bearer_auth(&token).header("idempotency-key", "k").json(&body),
        )
    };
    let (before, after) = (submit(&one).await, submit(&two).await);
    assert_eq!((before.status, after.status, after.header("idempotent-replayed")), (202, 202, "true"));
    assert_eq!(before.json()["request_id"], after.json()["request_id"]);
    let path = format!("/v1/requests/{}/cancel", ids[0]);
    let cancelled = Answer::to(two.call(Method::POST, &path).bearer_auth(&token)).await;
    assert_eq!(cancelled.json()["status"], "cancelled");
    assert_eq!(one.get(&token, &format!("/v1/requests/{}", ids[0])).await.json(), {
        let mut view = cancelled.json();
        let base = |gateway: &Gateway| gateway.url("");
        let text = view.to_string().replace(&base(&two), &base(&one));
        view = serde_json::from_str(&text).unwrap();
        view
    });
}

#[tokio::test]
async fn an_end_is_not_shown_while_another_gateway_may_yet_undo_it() {
    let on = Opened::at(place());
    let sent = request(&owner("anna"), START, 1);
    on.submit(new(sent.clone())).await;
    // What an act does first, before it judges.
    let (mut judge, connection) = tokio_postgres::connect(&on.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let act = judge.transaction().await.unwrap();
    act.execute("SELECT id FROM requests FOR NO KEY UPDATE", &[]).await.unwrap();
    on.clock.set(START.plus_millis(14_999));
    assert_eq!(on.requests().find_any(sent.id).await.unwrap().as_deref(), Some(&sent), "it has not ended");
    on.clock.set(START.plus_millis(15_000));
    let (one, requests, id) = (on.requests(), on.requests(), sent.id);
    let found = tokio::spawn(async move { one.find_any(id).await.unwrap() });
    let listed = tokio::spawn(async move {
        requests.list(None, &Filter::default(), None, 10, START.plus_millis(15_000)).await.unwrap()
    });
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    crate::patience::until(|| Server::shared().sql(&on.url, waiting).trim() == "2").await;
    assert!(!found.is_finished() && !listed.is_finished());
    act.commit().await.unwrap();
    assert_eq!(found.await.unwrap().as_deref(), Some(&sent));
    assert_eq!(listed.await.unwrap(), [sent.into()]);
}

#[tokio::test]
async fn a_request_that_comes_in_with_an_endpoint_is_followed() {
    let on = Arc::new(Opened::at(place()));
    on.submit(new(request(&owner("anna"), START, 1))).await;
    // A submission that has begun, and waits for another of its key.
    let (mut other, connection) = tokio_postgres::connect(&on.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let first = other.transaction().await.unwrap();
    let key = "INSERT INTO idempotency (owner, route, key, fingerprint, id) SELECT owner, 'POST /v1/requests', 'k', '', 'x' FROM owners";
    first.execute(key, &[]).await.unwrap();
    let submitted = tokio::spawn({
        let on = Arc::clone(&on);
        async move { on.submit(keyed(request(&owner("anna"), START, 2), "k", 1)).await }
    });
    let waiting = async |count: &str| {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        crate::patience::until(|| Server::shared().sql(&on.url, waiting).trim() == count).await;
    };
    waiting("1").await;
    let listening = tokio::spawn({
        let on = Arc::clone(&on);
        async move { webhooks::listen(&on, "anna", 1, &[Status::Succeeded]).await }
    });
    waiting("2").await;
    first.rollback().await.unwrap();
    assert!(matches!(submitted.await.unwrap(), Submission::Accepted(_)));
    let endpoint = listening.await.unwrap();
    on.clock.advance(Duration::from_secs(15));
    on.store.webhooks().follow(10).await.unwrap();
    assert_eq!(on.store.webhooks().deliveries(endpoint, None, 10).await.unwrap().len(), 2);
}
