//! Webhooks: endpoints, and what they are told in the commit of the change.

use std::collections::BTreeMap;
use std::time::Duration;

use anteroom::core::clock::Clock;
use anteroom::core::ports::requests::{Claim, NewRequest, Order, Target};
use anteroom::core::ports::webhooks::{Addressed, Outlook, Report, Take};
use anteroom::core::request::{Act, By, Output, Process, Request, RequestId, Status, Version, Work, Worker, history};
use anteroom::core::webhook::{Attempt, Change, Delivery, DeliveryId, Endpoint, EndpointId, Heard, SecretText};

use crate::stores::{Opened, START, cancel, id, new, owner, request};
use crate::verify::fake_provider::Chance;

/// An endpoint of that owner's, told of these statuses from the time of the store's clock on.
fn endpoint(on: &Opened, subject: &str, number: u8, statuses: &[Status]) -> Endpoint {
    let now = on.clock.now();
    Endpoint {
        id: EndpointId::draw(START, &Chance(number)),
        owner: owner(subject),
        name: None,
        url: "https://partner.example/".into(),
        description: String::new(),
        statuses: statuses.to_vec(),
        keys: Vec::new(),
        created_at: now,
        disabled: None,
        failures: 0,
        failing_since: None,
        resting_until: None,
    }
}

pub(crate) async fn listen(on: &Opened, subject: &str, number: u8, statuses: &[Status]) -> EndpointId {
    let endpoint = endpoint(on, subject, number, statuses);
    assert!(on.store.webhooks().add(endpoint.clone(), 20).await.unwrap());
    endpoint.id
}

async fn take(on: &Opened, most: usize) -> Vec<Addressed> {
    on.store.webhooks().take(Take { most, on_their_way: BTreeMap::new() }).await.unwrap()
}

async fn report(on: &Opened, delivery: DeliveryId, status: u16) -> Option<Addressed> {
    let attempt = Attempt { at: on.clock.now(), took: 1, status: Some(status), error: None };
    let heard = Heard::Answer { status, retry_after: None };
    on.store.webhooks().attempted(Report { delivery, attempt, heard, chance: 0 }).await.unwrap()
}

/// What a store has told the endpoints of these owners.
pub(crate) async fn told(on: &Opened, subjects: &[&str]) -> Vec<(DeliveryId, String)> {
    let webhooks = on.store.webhooks();
    webhooks.follow(1000).await.unwrap();
    let mut told = Vec::new();
    for subject in subjects {
        for endpoint in webhooks.endpoints(&owner(subject)).await.unwrap() {
            let deliveries = webhooks.deliveries(endpoint.id, None, 1000).await.unwrap();
            told.extend(deliveries.into_iter().map(|delivery| (delivery.id, delivery.body)));
        }
    }
    told
}

/// Every end of a request is told once, and none that was not.
async fn told_once(on: &Opened, sent: &[RequestId]) {
    on.store.webhooks().follow(1000).await.unwrap();
    while !on.requests().settle(1000).await.unwrap().0.is_empty() {}
    for id in sent {
        let Some(request) = on.requests().find_any(*id).await.unwrap() else { continue };
        let told = on.store.webhooks().deliveries_of(*id, 1000).await.unwrap();
        // An endpoint that has answered 410 was told nothing more.
        let endpoints = on.store.webhooks().endpoints(&request.owner).await.unwrap();
        if request.erased_at.is_some() || endpoints.iter().any(|endpoint| endpoint.disabled.is_some()) {
            continue;
        }
        let wanted = &endpoints[0].statuses;
        let stored = on.requests().events(*id).await.unwrap();
        let ends = history(&request, &stored, on.clock.now());
        let ends = ends.iter().filter(|event| event.status.is_terminal() && wanted.contains(&event.status));
        let told: Vec<_> = told.iter().filter(|(delivery, _)| ended(delivery)).collect();
        let told: Vec<_> = told.iter().map(|(delivery, _)| (delivery.version, delivery.event.clone())).collect();
        assert_eq!(told, ends.map(|end| (end.version, format!("request.{}", end.status))).collect::<Vec<_>>());
    }
}

fn ended(delivery: &Delivery) -> bool {
    let status = delivery.event.strip_prefix("request.").and_then(|status| status.parse().ok());
    status.is_some_and(Status::is_terminal)
}

/// The events that an endpoint was told of, in the order of their versions.
async fn events(on: &Opened, endpoint: EndpointId) -> Vec<(String, Version)> {
    let told = on.store.webhooks().deliveries(endpoint, None, 1000).await.unwrap();
    let mut events: Vec<_> = told.into_iter().map(|delivery| (delivery.event, delivery.version)).collect();
    events.sort_by_key(|(_, version)| *version);
    events
}

fn version(write: u32, step: u32) -> Version {
    Version { write, step }
}

fn later(on: &Opened, seconds: u64) {
    on.clock.advance(Duration::from_secs(seconds));
}

async fn act(on: &Opened, id: RequestId, act: Act) {
    let order = Order { target: Target { owner: None, id }, act, by: By::default() };
    on.requests().act_all(vec![order]).await.unwrap().remove(0).unwrap();
}

pub(super) async fn what_workers_do_is_told_as_it_happens(on: Opened) {
    let endpoint = listen(&on, "anna", 1, &Status::ALL).await;
    let work = Work::new(START, START, 3);
    let plain = request(&owner("anna"), START, 1);
    let request = Request { kind: "cut".into(), process: Process::Lease(Box::new(work)), ..plain };
    on.submit(new(request.clone())).await;
    let worker = Worker { issuer: "https://issuer.example/".into(), subject: "w".into(), id: "w-1".into() };
    let (lease, run) = (Duration::from_mins(1), Duration::from_mins(10));
    let claim = Claim { kinds: vec![("cut".into(), run)], most: 1, lease, worker, by: By::default() };
    on.requests().claim(claim).await.unwrap();
    let output = Output { content_type: Output::JSON.into(), body: br#"{"a":1}"#.to_vec() };
    act(&on, request.id, Act::Complete { epoch: 1, output }).await;
    let told = [
        ("request.queued".to_owned(), version(0, 0)),
        ("request.running".to_owned(), version(1, 0)),
        ("request.succeeded".to_owned(), version(2, 0)),
    ];
    assert_eq!(events(&on, endpoint).await, told);
    let deliveries = on.store.webhooks().deliveries_of(request.id, 10).await.unwrap();
    let last = deliveries.iter().find(|(delivery, _)| delivery.version == version(2, 0)).unwrap();
    let body: serde_json::Value = serde_json::from_str(&last.0.body).unwrap();
    assert_eq!((&body["data"]["result"], &body["data"]["attempt"]), (&serde_json::json!({ "a": 1 }), &1.into()));
}

pub(super) async fn a_stage_is_told_when_it_has_begun_and_once(on: Opened) {
    // One from before there was an endpoint, and one from then on.
    on.submit(new(request(&owner("anna"), START, 1))).await;
    later(&on, 6);
    let endpoint = listen(&on, "anna", 1, &Status::ALL).await;
    let webhooks = on.store.webhooks();
    webhooks.follow(10).await.unwrap();
    assert_eq!(events(&on, endpoint).await, []);
    let outlook = webhooks.outlook().await.unwrap();
    let expected = Outlook { is_used: true, next_stage_at: Some(START.plus_millis(15_000)), next_due_at: None };
    assert_eq!(outlook, expected);
    later(&on, 10);
    on.submit(new(request(&owner("anna"), on.clock.now(), 2))).await;
    on.submit(new(request(&owner("bob"), on.clock.now(), 3))).await;
    webhooks.follow(10).await.unwrap();
    webhooks.follow(10).await.unwrap();
    let succeeded = ("request.succeeded".to_owned(), version(0, 2));
    assert_eq!(events(&on, endpoint).await, [("request.queued".to_owned(), version(0, 0)), succeeded.clone()]);
    // What nobody has looked at until then is told by the act that comes, before the act.
    later(&on, 6);
    let second = id(START.plus_millis(16_000), 2);
    on.requests().act_all(vec![cancel(&owner("anna"), second)]).await.unwrap();
    let told = events(&on, endpoint).await;
    let (running, cancelled) = ("request.running".to_owned(), "request.cancelled".to_owned());
    assert_eq!(told[1..], [(running, version(0, 1)), succeeded, (cancelled, version(1, 0))]);
    let on = on.reopened_if_it_lasts().await;
    let outlook = on.store.webhooks().outlook().await.unwrap();
    assert_eq!((outlook.next_stage_at, outlook.next_due_at), (None, Some(START.plus_millis(16_000))));
}

pub(super) async fn every_end_is_told_once(on: Opened) {
    listen(&on, "anna", 1, &[Status::Succeeded, Status::Cancelled, Status::Expired]).await;
    let mut sent = Vec::new();
    for number in 0..12 {
        let plain = request(&owner("anna"), on.clock.now(), number);
        let deadline = (number % 4 == 3).then(|| on.clock.now().plus_millis(9000));
        let request = Request { deadline, ..plain };
        sent.push(request.id);
        on.submit(new(request)).await;
        if number % 3 == 1 {
            on.requests().act_all(vec![cancel(&owner("anna"), sent[0])]).await.unwrap();
            act(&on, sent[usize::try_from(number).unwrap()], Act::Cancel).await;
        }
        later(&on, 4);
        on.store.webhooks().follow(2).await.unwrap();
    }
    later(&on, 60);
    told_once(&on, &sent).await;
    let on = on.reopened_if_it_lasts().await;
    told_once(&on, &sent).await;
}

pub(super) async fn what_is_erased_is_forgotten(on: Opened) {
    let endpoint = listen(&on, "anna", 1, &Status::ALL).await;
    on.submit(new(request(&owner("anna"), START, 1))).await;
    later(&on, 20);
    act(&on, id(START, 1), Act::Erase).await;
    on.store.webhooks().follow(10).await.unwrap();
    assert_eq!(events(&on, endpoint).await, []);
    assert_eq!(on.store.webhooks().outlook().await.unwrap().next_stage_at, None);
}

pub(super) async fn an_endpoint_belongs_to_its_owner(on: Opened) {
    let (anna, bob, webhooks) = (owner("anna"), owner("bob"), on.store.webhooks());
    let first = endpoint(&on, "anna", 1, &[Status::Failed]);
    assert!(webhooks.add(first.clone(), 2).await.unwrap());
    assert!(webhooks.add(endpoint(&on, "anna", 2, &[]), 2).await.unwrap());
    assert!(!webhooks.add(endpoint(&on, "anna", 3, &[]), 2).await.unwrap());
    assert_eq!(webhooks.endpoints(&anna).await.unwrap(), [first.clone(), endpoint(&on, "anna", 2, &[])]);
    assert_eq!(webhooks.endpoints(&bob).await.unwrap(), []);
    let rotate = |secret: &str| Change::Rotate(SecretText(secret.into()), Duration::from_mins(1));
    assert_eq!(webhooks.change(&bob, first.id, rotate("x")).await.unwrap(), None);
    let now = on.clock.now();
    let changed = first.changed(&rotate("a"), now);
    assert_eq!(webhooks.change(&anna, changed.id, rotate("a")).await.unwrap(), Some(changed.clone()));
    assert!(!webhooks.remove(&bob, changed.id).await.unwrap());
    assert!(webhooks.remove(&anna, changed.id).await.unwrap());
    assert!(!webhooks.remove(&anna, changed.id).await.unwrap());
    assert_eq!(webhooks.endpoints(&anna).await.unwrap(), [endpoint(&on, "anna", 2, &[])]);
}

pub(super) async fn the_configuration_knows_its_endpoints_by_name(on: Opened) {
    let named = |number, name: &str| Endpoint { name: Some(name.into()), ..endpoint(&on, "anna", number, &[]) };
    let webhooks = on.store.webhooks();
    let own = listen(&on, "anna", 9, &[]).await;
    webhooks.configure(vec![named(1, "a"), named(2, "b")]).await.unwrap();
    later(&on, 60);
    // The same with another address keeps its id and its age.
    let moved = Endpoint { url: "https://elsewhere.example/".into(), ..named(3, "b") };
    webhooks.configure(vec![moved.clone(), named(4, "c")]).await.unwrap();
    let kept = moved.clone().in_place_of(&named(2, "b"));
    let kept = Endpoint { created_at: START, ..kept };
    let mut there = webhooks.endpoints(&owner("anna")).await.unwrap();
    there.retain(|endpoint| endpoint.id != own);
    assert_eq!(there, [kept, named(4, "c")]);
    webhooks.configure(Vec::new()).await.unwrap();
    let left: Vec<_> = webhooks.endpoints(&owner("anna")).await.unwrap().iter().map(|endpoint| endpoint.id).collect();
    assert_eq!(left, [own]);
}

/// Submits so many requests of an owner's and lets them end.
async fn end(on: &Opened, subject: &str, numbers: std::ops::Range<u64>) {
    let requests: Vec<NewRequest> =
        numbers.map(|number| new(request(&owner(subject), on.clock.now(), number))).collect();
    on.requests().submit_all(requests).await.unwrap();
}

pub(super) async fn what_is_due_is_taken_in_turn(on: Opened) {
    let first = listen(&on, "anna", 1, &[Status::Succeeded]).await;
    let second = listen(&on, "bob", 2, &[Status::Succeeded]).await;
    end(&on, "anna", 0..10).await;
    end(&on, "bob", 10..12).await;
    later(&on, 15);
    on.store.webhooks().follow(100).await.unwrap();
    let of = |taken: Vec<Addressed>| taken.into_iter().map(|(_, endpoint)| endpoint.id).collect::<Vec<_>>();
    let mut one_each = of(take(&on, 2).await);
    one_each.sort();
    let mut both = vec![first, second];
    both.sort();
    assert_eq!(one_each, both);
    // No more than four are on their way to one; who has none on its way comes first.
    let on_their_way = BTreeMap::from([(first, 1), (second, 0)]);
    let taken = of(on.store.webhooks().take(Take { most: 64, on_their_way }).await.unwrap());
    assert_eq!(taken, [second, first, first, first]);
}

pub(super) async fn a_delivery_is_sent_again_when_nothing_is_heard_of_it(on: Opened) {
    listen(&on, "anna", 1, &[Status::Succeeded]).await;
    end(&on, "anna", 0..1).await;
    later(&on, 15);
    on.store.webhooks().follow(100).await.unwrap();
    let taken = take(&on, 10).await;
    assert_eq!((taken.len(), take(&on, 10).await.len()), (1, 0));
    let on = on.reopened_if_it_lasts().await;
    later(&on, 59);
    assert_eq!(take(&on, 10).await.len(), 0);
    later(&on, 1);
    let again = take(&on, 10).await;
    assert_eq!(again[0].0.id, taken[0].0.id);
    assert!(report(&on, again[0].0.id, 200).await.is_some());
    later(&on, 3600);
    assert_eq!(take(&on, 10).await.len(), 0);
}

pub(super) async fn old_deliveries_are_forgotten(on: Opened) {
    let endpoint = listen(&on, "anna", 1, &[Status::Succeeded]).await;
    end(&on, "anna", 0..3).await;
    later(&on, 15);
    let webhooks = on.store.webhooks();
    webhooks.follow(100).await.unwrap();
    let taken = take(&on, 10).await;
    report(&on, taken[0].0.id, 200).await.unwrap();
    report(&on, taken[1].0.id, 200).await.unwrap();
    assert_eq!(webhooks.forget(on.clock.now(), 10).await.unwrap(), 0);
    later(&on, 1);
    assert_eq!(webhooks.forget(on.clock.now(), 1).await.unwrap(), 1);
    assert_eq!(webhooks.forget(on.clock.now(), 10).await.unwrap(), 1);
    // What is still to be sent stays, unless nobody is told any more.
    assert_eq!(events(&on, endpoint).await.len(), 1);
    report(&on, taken[2].0.id, 500).await.unwrap();
    let gone = Heard::Answer { status: 410, retry_after: None };
    let attempt = Attempt { at: on.clock.now(), took: 1, status: Some(410), error: None };
    webhooks.attempted(Report { delivery: taken[2].0.id, attempt, heard: gone, chance: 0 }).await.unwrap();
    later(&on, 1);
    assert_eq!(webhooks.forget(on.clock.now(), 10).await.unwrap(), 1);
}
