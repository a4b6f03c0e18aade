//! The server goes and comes back: nothing accepted is lost, the gateway says so meanwhile, and goes on by itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anteroom::app::SystemClock;
use anteroom::core::clock::Clock;

use crate::patience::until;
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

#[tokio::test]
async fn a_server_that_goes_and_comes_back_loses_nothing() {
    let server = Server::new(&["max_connections=100"]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("signing"), "a secret that all of the gateways have").unwrap();
    let toml = format!("[store]\nurl = \"{}\"\n[issuer]\nsecrets = [\"file:signing\"]\n", server.database());
    let gateway = Gateway::configured(folder.path(), &toml, &[]);
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
            match outcome {
                Ok(id) => {
                    assert_eq!(
                        client.key_of(&id).await.as_deref(),
                        Some(key.as_str()),
                        "{id} was accepted and is lost"
                    );
                    answered += 1;
                }
                // Nobody knows whether it was stored; the key settles that.
                Err(_) => {
                    let id = client.submit(&key).await.unwrap();
                    assert_eq!(client.ids_of(&key).await, [id]);
                }
            }
        }
    }
    assert!(answered > 80, "{answered}");
}
