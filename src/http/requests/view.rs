//! A request as its owner sees it: the one view that every operation answers.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{Object, ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::core::clock::Timestamp;
use crate::core::ports::requests::Retention;
use crate::core::request::{Progress, Request, Status, View};
use crate::core::timeline::Failure;
use crate::http::Gateway;
use crate::http::origin::base_url;
use crate::queue::Snapshot;

/// A request as its owner sees it. Every key is always present; `null` means unknown.
#[derive(Serialize, ToSchema)]
#[schema(as = Request, example = json!({
    "request_id": "req_01JD9W3W7QX5T4N0V6K8B2C1DE", "type": "default", "status": "running", "stage": "processing", "progress": null,
    "submitted_at": "2026-11-22T06:12:03.482Z", "started_at": "2026-11-22T06:12:08.482Z", "finished_at": null,
    "updated_at": "2026-11-22T06:12:08.482Z", "not_before": null, "deadline": null, "purge_at": null, "cancel_requested_at": null,
    "attempt": 0, "max_attempts": null, "tags": {"order": "4711"}, "error": null, "result": null,
    "links": {
        "self": "http://localhost:8080/v1/requests/req_01JD9W3W7QX5T4N0V6K8B2C1DE",
        "events": "http://localhost:8080/v1/requests/req_01JD9W3W7QX5T4N0V6K8B2C1DE/events",
        "payload": "http://localhost:8080/v1/requests/req_01JD9W3W7QX5T4N0V6K8B2C1DE/payload",
        "cancel": "http://localhost:8080/v1/requests/req_01JD9W3W7QX5T4N0V6K8B2C1DE/cancel",
    },
}))]
pub(in crate::http) struct RequestView {
    /// Its name.
    request_id: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// How it gets on; `succeeded`, `failed`, `cancelled` and `expired` are terminal.
    #[schema(schema_with = status_schema)]
    status: Status,
    /// The name of its present stage; each type has its own.
    stage: String,
    /// How far it is, as its worker says.
    #[schema(required)]
    progress: Option<ProgressView>,
    /// When it was submitted.
    #[schema(value_type = String, format = DateTime)]
    submitted_at: Timestamp,
    /// When it first ran.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it reached its end.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// It does not start before.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
    /// It expires unless it is done before.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    deadline: Option<Timestamp>,
    /// When it is removed, once it has reached its end; a store that is told to keep fewer requests may remove it sooner.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    purge_at: Option<Timestamp>,
    /// When its owner asked to cancel it.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    cancel_requested_at: Option<Timestamp>,
    /// How many times a worker took it up.
    attempt: u32,
    /// How many times workers may take it up; `null` where stages pass by time.
    #[schema(required)]
    max_attempts: Option<u32>,
    /// Its owner's labels.
    tags: BTreeMap<String, String>,
    /// Why it failed.
    #[schema(required)]
    error: Option<FailureView>,
    /// What it gave, once it has succeeded.
    #[schema(required, value_type = Value)]
    result: Option<Value>,
    /// What can be done with it now.
    links: Links,
}

const STATUS: &str = "How a request gets on; `succeeded`, `failed`, `cancelled` and `expired` are terminal";

/// The schema of a status: the closed list.
pub(in crate::http) fn status_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(Status::ALL.map(Status::name)))
        .description(Some(STATUS))
        .build()
}

/// A status where the contract wants a type: with `schema_with` a parameter would lose its description and its example.
pub(in crate::http) enum StatusName {}

impl PartialSchema for StatusName {
    fn schema() -> RefOr<Schema> {
        status_schema().into()
    }
}

impl ToSchema for StatusName {}

/// Why a request failed.
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
pub(in crate::http) struct FailureView {
    /// A stable code.
    code: String,
    /// A short title.
    title: String,
    /// What happened, and what to do.
    detail: String,
    /// Whether the same request may succeed later.
    retryable: bool,
}

impl From<Failure> for FailureView {
    fn from(failure: Failure) -> Self {
        let Failure { code, title, detail, retryable } = failure;
        Self { code, title, detail, retryable }
    }
}

/// How far a request is.
#[derive(Serialize, ToSchema)]
#[schema(as = Progress)]
pub(in crate::http) struct ProgressView {
    /// In percent, 0 to 100.
    #[schema(required)]
    percent: Option<f64>,
    /// In words.
    #[schema(required)]
    message: Option<String>,
    /// When its worker said so.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<&Progress> for ProgressView {
    fn from(progress: &Progress) -> Self {
        let Progress { percent, message, at, .. } = progress;
        Self { percent: *percent, message: message.clone(), updated_at: Timestamp::from_millis(*at) }
    }
}

/// Addresses of what can be done with a request now; only those that work are there.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Links {
    /// The request itself.
    #[serde(rename = "self")]
    #[schema(format = "uri")]
    itself: String,
    /// What has happened to it.
    #[schema(format = "uri")]
    events: String,
    /// What was submitted; while that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri")]
    payload: Option<String>,
    /// What it gave; once it has succeeded, while that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri")]
    result: Option<String>,
    /// Cancels it; until it is terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri")]
    cancel: Option<String>,
}

/// Whether what was submitted is still kept at `now`. Of a view that has not changed, the links depend on nothing else.
pub(super) fn is_payload_kept(retention: Retention, view: &View, now: Timestamp) -> bool {
    view.finished_at.is_none_or(|at| now < at.plus(retention.payload))
}

/// Shows requests as a client sees them who calls the gateway by a certain address.
pub(in crate::http) struct Presenter {
    base: String,
    retention: Retention,
}

impl Presenter {
    /// For the client of this exchange.
    pub(in crate::http) fn of(http: &HttpRequest, gateway: &Gateway) -> Self {
        Self::at(base_url(http, &gateway.server), gateway)
    }

    /// For clients that call the gateway by this address.
    pub(super) fn at(base: String, gateway: &Gateway) -> Self {
        Self { base, retention: gateway.queue.retention() }
    }

    /// For an operator: addresses are those that clients call, wherever the operator has called.
    pub(in crate::http) fn for_operators(gateway: &Gateway) -> Self {
        let base = gateway.server.public_url.clone().unwrap_or_else(|| format!("http://{}", gateway.server.bind));
        Self::at(base, gateway)
    }

    /// The address of a request.
    pub(super) fn location(&self, request: &Request) -> String {
        format!("{}/v1/requests/{}", self.base, request.id)
    }

    fn links(&self, seen: &Snapshot) -> Links {
        let Snapshot { request, view, now } = seen;
        let itself = self.location(request);
        let below = |name: &str| format!("{itself}/{name}");
        let is_kept = is_payload_kept(self.retention, view, *now);
        let has_result = view.status == Status::Succeeded && (is_kept || request.simulation().is_some());
        Links {
            events: below("events"),
            payload: is_kept.then(|| below("payload")),
            result: has_result.then(|| below("result")),
            cancel: (!view.status.is_terminal()).then(|| below("cancel")),
            itself,
        }
    }

    /// The request as it was seen.
    pub(in crate::http) fn view(&self, seen: &Snapshot) -> RequestView {
        let Snapshot { request, view, .. } = seen;
        let work = request.work();
        RequestView {
            request_id: request.id.to_string(),
            kind: request.kind.clone(),
            status: view.status,
            stage: view.stage.clone(),
            progress: work.and_then(|work| work.progress.as_ref()).map(ProgressView::from),
            submitted_at: request.submitted_at,
            started_at: view.started_at,
            finished_at: view.finished_at,
            updated_at: view.updated_at,
            not_before: request.not_before,
            deadline: request.deadline,
            purge_at: view.finished_at.map(|at| at.plus(self.retention.request)),
            cancel_requested_at: request.cancel_requested_at(),
            attempt: work.map_or(0, |work| work.attempt),
            max_attempts: work.map(|work| work.most_attempts),
            tags: request.tags.clone(),
            error: view.error.clone().map(FailureView::from),
            result: view.result.clone(),
            links: self.links(seen),
        }
    }
}
