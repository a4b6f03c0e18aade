//! What every store promises about time: its filters agree with `view`, and its cancellations with its readers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use anteroom::core::BoxFuture;
use anteroom::core::clock::{Clock, SetClock, Timestamp};
use anteroom::core::ports::Store;
use anteroom::core::ports::requests::Filter;
use anteroom::core::request::{Request, Status, view};
use anteroom::core::timeline::Timeline;
use futures_util::future::join_all;
use proptest::prelude::*;

use crate::stores::{Opened, Place, START, cancel, id, new, on_timeline, owner, request, stage};

fn timelines() -> impl Strategy<Value = Arc<Timeline>> {
    let status = prop::sample::select(vec![Status::Scheduled, Status::Queued, Status::Running, Status::Retrying]);
    let last = prop::sample::select(vec![Status::Succeeded, Status::Failed]);
    (prop::collection::vec((1_i64..4, status), 0..4), last).prop_map(|(early, last)| {
        let mut after = 0;
        let mut stages: Vec<_> = Vec::new();
        for (length, status) in early {
            stages.push(stage(after, "early", status));
            after += length;
        }
        stages.push(stage(after, "last", last));
        Arc::new(Timeline::new(stages, None, None).unwrap())
    })
}

/// What one request goes through: its timeline, when it is submitted, and when its cancellation is tried.
type Life = (prop::sample::Index, i64, Option<i64>);

pub(crate) fn a_status_filter_lets_through_what_view_says(place: impl AsyncFn() -> Place) {
    let life = (any::<prop::sample::Index>(), 0_i64..8, prop::option::weighted(0.3, 0_i64..12));
    let lives = prop::collection::vec(life, 1..24);
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(timelines in prop::collection::vec(timelines(), 1..4), lives in lives)| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { compare_filters(Opened::at(place().await), &timelines, &lives).await });
    });
}

async fn compare_filters(on: Opened, timelines: &[Arc<Timeline>], lives: &[Life]) {
    let anna = owner("anna");
    let requests = on.requests();
    let sent: Vec<_> = (0..)
        .zip(lives)
        .map(|(number, (timeline, at, _))| {
            on_timeline(Arc::clone(timeline.get(timelines)), request(&anna, START.plus_millis(*at), number))
        })
        .collect();
    join_all(sent.iter().map(|request| requests.submit(new(request.clone())))).await;
    for (request, (_, at, cancel)) in sent.iter().zip(lives) {
        if let Some(cancel) = cancel {
            on.clock.set(START.plus_millis(at + cancel));
            on.cancel(&anna, request.id).await;
        }
    }
    for now in (-2..22).map(|millis| START.plus_millis(millis)) {
        let all = requests.list(Some(&anna), &Filter::default(), None, 1000, now).await.unwrap();
        assert_eq!(all.len(), sent.len());
        let open = all.iter().filter(|request| request.ends_at().is_some_and(|end| end > now)).count() as u64;
        assert_eq!(requests.count_open(&anna, 1000, now).await.unwrap(), open, "open at {now}");
        for status in Status::ALL {
            let expected: Vec<_> = all.iter().filter(|request| view(request, now).status == status).cloned().collect();
            let filter = Filter { statuses: vec![status], ..Filter::default() };
            let listed = requests.list(Some(&anna), &filter, None, 1000, now).await.unwrap();
            assert_eq!(listed, expected, "{status} at {now}");
        }
    }
}

/// A clock that lets a reader in at the moment at which a cancellation is judged, and time pass until the reader is done.
struct IntrusiveClock {
    set: SetClock,
    store: OnceLock<Arc<dyn Store>>,
    intruded: AtomicBool,
    seen: mpsc::Sender<(Timestamp, Request)>,
}

impl Clock for IntrusiveClock {
    fn now(&self) -> Timestamp {
        let now = self.set.now();
        if !self.intruded.swap(true, Ordering::SeqCst) {
            self.set.set(START.plus_millis(15_000));
            let (requests, at, seen) = (self.store.get().unwrap().requests(), self.set.now(), self.seen.clone());
            let (done, is_done) = mpsc::channel();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let found = runtime.block_on(requests.find(&owner("anna"), id(START, 1))).unwrap().unwrap();
                seen.send((at, (*found).clone())).unwrap();
                done.send(()).ok();
            });
            // A store that lets no reader in here keeps it waiting longer than this.
            is_done.recv_timeout(Duration::from_millis(100)).ok();
        }
        now
    }

    fn monotonic(&self) -> Duration {
        self.set.monotonic()
    }

    fn sleep_until(&self, instant: Timestamp) -> BoxFuture<'static, ()> {
        self.set.sleep_until(instant)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.set.sleep(duration)
    }
}

pub(crate) fn no_reader_sees_an_end_that_a_cancellation_undoes(place: impl AsyncFn() -> Place) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let place = runtime.block_on(place());
    let (seen, reader_saw) = mpsc::channel();
    let set = SetClock::at(START.plus_millis(14_999));
    let clock = IntrusiveClock { set, store: OnceLock::new(), intruded: AtomicBool::new(false), seen };
    let clock = Arc::new(clock);
    let store = place.open(Arc::clone(&clock) as Arc<dyn Clock>);
    assert!(clock.store.set(Arc::clone(&store)).is_ok());
    let requests = store.requests();
    runtime.block_on(requests.submit(new(request(&owner("anna"), START, 1)))).unwrap();
    let answer = runtime.block_on(requests.act_all(vec![cancel(&owner("anna"), id(START, 1))])).unwrap();
    assert!(matches!(&answer[..], [Some(outcome)] if outcome.refused.is_none()), "{answer:?}");
    let (at, request) = reader_saw.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(view(&request, at).status, Status::Cancelled);
}
