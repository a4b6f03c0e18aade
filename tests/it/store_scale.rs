//! What the stores take for each kind of statement when they hold 100,000 requests of workers: not run by default, since it takes
//! minutes; `cargo test --release --test it store_scale -- --ignored --nocapture` tells the times.

use std::time::{Duration, Instant};

use anteroom::core::ports::requests::{Claim, Filter, NewRequest, Retention};
use anteroom::core::request::{Act, Output, Request, RequestId, Status};
use futures_util::future::join_all;

use crate::postgres_server;
use crate::stores::{Opened, Place, START, by, id, new, order, owner, request, worked_on, worker};

const MANY: u64 = 100_000;
const OWNERS: u64 = 50;

/// None may take longer than this, in a build for debugging too: the one writer, or a session of the pool, is taken for so long.
const LONGEST: Duration = Duration::from_secs(2);

#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "how long the machine takes is what this is about")]
async fn timed<T>(what: &str, asked: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let answer = asked.await;
    let took = began.elapsed();
    eprintln!("{what}: {took:?}");
    assert!(took < LONGEST, "{what} took {took:?}");
    answer
}

fn claim(most: usize) -> Claim {
    let kinds = vec![("default".into(), Duration::from_mins(30))];
    Claim { kinds, most, lease: Duration::from_mins(1), worker: worker("wendy"), by: by("wendy") }
}

/// A twentieth begins later, and as many have one deadline.
fn one_of_many(number: u64) -> Request {
    let plain = request(&owner(&format!("owner-{}", number % OWNERS)), START, number);
    let not_before = (number % 20 == 1).then(|| START.plus_millis(86_400_000));
    let deadline = number.is_multiple_of(2).then(|| START.plus_millis(3_600_000));
    worked_on(3, Request { not_before, deadline, ..plain })
}

async fn everything_is_quick(place: Place) {
    let on = Opened::at(place);
    let batch = |first| on_all(&on, (first..first + 1000).map(|number| new(one_of_many(number))).collect());
    for first in (0..MANY).step_by(4000) {
        join_all((first..first + 4000).step_by(1000).map(batch)).await;
    }
    let on = reopened(on).await;
    let requests = on.requests();
    for most in [1, 100] {
        let claimed = timed(&format!("claim {most}"), requests.claim(claim(most))).await.unwrap();
        assert_eq!(claimed.leased.len(), most);
        let ids: Vec<RequestId> = claimed.leased.iter().map(|(request, _)| request.id).collect();
        let output = Output { content_type: Output::JSON.into(), body: b"{}".to_vec() };
        let orders = ids.iter().map(|id| order(*id, Act::Complete { epoch: 1, output: output.clone() })).collect();
        timed(&format!("complete {most}"), requests.act_all(orders)).await.unwrap();
    }
    timed("backlogs", requests.backlogs()).await.unwrap();
    let anna = owner("owner-3");
    for status in [Status::Queued, Status::Succeeded, Status::Failed, Status::Scheduled] {
        let filter = Filter { statuses: vec![status], ..Filter::default() };
        timed(&format!("list {}", status.name()), requests.list(Some(&anna), &filter, None, 50, START)).await.unwrap();
        timed(&format!("list all {}", status.name()), requests.list(None, &filter, None, 50, START)).await.unwrap();
    }
    let by_kind = Filter { kinds: vec!["other".into()], ..Filter::default() };
    timed("list kind", requests.list(None, &by_kind, None, 50, START)).await.unwrap();
    let by_id = Filter { ids: (0..100).map(|number| id(START, number * 50 + 3)).collect(), ..Filter::default() };
    timed("list ids", requests.list(Some(&anna), &by_id, None, 100, START)).await.unwrap();
    on.clock.advance(Duration::from_hours(1));
    timed("claim when half have expired", requests.claim(claim(1))).await.unwrap();
    for _ in 0..3 {
        timed("settle", requests.settle(256)).await.unwrap();
    }
    let day = Duration::from_hours(24);
    let kept = Retention { request: day * 30, payload: day, most_requests: None, most_bytes: None };
    while requests.settle(5000).await.unwrap().0.len() == 5000 {}
    on.clock.advance(day * 2);
    while timed("purge payloads", requests.purge(kept, 500)).await.unwrap().more {}
    let on = reopened(on).await;
    let requests = on.requests();
    timed("purge when there is nothing to do", requests.purge(kept, 500)).await.unwrap();
    let few = Retention { most_requests: Some(MANY / 2), most_bytes: Some(1 << 40), ..kept };
    for _ in 0..3 {
        timed("purge", requests.purge(few, 500)).await.unwrap();
    }
    on.store.close().await;
}

async fn on_all(on: &Opened, new: Vec<NewRequest>) {
    on.requests().submit_all(new).await.unwrap();
}

async fn reopened(on: Opened) -> Opened {
    on.store.close().await;
    timed("open", on.reopened()).await
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn everything_is_quick_in_sqlite() {
    everything_is_quick(Place::of("sqlite:requests.db")).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn everything_is_quick_in_postgres() {
    everything_is_quick(postgres_server::place()).await;
}
