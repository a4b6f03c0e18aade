//! What the tests of the stores share: stores with a clock that is set by hand, and requests to put into them.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use anteroom::core::clock::{Clock, SetClock, Timestamp};
use anteroom::core::entropy::Entropy;
use anteroom::core::ports::Store;
use anteroom::core::ports::requests::{Filter, Idempotency, NewRequest, Order, Outcome, Requests, Target};
use anteroom::core::request::{
    Act, By, Owner, Process, Request, RequestId, Simulation, Status, Tags, Version, Work, Worker,
};
use anteroom::core::timeline::{Failure, Stage, Timeline};
use anteroom::store::StoreSettings;
use anteroom::telemetry::metrics::Metrics;
use serde_json::json;

/// The time at which every test begins.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_795_000_000);

/// A place for one store, that nobody else has.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) directory: tempfile::TempDir,
    /// What is dropped with it and clears away what is kept elsewhere: a database on a server.
    pub(crate) cleared: Option<Box<dyn Any + Send + Sync>>,
}

impl Place {
    /// Of a store that keeps everything in its directory, or nowhere.
    pub(crate) fn of(url: &str) -> Self {
        Self { url: url.into(), directory: tempfile::tempdir().unwrap(), cleared: None }
    }

    pub(crate) fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        open(&self.url, self.directory.path(), clock)
    }
}

/// An open store in a place of its own.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SetClock,
    pub(crate) url: String,
    pub(crate) directory: tempfile::TempDir,
    cleared: Option<Box<dyn Any + Send + Sync>>,
}

impl Opened {
    pub(crate) fn new(url: &str) -> Self {
        Self::at(Place::of(url))
    }

    pub(crate) fn at(place: Place) -> Self {
        let clock = SetClock::at(START);
        let store = place.open(Arc::new(clock.clone()));
        let Place { url, directory, cleared } = place;
        Self { store, clock, url, directory, cleared }
    }

    pub(crate) fn requests(&self) -> Arc<dyn Requests> {
        self.store.requests()
    }

    /// Whether it is the same store when it is opened again.
    pub(crate) fn persists(&self) -> bool {
        self.cleared.is_some() || self.directory.path().read_dir().unwrap().next().is_some()
    }

    /// Closes it and opens it again.
    pub(crate) async fn reopened(self) -> Self {
        self.store.close().await;
        let Self { clock, url, directory, cleared, .. } = self;
        let store = open(&url, directory.path(), Arc::new(clock.clone()));
        Self { store, clock, url, directory, cleared }
    }

    /// The same, of a store that does not forget.
    pub(crate) async fn reopened_if_it_lasts(self) -> Self {
        if self.persists() { self.reopened().await } else { self }
    }

    pub(crate) async fn submit(&self, new: NewRequest) -> anteroom::core::ports::requests::Submission {
        self.requests().submit(new).await.unwrap()
    }

    /// Carries out the order of the owner to cancel; none when there is no such request.
    pub(crate) async fn cancel(&self, owner: &Owner, id: RequestId) -> Option<Outcome> {
        self.requests().act_all(vec![cancel(owner, id)]).await.unwrap().remove(0)
    }

    pub(crate) async fn all(&self, owner: &Owner) -> Vec<Arc<Request>> {
        self.requests().list(Some(owner), &Filter::default(), None, 1000, self.clock.now()).await.unwrap()
    }
}

pub(crate) fn open(url: &str, directory: &Path, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
    anteroom::store::open(
        &StoreSettings { url: url.into(), ..StoreSettings::default() },
        directory,
        clock,
        Metrics::new().store(),
    )
    .unwrap()
}

pub(crate) fn owner(subject: &str) -> Owner {
    Owner { issuer: "https://issuer.example/".into(), subject: subject.into() }
}

/// Entropy of which the test knows what it gives.
struct Numbered(u64);

impl Entropy for Numbered {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        let at = bytes.len() - 8;
        bytes[at..].copy_from_slice(&self.0.to_be_bytes());
    }
}

/// The id that is drawn at `at` as number `number`.
pub(crate) fn id(at: Timestamp, number: u64) -> RequestId {
    RequestId::draw(at, &Numbered(number))
}

pub(crate) fn stage(after_millis: i64, stage: &str, status: Status) -> Stage {
    Stage { after_millis, stage: stage.into(), status }
}

/// Queued, running after 5 s, succeeded after 15 s.
pub(crate) fn timeline() -> Arc<Timeline> {
    let stages = vec![
        stage(0, "received", Status::Queued),
        stage(5_000, "processing", Status::Running),
        stage(15_000, "done", Status::Succeeded),
    ];
    Arc::new(Timeline::new(stages, Some(json!({ "message": "processed {request_id}" })), None).unwrap())
}

/// Queued, failed after 5 s.
pub(crate) fn failing() -> Arc<Timeline> {
    let stages = vec![stage(0, "received", Status::Queued), stage(5_000, "refused", Status::Failed)];
    let error =
        Failure { code: "no_stock".into(), title: "No stock".into(), detail: "Order less.".into(), retryable: true };
    Arc::new(Timeline::new(stages, None, Some(error)).unwrap())
}

/// A plain request of that owner, on the usual timeline.
pub(crate) fn request(owner: &Owner, at: Timestamp, number: u64) -> Request {
    Request {
        id: id(at, number),
        owner: owner.clone(),
        kind: "default".into(),
        submitted_at: at,
        trace_id: None,
        not_before: None,
        deadline: None,
        alias: None,
        tags: Tags::new(),
        process: Process::Timeline(Simulation::new(timeline())),
        version: Version::default(),
        erased_at: None,
    }
}

/// The request on another timeline.
pub(crate) fn on_timeline(timeline: Arc<Timeline>, request: Request) -> Request {
    Request { process: Process::Timeline(Simulation::new(timeline)), ..request }
}

/// The timeline that the request is on.
pub(crate) fn timeline_of(request: &Request) -> &Arc<Timeline> {
    &request.simulation().unwrap().timeline
}

/// The request as its cancellation at that time leaves it.
pub(crate) fn cancelled(at: Timestamp, mut request: Request) -> Request {
    let Process::Timeline(simulation) = &mut request.process else { panic!("workers work on it") };
    simulation.cancelled_at = Some(at);
    request.version = Version { write: 1, step: 0 };
    request
}

/// The order of its owner to cancel a request.
pub(crate) fn cancel(owner: &Owner, id: RequestId) -> Order {
    Order { target: Target { owner: Some(owner.clone()), id }, act: Act::Cancel, by: By::default() }
}

pub(crate) fn new(request: Request) -> NewRequest {
    NewRequest { request, payload: r#"{"amount": 1.50}"#.into(), idempotency: None, by: By::default() }
}

/// The request under a key, with a body that is told from others by `body`.
pub(crate) fn keyed(request: Request, key: &str, body: u8) -> NewRequest {
    NewRequest { idempotency: Some(idempotency(key, body)), ..new(request) }
}

pub(crate) fn idempotency(key: &str, body: u8) -> Idempotency {
    Idempotency { route: "POST /v1/requests", key: key.into(), fingerprint: [body; 32] }
}

/// The request as one that workers work on, with so many attempts.
pub(crate) fn worked_on(most_attempts: u32, request: Request) -> Request {
    let work = Work::new(request.submitted_at, request.begins_at(), most_attempts);
    Request { process: Process::Lease(Box::new(work)), ..request }
}

pub(crate) fn worker(subject: &str) -> Worker {
    Worker { issuer: "https://issuer.example/".into(), subject: subject.into(), id: "worker-1".into() }
}

/// Somebody who acts, in an exchange.
pub(crate) fn by(actor: &str) -> By {
    By { actor: Some(actor.into()), trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()) }
}

/// The order of a worker, or of an operator.
pub(crate) fn order(id: RequestId, act: Act) -> Order {
    Order { target: Target { owner: None, id }, act, by: by("wendy") }
}
