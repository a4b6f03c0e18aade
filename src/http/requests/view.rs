//! A request as its owner sees it: the one view that every operation answers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{Object, ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::core::clock::Timestamp;
use crate::core::request::{Request, Status, View};
use crate::core::timeline::Failure;

/// A request as its owner sees it. Every key is always present; `null` means unknown.
#[derive(Serialize, ToSchema)]
#[schema(as = Request, example = json!({
    "request_id": "req_01JD9W3W7QX5T4N0V6K8B2C1DE", "type": "default", "status": "running", "stage": "processing", "progress": null,
    "submitted_at": "2026-11-22T06:12:03.482Z", "started_at": "2026-11-22T06:12:08.482Z", "finished_at": null,
    "updated_at": "2026-11-22T06:12:08.482Z", "cancel_requested_at": null, "attempt": 0, "tags": {"order": "4711"},
    "error": null, "result": null,
    "links": {
        "self": "http://localhost:8080/v1/requests/req_01JD9W3W7QX5T4N0V6K8B2C1DE",
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
    #[schema(required, value_type = Option<Object>)]
    progress: Option<Value>,
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
    /// When its owner asked to cancel it.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    cancel_requested_at: Option<Timestamp>,
    /// How many times a worker took it up.
    attempt: u32,
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

/// Addresses of what can be done with a request now; only those that work are there.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Links {
    /// The request itself.
    #[serde(rename = "self")]
    #[schema(format = "uri")]
    itself: String,
    /// Cancels it; until it is terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri")]
    cancel: Option<String>,
}

impl RequestView {
    /// The view of `request`, with links that begin with `base`.
    pub(in crate::http) fn new(request: &Request, view: View, base: &str) -> Self {
        let itself = location(request, base);
        let cancel = (!view.status.is_terminal()).then(|| format!("{itself}/cancel"));
        Self {
            request_id: request.id.to_string(),
            kind: request.kind.clone(),
            status: view.status,
            stage: view.stage,
            progress: None,
            submitted_at: request.submitted_at,
            started_at: view.started_at,
            finished_at: view.finished_at,
            updated_at: view.updated_at,
            cancel_requested_at: request.cancel_requested_at(),
            attempt: request.work().map_or(0, |work| work.attempt),
            tags: request.tags.clone(),
            error: view.error.map(FailureView::from),
            result: view.result,
            links: Links { itself, cancel },
        }
    }
}

/// The address of a request.
pub(super) fn location(request: &Request, base: &str) -> String {
    format!("{base}/v1/requests/{}", request.id)
}
