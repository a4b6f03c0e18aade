//! A store beside the reference: the same random operations on both, and every answer the same.

use std::time::Duration;

use anteroom::core::clock::{Clock, Timestamp};
use anteroom::core::ports::requests::{
    Backlog, Claim, Filter, Idempotency, NewRequest, Order, Position, Requests, Retention, Target,
};
use anteroom::core::request::{Act, By, Owner, Request, RequestId, Status, Tags, view};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::invariants::lives::{begun, by_epoch};
use crate::store_contract::webhooks;
use crate::stores::{Opened, Place, START, by, id, owner, request, worker};

mod operations;
mod records;

pub(crate) use records::records_are_what_the_reference_has;

use operations::{ALIASES, Draft, FilterDraft, KINDS, OWNERS, Operation, ROUTES, Right, operations};

/// How long an attempt may take.
const RUN: Duration = Duration::from_millis(15);

/// Every store goes through the same sequences; `PROPTEST_CASES` makes them more or fewer.
pub(crate) fn it_does_what_the_reference_does(place: impl AsyncFn() -> Place) {
    let mut runner = runner();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runner.run(&operations(), |operations| {
        runtime.block_on(async {
            let mut both = Both::at(place().await);
            both.listen().await;
            for operation in operations {
                both.carry_out(operation).await;
                both.compare_told().await;
            }
            both.compare_all().await;
            both.tested.store.close().await;
        });
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// The same sequences each time.
fn runner() -> TestRunner {
    let standard = ProptestConfig::default();
    let config = ProptestConfig { cases: standard.cases / 8, failure_persistence: None, ..standard };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// The store that is tested, and the reference.
struct Both {
    tested: Opened,
    reference: Opened,
    /// Every request that was ever submitted.
    submitted: Vec<(Owner, RequestId)>,
}

/// Asks both stores the same and compares the answers.
macro_rules! same {
    ($both:expr, $requests:ident => $asked:expr) => {{
        let $requests = $both.reference.requests();
        let expected = $asked.await.unwrap();
        let $requests = $both.tested.requests();
        let answered = $asked.await.unwrap();
        assert_eq!(answered, expected, "not as the reference says");
        expected
    }};
}

impl Both {
    fn at(place: Place) -> Self {
        Self { tested: Opened::at(place), reference: Opened::new("memory:"), submitted: Vec::new() }
    }

    /// Two owners are told of what happens, one of all of it.
    async fn listen(&self) {
        for on in [&self.tested, &self.reference] {
            webhooks::listen(on, OWNERS[0], 1, &Status::ALL).await;
            webhooks::listen(on, OWNERS[1], 2, &[Status::Succeeded, Status::Cancelled]).await;
        }
    }

    /// What is told is the same, and is told in the same commits.
    async fn compare_told(&self) {
        let told = async |on| webhooks::told(on, &OWNERS).await;
        assert_eq!(told(&self.tested).await, told(&self.reference).await, "not told as the reference does");
    }

    fn now(&self) -> Timestamp {
        self.reference.clock.now()
    }

    async fn carry_out(&mut self, operation: Operation) {
        match operation {
            Operation::Submit(draft) => {
                let new = self.new_request(&draft);
                same!(self, requests => requests.submit(new.clone()));
            }
            Operation::SubmitAll(drafts) => {
                let new: Vec<_> = drafts.iter().map(|draft| self.new_request(draft)).collect();
                same!(self, requests => requests.submit_all(new.clone()));
            }
            Operation::Act(acts) => {
                let mut orders = Vec::new();
                for (which, right, act) in acts {
                    orders.extend(self.order(which, right, act).await);
                }
                same!(self, requests => requests.act_all(orders.clone()));
            }
            Operation::Claim { kinds, most, lease } => self.claim(&KINDS[..kinds], most, lease).await,
            Operation::Pass(millis) => {
                let now = self.now().plus_millis(millis);
                self.reference.clock.set(now);
                self.tested.clock.set(now);
            }
            Operation::Settle(most) => _ = same!(self, requests => requests.settle(most)),
            Operation::Purge { most_requests } => {
                let (request, payload) = (Duration::from_millis(60), Duration::from_millis(30));
                let retention = Retention { request, payload, most_requests, most_bytes: None };
                same!(self, requests => requests.purge(retention, 1000));
            }
            Operation::List { owner: of, filter, limit } => {
                let (of, filter) = (of.map(|of| owner(OWNERS[of])), self.filter(&filter));
                self.walk(of.as_ref(), &filter, limit).await;
            }
            Operation::Reopen if self.tested.persists() => {
                let place = Opened::new("memory:");
                self.tested = std::mem::replace(&mut self.tested, place).reopened().await;
            }
            Operation::Reopen => {}
        }
    }

    fn new_request(&mut self, draft: &Draft) -> NewRequest {
        let number = u64::try_from(self.submitted.len()).unwrap();
        let plain = request(&owner(OWNERS[draft.owner]), self.now(), number);
        let request = Request {
            kind: KINDS[draft.kind].into(),
            alias: draft.alias.map(|alias| ALIASES[alias].into()),
            tags: tags(draft.tag),
            ..begun(plain, &draft.processor, draft.not_before, draft.deadline)
        };
        self.submitted.push((request.owner.clone(), request.id));
        let idempotency = draft.key.map(|(route, key, body)| Idempotency {
            route: ROUTES[route],
            key: key.to_string(),
            fingerprint: [body; 32],
        });
        NewRequest { payload: format!("{{\"number\": {number}}}"), request, idempotency, by: by("anna") }
    }

    /// The order to do that to a request that was submitted before, if any was.
    async fn order(&self, which: prop::sample::Index, right: Right, act: Act) -> Option<Order> {
        if self.submitted.is_empty() {
            return None;
        }
        let (of, id) = which.get(&self.submitted).clone();
        let found = self.reference.requests().find_any(id).await.unwrap();
        let epoch = found.as_deref().and_then(Request::work).map_or(0, |work| work.epoch);
        let owner = match right {
            Right::Anybody => None,
            Right::Owner => Some(of),
            Right::AnotherOwner => Some(owner("dora")),
        };
        Some(Order { target: Target { owner, id }, act: by_epoch(act, epoch), by: by("wendy") })
    }

    /// Which owner begins is the store's affair: what it gives is leased at the reference too, and must have been the next to lease.
    async fn claim(&self, kinds: &[&str], most: usize, lease: Duration) {
        let (now, reference) = (self.now(), self.reference.requests());
        let asked = |most| Claim {
            kinds: kinds.iter().map(|kind| ((*kind).into(), RUN)).collect(),
            most,
            lease,
            worker: worker("wendy"),
            by: by("wendy"),
        };
        let queued = Filter { statuses: vec![Status::Queued], leased_types_only: true, ..Filter::default() };
        let mut ready = reference.list(None, &queued, None, 10_000, now).await.unwrap();
        ready.retain(|request| kinds.contains(&request.kind.as_str()));
        ready.sort_by_key(|request| (request.ready_at(), request.id));
        let claimed = self.tested.requests().claim(asked(most)).await.unwrap();
        // What the clock has gone back behind may be given, or not yet.
        let is_certain = ready.iter().all(|request| request.ready_at().is_some_and(|at| at <= now));
        let certain = ready.iter().filter(|request| request.ready_at().is_some_and(|at| at <= now)).count();
        let range = most.min(certain)..=most.min(ready.len());
        assert!(range.contains(&claimed.leased.len()), "{} of {range:?} were leased", claimed.leased.len());
        for (leased, payload) in &claimed.leased {
            let line: Vec<_> =
                ready.iter().filter(|it| (&it.owner, &it.kind) == (&leased.owner, &leased.kind)).collect();
            assert_eq!(line.first().map(|first| first.id), Some(leased.id), "another one was ready before");
            ready.retain(|request| request.id != leased.id);
            assert_eq!(reference.payload(leased.id).await.unwrap().unwrap_or_default(), *payload);
            let act = Act::Lease { worker: worker("wendy"), lease, run: RUN };
            let target = Target { owner: None, id: leased.id };
            let outcome =
                reference.act_all(vec![Order { target, act, by: by("wendy") }]).await.unwrap().remove(0).unwrap();
            assert_eq!((&outcome.request, outcome.refused), (leased, None));
        }
        self.settle_as_claimed().await;
        let next = reference.claim(asked(0)).await.unwrap().next_ready_at;
        assert!(!is_certain || claimed.next_ready_at == next, "{:?} is not {next:?}", claimed.next_ready_at);
    }

    /// A store may write down the ends that it meets when it looks for work.
    async fn settle_as_claimed(&self) {
        let (tested, reference) = (self.tested.requests(), self.reference.requests());
        for (_, id) in &self.submitted {
            if tested.find_any(*id).await.unwrap() != reference.find_any(*id).await.unwrap() {
                let target = Target { owner: None, id: *id };
                reference.act_all(vec![Order { target, act: Act::Settle, by: By::default() }]).await.unwrap();
                same!(self, requests => requests.find_any(*id));
            }
        }
    }

    fn filter(&self, draft: &FilterDraft) -> Filter {
        let at = |millis: Option<i64>| millis.map(|millis| self.now().plus_millis(millis));
        let known = |which: &prop::sample::Index| match self.submitted.as_slice() {
            [] => id(START, 999),
            submitted => which.get(submitted).1,
        };
        Filter {
            statuses: draft.statuses.clone(),
            stage: draft.stage.map(str::to_owned),
            kinds: draft.kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            closed_kinds: draft.closed_kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            tags: tags(draft.tag),
            submitted_after: at(draft.submitted_after),
            submitted_before: at(draft.submitted_before),
            updated_after: at(draft.updated_after),
            idempotency_key: draft.key.map(|(route, key)| (ROUTES[route], key.to_string())),
            ids: draft.ids.iter().map(known).collect(),
            leased_types_only: draft.leased_types_only,
        }
    }

    /// Page by page; and the whole list is what the pure function lets through (I12).
    async fn walk(&self, owner: Option<&Owner>, filter: &Filter, limit: usize) {
        let (now, mut after, mut listed) = (self.now(), None, Vec::new());
        loop {
            let page = same!(self, requests => requests.list(owner, filter, after, limit, now));
            let Some(last) = page.last() else { break };
            after = Some(Position { submitted_at: last.submitted_at, id: last.id });
            listed.extend(page);
        }
        if filter.idempotency_key.is_none() {
            let mut everything =
                self.reference.requests().list(owner, &Filter::default(), None, 10_000, now).await.unwrap();
            everything.retain(|request| filter.lets_through(request, &view(request, now)));
            assert_eq!(listed, everything);
        }
    }

    /// Everything that can be read.
    async fn compare_all(&self) {
        let now = self.now();
        for (of, id) in &self.submitted {
            same!(self, requests => requests.count_open(of, 1000, now));
            same!(self, requests => requests.find_any(*id));
            same!(self, requests => requests.find(of, *id));
            same!(self, requests => requests.payload(*id));
            same!(self, requests => requests.output(*id));
            same!(self, requests => requests.events(*id));
        }
        for of in OWNERS.map(owner) {
            for alias in ALIASES {
                same!(self, requests => requests.find_by_alias(&of, alias));
            }
            for status in Status::ALL {
                self.walk(Some(&of), &Filter { statuses: vec![status], ..Filter::default() }, 100).await;
            }
        }
        self.walk(None, &Filter::default(), 7).await;
        same!(self, requests => backlogs(&*requests));
    }
}

/// The backlogs of the types of which there is anything left to do.
async fn backlogs(requests: &dyn Requests) -> Result<Vec<Backlog>, anteroom::core::error::StoreError> {
    let mut backlogs = requests.backlogs().await?;
    backlogs.retain(|backlog| backlog.ready + backlog.waiting + backlog.in_flight > 0);
    Ok(backlogs)
}

fn tags(tag: Option<u8>) -> Tags {
    tag.map(|tag| ("batch".to_owned(), tag.to_string())).into_iter().collect()
}
