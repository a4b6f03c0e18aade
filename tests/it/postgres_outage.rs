//! The server goes and comes back: nothing accepted is lost, the gateway says so meanwhile, and goes on by itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anteroom::app::SystemClock;
use anteroom::core::clock::Clock;

use crate::gateway::Answer;
use crate::patience::{patiently, until};
use crate::postgres_server::Server;
use crate::process::{Client, Gateway};

/// What a client was told, by key.
type Told = HashMap<String, Result<String, String>>;

/// Submits one request after the other, until told to stop.
async fn submit(client: Client, number: usize, stop: Arc<AtomicBool>, accepted: Arc<AtomicUsize>) -> Told {
    let mut told = Told::new();
    for sent in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("k{number}-{sent}");
        let outcome = client.submit(&key).await;
        match &outcome {
            Ok(_) => _ = accepted.fetch_add(1, Ordering::Relaxed),
            Err(error) => assert!(error.starts_with("503 "), "{error}"),
        }
        told.insert(key, outcome);
    }
    told
}

async fn is_ready(http: &reqwest::Client, gateway: &Gateway) -> bool {
    http.get(format!("{}/readyz", gateway.base())).send().await.unwrap().status() == 200
}

/// A gateway with a database of this server.
fn gateway_at(server: &Server, folder: &std::path::Path) -> Gateway {
    std::fs::write(folder.join("signing"), "a secret that all of the gateways have").unwrap();
    let toml = format!("[store]\nurl = \"{}\"\n[issuer]\nsecrets = [\"file:signing\"]\n", server.database());
    Gateway::configured(folder, &toml, &[])
}

#[tokio::test]
async fn a_server_that_freezes_keeps_no_call_waiting() {
    let server = Server::new(&["max_connections=100"]);
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway_at(&server, folder.path());
    let (http, client) = (crate::gateway::http(), gateway.client().await);
    let id = client.submit("before").await.unwrap();
    let read = async |id: &str| {
        let call = http.get(format!("{}/v1/requests/{id}", gateway.base())).bearer_auth(client.token());
        let answer = Answer::to(call).await;
        (answer.status, answer.json()["code"].as_str().map(str::to_owned))
    };
    let clock = SystemClock::start();
    for round in 0..2 {
        let key = format!("frozen-{round}");
        // Sessions that are idle when it freezes: the calls wait on them, and not for new ones.
        let all = futures_util::future::join_all((0..8).map(|_| read(&id))).await;
        assert!(all.iter().all(|(status, _)| *status == 200), "{all:?}");
        server.freeze();
        let began = clock.monotonic();
        let reads = futures_util::future::join_all((0..4).map(|_| read(&id)));
        let (reads, written) = patiently(futures_util::future::join(reads, client.submit(&key))).await;
        let took = clock.monotonic().saturating_sub(began);
        let unreadable = (503, Some("store_unreadable".to_owned()));
        assert!(reads.iter().all(|read| *read == unreadable), "{reads:?}");
        let unanswered = written.unwrap_err();
        assert!(unanswered.starts_with("503 ") && unanswered.contains("store_unavailable"), "{unanswered}");
        assert!(took < Duration::from_secs(20), "a call in flight was answered after {took:?}");
        assert!(!is_ready(&http, &gateway).await);
        server.thaw();
        patiently(async { while !is_ready(&http, &gateway).await {} }).await;
        assert_eq!(read(&id).await, (200, None));
        // Nobody knew whether it was stored; the key settles that.
        let stored = client.submit(&key).await.unwrap();
        assert_eq!(client.ids_of(&key).await, [stored]);
    }
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back_loses_nothing() {
    let server = Server::new(&["max_connections=100"]);
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway_at(&server, folder.path());
    let (http, client) = (crate::gateway::http(), gateway.client().await);
    let (stop, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|number| tokio::spawn(submit(client.clone(), number, Arc::clone(&stop), Arc::clone(&accepted))))
        .collect();
    let more_than = |count: usize| {
        let accepted = Arc::clone(&accepted);
        until(move || accepted.load(Ordering::Relaxed) > count)
    };
    let clock = SystemClock::start();
    for _ in 0..2 {
        more_than(accepted.load(Ordering::Relaxed) + 40).await;
        server.stop();
        while is_ready(&http, &gateway).await {}
        let unanswered = client.submit("meanwhile").await.unwrap_err();
        assert!(unanswered.starts_with("503 ") && unanswered.contains("store_unavailable"), "{unanswered}");
        let before = accepted.load(Ordering::Relaxed);
        server.start();
        let began = clock.monotonic();
        more_than(before).await;
        while !is_ready(&http, &gateway).await {}
        let took = clock.monotonic().saturating_sub(began);
        assert!(took < Duration::from_secs(5), "it took {took:?} after the return of the server");
    }
    stop.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for told in clients {
        for (key, outcome) in told.await.unwrap() {
            if let Ok(id) = outcome {
                assert_eq!(client.key_of(&id).await.as_deref(), Some(key.as_str()), "{id} was accepted and is lost");
                answered += 1;
            } else {
                // Nobody knows whether it was stored; the key settles that.
                let id = client.submit(&key).await.unwrap();
                assert_eq!(client.ids_of(&key).await, [id]);
            }
        }
    }
    assert!(answered > 80, "{answered}");
}
