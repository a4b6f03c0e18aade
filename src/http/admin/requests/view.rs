//! A request as operators see it: what its owner sees, and who did what.

use serde::Serialize;
use utoipa::ToSchema;

use crate::core::clock::Timestamp;
use crate::core::ports::webhooks::Addressed;
use crate::core::request::{Event, Owner, Status, Worker};
use crate::http::requests::view::{Presenter, RequestView, StatusName};
use crate::http::webhook_endpoints::view::DeliveryView;
use crate::queue::Snapshot;

/// A request as operators see it. Every key is always present; `null` means that there is none.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminRequest, example = json!({
    "owner": { "issuer": "https://gateway.example", "subject": "acme" },
    "request": {
        "request_id": "req_01JD9W3W7QX5T4N0V6K8B2C1DE", "type": "default", "status": "queued", "stage": "received", "progress": null,
        "submitted_at": "2026-11-22T06:12:03.482Z", "started_at": null, "finished_at": null, "updated_at": "2026-11-22T06:12:03.482Z",
        "not_before": null, "deadline": null, "purge_at": null, "cancel_requested_at": null, "attempt": 0, "max_attempts": null,
        "tags": { "order": "4711" }, "error": null, "result": null,
        "links": {
            "self": "https://gateway.example/v1/requests/req_01JD9W3W7QX5T4N0V6K8B2C1DE",
            "events": "https://gateway.example/v1/requests/req_01JD9W3W7QX5T4N0V6K8B2C1DE/events",
        },
    },
    "version": "0.0", "alias": null, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "erased_at": null, "work": null,
}))]
pub(in crate::http) struct AdminRequestView {
    /// Whose it is.
    owner: OwnerView,
    /// The request as its owner sees it.
    request: RequestView,
    /// Names this state of it, as its `ETag` does.
    #[schema(example = "3.0")]
    version: String,
    /// Another name that its submitter knows it by.
    #[schema(required)]
    alias: Option<String>,
    /// The HTTP exchange that submitted it.
    #[schema(required)]
    trace_id: Option<String>,
    /// When its owner erased it: then there is nothing left of it but this.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    erased_at: Option<Timestamp>,
    /// What workers have made of it; `null` where none are asked.
    #[schema(required)]
    work: Option<AdminWorkView>,
}

/// A request as operators see it, with all that has happened to it.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminRequestWhole, example = json!({
    "owner": { "issuer": "https://gateway.example", "subject": "acme" },
    "request": {
        "request_id": "req_01JD9W3W7QX5T4N0V6K8B2C1DE", "type": "default", "status": "queued", "stage": "received", "progress": null,
        "submitted_at": "2026-11-22T06:12:03.482Z", "started_at": null, "finished_at": null, "updated_at": "2026-11-22T06:12:03.482Z",
        "not_before": null, "deadline": null, "purge_at": null, "cancel_requested_at": null, "attempt": 0, "max_attempts": null,
        "tags": { "order": "4711" }, "error": null, "result": null,
        "links": {
            "self": "https://gateway.example/v1/requests/req_01JD9W3W7QX5T4N0V6K8B2C1DE",
            "events": "https://gateway.example/v1/requests/req_01JD9W3W7QX5T4N0V6K8B2C1DE/events",
        },
    },
    "version": "0.0", "alias": null, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "erased_at": null, "work": null,
    "events": [{
        "version": "0.0", "kind": "submitted", "at": "2026-11-22T06:12:03.482Z", "status": "queued", "stage": "received", "attempt": 0,
        "actor": "acme", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }],
    "webhook_deliveries": [],
}))]
pub(in crate::http) struct WholeView {
    #[serde(flatten)]
    request: AdminRequestView,
    /// What has happened to it, in order.
    events: Vec<EventView>,
    /// What webhooks have told of it, at most 100 deliveries, the oldest first.
    webhook_deliveries: Vec<ToldView>,
}

/// What a webhook endpoint was told.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminWebhookDelivery)]
struct ToldView {
    /// Where.
    url: String,
    /// The delivery as its owner sees it.
    #[serde(flatten)]
    delivery: DeliveryView,
}

/// An owner: issuer and subject together.
#[derive(Serialize, ToSchema)]
#[schema(as = Owner)]
struct OwnerView {
    /// The `iss` of its tokens.
    issuer: String,
    /// The `sub`, or the client id where a verifier says so.
    subject: String,
}

/// What workers have made of a request.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminWork)]
struct AdminWorkView {
    /// How many attempts were begun.
    attempt: u32,
    /// How many there may be.
    max_attempts: u32,
    /// The fencing number: how many leases were given.
    epoch: u32,
    /// Who works on it, or was the last to.
    #[schema(required)]
    worker: Option<WorkerView>,
    /// When the lease ends unless its worker is heard of; `null` while nobody has one.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    lease_ends_at: Option<Timestamp>,
    /// When it may be leased, if nobody acts before.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    ready_at: Option<Timestamp>,
}

/// A worker.
#[derive(Serialize, ToSchema)]
#[schema(as = Worker)]
struct WorkerView {
    /// The `iss` of its token.
    issuer: String,
    /// The `sub` of its token.
    subject: String,
    /// What it calls itself.
    id: String,
}

/// Something that happened to a request.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminEvent)]
struct EventView {
    /// The state that it led to.
    version: String,
    /// What happened.
    #[schema(example = "leased")]
    kind: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The status from then on.
    #[schema(value_type = StatusName, inline)]
    status: Status,
    /// The name of the stage from then on.
    stage: String,
    /// How many attempts were begun by then.
    attempt: u32,
    /// Who did it: a subject, or a worker's name; `null` for the gateway itself, and for time.
    #[schema(required)]
    actor: Option<String>,
    /// The HTTP exchange in which it was done.
    #[schema(required)]
    trace_id: Option<String>,
}

impl AdminRequestView {
    pub(super) fn new(seen: &Snapshot, presenter: &Presenter) -> Self {
        let Snapshot { request, view, now } = seen;
        let work = request.work().map(|work| AdminWorkView {
            attempt: work.attempt,
            max_attempts: work.most_attempts,
            epoch: work.epoch,
            worker: work.worker.clone().map(WorkerView::from),
            lease_ends_at: request.lease_ends_at().filter(|at| at > now),
            ready_at: request.ready_at().filter(|_| !view.status.is_terminal()),
        });
        Self {
            owner: OwnerView::from(request.owner.clone()),
            request: presenter.view(seen),
            version: view.version.to_string(),
            alias: request.alias.clone(),
            trace_id: request.trace_id.clone(),
            erased_at: request.erased_at,
            work,
        }
    }
}

impl WholeView {
    pub(super) fn new(seen: &Snapshot, events: Vec<Event>, told: Vec<Addressed>, presenter: &Presenter) -> Self {
        let events = events.into_iter().map(EventView::from).collect();
        let told =
            told.into_iter().map(|(delivery, endpoint)| ToldView { url: endpoint.url, delivery: delivery.into() });
        Self { request: AdminRequestView::new(seen, presenter), events, webhook_deliveries: told.collect() }
    }
}

impl From<Owner> for OwnerView {
    fn from(owner: Owner) -> Self {
        let Owner { issuer, subject } = owner;
        Self { issuer, subject }
    }
}

impl From<Worker> for WorkerView {
    fn from(worker: Worker) -> Self {
        let Worker { issuer, subject, id } = worker;
        Self { issuer, subject, id }
    }
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        let Event { version, kind, at, status, stage, attempt, by } = event;
        let version = version.to_string();
        Self { version, kind: kind.name(), at, status, stage, attempt, actor: by.actor, trace_id: by.trace_id }
    }
}
