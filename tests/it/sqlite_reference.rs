//! The SQLite store beside the one in memory: after any operations they tell the same, and every filter lets the same through.

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::clock::{Clock, Timestamp};
use anteroom::core::ports::requests::{Claim, Filter, NewRequest, Order, Position, Retention, Target};
use anteroom::core::request::{
    Act, Backoff, By, Output, Owner, Process, Report, Request, RequestId, Status, Tags, Work, Worker,
};
use anteroom::core::timeline::Failure;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::stores::{Opened, START, failing, id, keyed, new, on_timeline, owner, request};
use crate::webhooks::store as webhooks;

const SECONDS: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
enum Step {
    /// Whose, whether workers work on it, how long until `not_before` and `deadline`, and its label.
    Submit(bool, bool, Option<i64>, Option<i64>, bool),
    Pass(i64),
    Claim(usize),
    Act(Index, Act),
    Settle(usize),
    Purge(Retention, usize),
    /// Tell the stages of timelines; and take up what is due, and report on it.
    Follow(usize),
    Send(usize, u16),
}

fn failure(retryable: bool) -> Failure {
    Failure { code: "broken".into(), title: "Broken".into(), detail: String::new(), retryable }
}

fn act() -> impl Strategy<Value = Act> {
    let epoch = 1_u32..3;
    let output = |large: bool| Output {
        content_type: Output::JSON.into(),
        body: format!("{{\"a\":\"{}\"}}", "b".repeat(if large { 5000 } else { 5 })).into_bytes(),
    };
    let backoff = Backoff { first: 2 * SECONDS, most: 4 * SECONDS };
    let report = Report { percent: Some(12.5), message: None, stage: Some("half".into()) };
    prop_oneof![
        Just(Act::Cancel),
        (epoch.clone(), any::<bool>()).prop_map(move |(epoch, is_told)| Act::Heartbeat {
            epoch,
            lease: 3 * SECONDS,
            report: is_told.then(|| report.clone()),
        }),
        (epoch.clone(), any::<bool>()).prop_map(move |(epoch, large)| Act::Complete { epoch, output: output(large) }),
        (epoch.clone(), any::<bool>()).prop_map(move |(epoch, retryable)| Act::Fail {
            epoch,
            error: failure(retryable),
            retry_after: None,
            backoff,
            chance: 0,
        }),
        epoch.prop_map(|epoch| Act::Release { epoch, delay: SECONDS }),
        Just(Act::Redrive),
        Just(Act::Advance),
        Just(Act::Erase),
        Just(Act::Settle),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let retention = |request, payload, most_requests| Retention {
        request: SECONDS * request,
        payload: SECONDS * payload,
        most_requests,
        most_bytes: None,
    };
    prop_oneof![
        4 => (any::<bool>(), any::<bool>(), prop::option::of(-1_i64..6), prop::option::of(3_i64..12), any::<bool>())
            .prop_map(|(whose, is_work, begins, ends, tag)| Step::Submit(whose, is_work, begins, ends, tag)),
        4 => (500_i64..3000).prop_map(Step::Pass),
        4 => (1_usize..4).prop_map(Step::Claim),
        8 => (any::<Index>(), act()).prop_map(|(index, act)| Step::Act(index, act)),
        1 => (0_usize..3).prop_map(Step::Settle),
        1 => (1_usize..5).prop_map(Step::Follow),
        1 => (1_usize..4, select(vec![200_u16, 500, 410])).prop_map(|(most, status)| Step::Send(most, status)),
        1 => (5_u32..20, 0_u32..8, select(vec![None, Some(12)]), 1_usize..5)
            .prop_map(move |(request, payload, most, at_once)| Step::Purge(retention(request, payload, most), at_once)),
    ]
}

/// The request that a submission is of; the number makes its id.
fn submitted(number: u64, step: &Step, on: &Opened) -> Option<NewRequest> {
    let Step::Submit(is_bob, is_work, begins, ends, is_tagged) = step else { return None };
    let now = on.clock.now();
    let at = |seconds: &Option<i64>| seconds.map(|seconds| now.plus_millis(1000 * seconds));
    let plain = request(&owner(if *is_bob { "bob" } else { "anna" }), now, number);
    let mut request = if number.is_multiple_of(3) { on_timeline(failing(), plain) } else { plain };
    (request.not_before, request.deadline) = (at(begins), at(ends));
    request.trace_id = is_tagged.then(|| format!("trace-{number}"));
    if *is_tagged {
        request.tags = Tags::from([("a\"b".into(), "c".into())]);
    }
    if *is_work {
        request.kind = if number.is_multiple_of(2) { "cut" } else { "fold" }.into();
        request.process = Process::Lease(Box::new(Work::new(now, request.begins_at(), 2)));
    }
    let by = By { actor: Some("anna".into()), trace_id: request.trace_id.clone() };
    Some(NewRequest { by, ..keyed(request, &format!("key-{number}"), 1) })
}

fn claim(most: usize) -> Claim {
    let worker = Worker { issuer: "https://issuer.example/".into(), subject: "w".into(), id: "w-1".into() };
    let kinds = vec![("cut".into(), 4 * SECONDS), ("fold".into(), 60 * SECONDS)];
    Claim { kinds, most, lease: 3 * SECONDS, worker, by: By { actor: Some("w".into()), trace_id: None } }
}

/// What a store gives to send, and what it makes of what came of it.
async fn sent_webhooks(on: &Opened, most: usize, status: u16) -> String {
    let taken = webhooks::take(on, most).await;
    let mut told = format!("{taken:?}");
    for (delivery, _) in taken {
        told += &format!("{:?}", webhooks::report(on, delivery.id, status).await);
    }
    told
}

/// What a store answers to a step, as text.
async fn answer(on: &Opened, step: &Step, sent: &[RequestId]) -> String {
    let requests = on.requests();
    match step {
        Step::Submit(..) => format!("{:?}", on.submit(submitted(sent.len() as u64, step, on).unwrap()).await),
        Step::Pass(millis) => {
            on.clock.set(on.clock.now().plus_millis(*millis));
            String::new()
        }
        Step::Claim(most) => {
            // What has expired, a claim may settle in passing, and the one in memory does not.
            requests.settle(1000).await.unwrap();
            format!("{:?}", requests.claim(claim(*most)).await.unwrap())
        }
        Step::Act(_, _) if sent.is_empty() => String::new(),
        Step::Act(index, act) => {
            let by = By { actor: None, trace_id: Some("t".into()) };
            let order = Order { target: Target { owner: None, id: *index.get(sent) }, act: act.clone(), by };
            format!("{:?}", requests.act_all(vec![order]).await.unwrap())
        }
        Step::Settle(most) => format!("{:?}", requests.settle(*most).await.unwrap()),
        Step::Follow(most) => format!("{:?}", on.store.webhooks().follow(*most).await.unwrap()),
        Step::Send(most, status) => sent_webhooks(on, *most, *status).await,
        Step::Purge(retention, most) => format!("{:?}", requests.purge(*retention, *most).await.unwrap()),
    }
}

fn filters() -> Vec<Filter> {
    let plain = Filter::default;
    let mut filters: Vec<_> = Status::ALL.map(|status| Filter { statuses: vec![status], ..plain() }).into();
    filters.extend([
        plain(),
        Filter { statuses: vec![Status::Failed, Status::Cancelled], leased_types_only: true, ..plain() },
        Filter {
            statuses: vec![Status::Running, Status::Succeeded],
            kinds: vec!["cut".into(), "default".into()],
            ..plain()
        },
        Filter { leased_types_only: true, ..plain() },
        Filter { tags: Tags::from([("a\"b".into(), "c".into())]), ..plain() },
        Filter { tags: Tags::from([("a".into(), "c".into())]), ..plain() },
        Filter { submitted_after: Some(START.plus_millis(4000)), ..plain() },
        Filter { submitted_before: Some(START.plus_millis(4000)), statuses: vec![Status::Failed], ..plain() },
        Filter { updated_after: Some(START.plus_millis(6000)), ..plain() },
        Filter { stage: Some("half".into()), ..plain() },
        Filter { idempotency_key: Some(("POST /v1/requests", "key-1".into())), ..plain() },
    ]);
    filters
}

/// Everything that a store tells.
async fn tell(on: &Opened, sent: &[RequestId]) -> Vec<String> {
    let (requests, now) = (on.requests(), on.clock.now());
    let mut told = vec![format!("{:?}", requests.backlogs().await.unwrap())];
    told.extend(webhooks::everything(on, &["anna", "bob"]).await);
    for id in sent {
        let found = requests.find_any(*id).await.unwrap();
        let (payload, output) = (requests.payload(*id).await.unwrap(), requests.output(*id).await.unwrap());
        let events = if found.is_some() { requests.events(*id).await.unwrap() } else { Vec::new() };
        told.push(format!("{found:?} {payload:?} {output:?} {events:?}"));
    }
    let mut filters = filters();
    filters.push(Filter { ids: sent.iter().step_by(2).copied().collect(), ..Filter::default() });
    for filter in filters {
        for owner in [None, Some(owner("anna")), Some(owner("bob"))] {
            told.push(format!("{filter:?} {owner:?} {:?}", pages(on, owner.as_ref(), &filter, now).await));
        }
    }
    told
}

async fn pages(on: &Opened, owner: Option<&Owner>, filter: &Filter, now: Timestamp) -> Vec<Arc<Request>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = on.requests().list(owner, filter, after, 3, now).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = Some(Position { submitted_at: last.submitted_at, id: last.id });
        all.extend(page);
    }
}

async fn compare(steps: &[Step]) {
    let mut sqlite = Opened::new("sqlite:anteroom.db");
    let memory = Opened::new("memory:");
    // The owners take turns in the order in which they came.
    for on in [&sqlite, &memory] {
        on.submit(new(request(&owner("anna"), START, 1000))).await;
        on.submit(new(request(&owner("bob"), START, 1001))).await;
        webhooks::listen(on, "anna", 1, &Status::ALL).await;
        webhooks::listen(on, "bob", 2, &[Status::Succeeded, Status::Failed]).await;
    }
    let mut sent = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let answers = (answer(&sqlite, step, &sent).await, answer(&memory, step, &sent).await);
        assert_eq!(answers.0, answers.1, "step {number}, {step:?}");
        if matches!(step, Step::Submit(..)) {
            sent.push(id(memory.clock.now(), sent.len() as u64));
        }
        if number % 20 == 19 {
            assert_same(&tell(&sqlite, &sent).await, &tell(&memory, &sent).await);
        }
    }
    sqlite = sqlite.reopened().await;
    webhooks::told_once(&sqlite, &sent).await;
    webhooks::told_once(&memory, &sent).await;
    assert_same(&tell(&sqlite, &sent).await, &tell(&memory, &sent).await);
    let directory = sqlite.directory.path().to_owned();
    sqlite.store.close().await;
    let settings = anteroom::store::StoreSettings { url: "sqlite:anteroom.db".into() };
    assert_eq!(anteroom::store::check(&settings, &directory).unwrap(), Vec::<String>::new());
}

fn assert_same(sqlite: &[String], memory: &[String]) {
    for (one, other) in sqlite.iter().zip(memory) {
        assert_eq!(one, other);
    }
}

#[test]
fn it_tells_the_same_as_the_one_in_memory() {
    let config =
        ProptestConfig { cases: 16, failure_persistence: None, max_shrink_iters: 64, ..ProptestConfig::default() };
    proptest!(config, |(steps in prop::collection::vec(step(), 60))| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(&steps));
    });
}
