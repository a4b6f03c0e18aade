//! What the gateway does by itself: it writes down what has expired, wakes who waits for it, and removes what is kept too long.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anteroom::app::SystemEntropy;
use anteroom::core::clock::Clock;
use anteroom::core::ports::requests::Claim;
use anteroom::core::request::{By, Process, Request, RequestId, Status, Work, WorkState, Worker};
use anteroom::queue::Queue;
use anteroom::queue::retention::RetentionSettings;
use anteroom::queue::types::Types;
use anteroom::telemetry::metrics::Metrics;

use crate::gateway::Gateway;
use crate::patience::{patiently, until};
use crate::postgres_server::place;
use crate::stores::{Opened, START, new, owner, request};

/// A queue over a store, and what it counts.
struct Kept {
    on: Opened,
    queue: Queue,
    metrics: Metrics,
}

impl Kept {
    fn new(settings: RetentionSettings) -> Self {
        Self::over(Opened::new("memory:"), settings)
    }

    fn over(on: Opened, settings: RetentionSettings) -> Self {
        let (types, metrics) = (Types::build(&BTreeMap::new(), Path::new("")).unwrap(), Metrics::new());
        let queue =
            Queue::new(on.requests(), types, Arc::new(on.clock.clone()), Arc::new(SystemEntropy), metrics.leases());
        let queue = queue.retaining(settings.retention());
        Self { on, queue, metrics }
    }

    /// Keeps the house while the test goes on.
    async fn while_kept(&self, test: impl Future<Output = ()>) {
        tokio::select! {
            never = self.queue.keep(self.metrics.keeper()) => match never {},
            () = test => {}
        }
    }

    /// Stores a request for workers, to be done so many seconds after the start.
    async fn submit(&self, number: u64, deadline: i64, attempts: u32) -> RequestId {
        let now = self.on.clock.now();
        let process = Process::Lease(Box::new(Work::new(now, now, attempts)));
        let deadline = Some(START.plus_millis(deadline * 1000));
        let request = Request { kind: "render".into(), process, deadline, ..request(&owner("anna"), now, number) };
        self.on.submit(new(request.clone())).await;
        self.queue.watch().changed(&request);
        request.id
    }

    async fn state(&self, id: RequestId) -> WorkState {
        self.on.requests().find_any(id).await.unwrap().unwrap().work().unwrap().state
    }

    /// The samples of what the keeper counts that are not 0.
    fn counted(&self) -> Vec<String> {
        let text = self.metrics.encode(&[], &[], START);
        let ours = |line: &&str| ["anteroom_settled", "anteroom_purged"].iter().any(|name| line.starts_with(name));
        let mut lines: Vec<_> =
            text.lines().filter(ours).filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

const ENDED: fn(Status) -> WorkState = WorkState::Ended;

#[tokio::test]
async fn an_end_is_written_down_when_it_comes_and_who_waits_is_woken() {
    let kept = Kept::new(RetentionSettings::default());
    kept.while_kept(async {
        let far = kept.submit(1, 100, 3).await;
        // Nearer than what the keeper waits for by now, also when it has begun to wait.
        tokio::task::yield_now().await;
        let near = kept.submit(2, 10, 3).await;
        let waiter = kept.queue.watch().request(near);
        let changed = waiter.changed();
        kept.on.clock.advance(Duration::from_secs(10));
        patiently(changed).await;
        assert_eq!(kept.state(near).await, ENDED(Status::Expired));
        assert_eq!(kept.state(far).await, WorkState::Waiting { until: START });
        let waiter = kept.queue.watch().request(far);
        let changed = waiter.changed();
        kept.on.clock.advance(Duration::from_secs(90));
        patiently(changed).await;
        assert_eq!(kept.state(far).await, ENDED(Status::Expired));
    })
    .await;
    assert_eq!(kept.counted(), ["anteroom_settled_requests_total{status=\"expired\"} 2"]);
}

#[tokio::test]
async fn a_worker_that_is_lost_in_the_last_attempt_is_noticed() {
    let kept = Kept::new(RetentionSettings::default());
    kept.while_kept(async {
        let id = kept.submit(1, 1_000, 1).await;
        let worker = Worker { issuer: "i".into(), subject: "s".into(), id: "w".into() };
        let minute = Duration::from_mins(1);
        let claim = Claim { kinds: vec![("render".into(), minute)], most: 1, lease: minute, worker, by: By::default() };
        let claimed = kept.on.requests().claim(claim).await.unwrap();
        kept.queue.watch().changed(&claimed.leased[0].0);
        let waiter = kept.queue.watch().request(id);
        let changed = waiter.changed();
        kept.on.clock.advance(minute);
        patiently(changed).await;
        assert_eq!(kept.state(id).await, ENDED(Status::Failed));
    })
    .await;
    assert_eq!(kept.counted(), ["anteroom_settled_requests_total{status=\"failed\"} 1"]);
}

#[tokio::test]
async fn what_the_store_had_before_the_start_is_settled_at_once() {
    let kept = Kept::new(RetentionSettings::default());
    let mut ids = Vec::new();
    for number in 0..600 {
        ids.push(kept.submit(number, 10, 3).await);
    }
    kept.on.clock.advance(Duration::from_mins(1));
    kept.while_kept(async {
        until(|| kept.counted() == ["anteroom_settled_requests_total{status=\"expired\"} 600"]).await;
    })
    .await;
    for id in ids {
        assert_eq!(kept.state(id).await, ENDED(Status::Expired));
    }
}

#[tokio::test]
async fn an_end_that_another_gateway_has_in_hand_is_looked_at_again_soon() {
    let kept = Kept::over(Opened::at(place()), RetentionSettings::default());
    let id = kept.submit(1, 10, 3).await;
    let (mut other, connection) = tokio_postgres::connect(&kept.on.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let held = other.transaction().await.unwrap();
    held.execute("SELECT id FROM requests FOR UPDATE", &[]).await.unwrap();
    kept.while_kept(async {
        kept.on.clock.advance(Duration::from_secs(10));
        // The keeper looks meanwhile, and finds that it is not to be had.
        for _ in 0..10 {
            held.execute("SELECT pg_sleep(0.02)", &[]).await.unwrap();
        }
        held.commit().await.unwrap();
        kept.on.clock.advance(Duration::from_secs(1));
        until(|| kept.counted() == ["anteroom_settled_requests_total{status=\"expired\"} 1"]).await;
    })
    .await;
    assert_eq!(kept.state(id).await, ENDED(Status::Expired));
}

#[tokio::test]
async fn what_is_too_old_goes_in_batches_and_the_payload_first() {
    let settings = RetentionSettings {
        request: "1h".parse().unwrap(),
        payload: "10m".parse().unwrap(),
        ..RetentionSettings::default()
    };
    let kept = &Kept::new(settings);
    for number in 0..1_200 {
        kept.on.submit(new(request(&owner("anna"), START, number))).await;
    }
    kept.while_kept(async {
        // They end after 15 seconds.
        let by = |lines: &'static [&str]| {
            until(move || {
                kept.on.clock.advance(Duration::from_millis(50));
                kept.counted() == lines
            })
        };
        kept.on.clock.advance(Duration::from_secs(15 + 600));
        by(&["anteroom_purged_total{what=\"payload\"} 1200"]).await;
        assert_eq!(kept.on.all(&owner("anna")).await.len(), 1_000, "as many as are asked for");
        kept.on.clock.advance(Duration::from_hours(1));
        by(&["anteroom_purged_total{what=\"payload\"} 1200", "anteroom_purged_total{what=\"request\"} 1200"]).await;
        assert!(kept.on.all(&owner("anna")).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_gateway_removes_what_its_owner_could_see() {
    let gateway = Gateway::configured(
        "issuer.lifetime = \"24h\"\nserver.public_url = \"http://localhost:8080\"\n[retention]\nrequest = \"1m\"\npayload = \"1m\"\n",
    );
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let path = format!("/v1/requests/{id}");
    gateway.advance(15);
    assert_eq!(gateway.get(&token, &path).await.json()["status"], "succeeded");
    patiently(async {
        // Now and then, since the token is to outlast a slow machine.
        for round in 0.. {
            if round % 20 == 0 {
                gateway.advance(60);
            }
            if gateway.get(&token, &path).await.status == 404 {
                break;
            }
        }
    })
    .await;
    // It is counted after the commit, which may have been seen before.
    let is_counted =
        async || gateway.operate("/metrics").await.text.contains("anteroom_purged_total{what=\"request\"} 1\n");
    patiently(async { while !is_counted().await {} }).await;
}

#[test]
fn a_limit_of_0_would_keep_nothing() {
    let settings = RetentionSettings { max_requests: 0, max_bytes: 0, ..RetentionSettings::default() };
    let told: Vec<_> = settings.mistakes().iter().map(ToString::to_string).collect();
    let of = |key: &str| {
        format!("retention.{key}: with 0 no request would be kept. Give a number above 0, or leave the key out")
    };
    assert_eq!(told, [of("max_requests"), of("max_bytes")]);
    assert_eq!(RetentionSettings::default().mistakes(), []);
}
