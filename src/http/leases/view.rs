//! A request as its workers see it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::core::clock::Timestamp;
use crate::core::request::Status;
use crate::http::requests::view::{FailureView, status_schema};
use crate::queue::Snapshot;

/// A request as its workers see it. Every key is always present.
#[derive(Serialize, ToSchema)]
#[schema(as = Work, example = json!({
    "request_id": "req_01JD9W3W7QX5T4N0V6K8B2C1DE", "type": "demo-work", "status": "succeeded", "epoch": 1, "attempt": 1, "max_attempts": 3,
    "submitted_at": "2026-11-22T06:12:03.482Z", "ready_at": null, "finished_at": "2026-11-22T06:12:08.482Z", "deadline": null,
    "cancel_requested_at": null, "tags": {"order": "4711"}, "error": null,
}))]
pub(in crate::http) struct WorkView {
    /// Its name.
    request_id: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// How it gets on; `succeeded`, `failed`, `cancelled` and `expired` are terminal.
    #[schema(schema_with = status_schema)]
    status: Status,
    /// The fencing number of the newest lease.
    epoch: u32,
    /// How many attempts were begun.
    attempt: u32,
    /// How many there may be.
    max_attempts: u32,
    /// When it was submitted.
    #[schema(value_type = String, format = DateTime)]
    submitted_at: Timestamp,
    /// When it may be leased, unless a worker has a lease on it.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    ready_at: Option<Timestamp>,
    /// When it reached its end.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// It expires unless it is done before.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    deadline: Option<Timestamp>,
    /// When its owner asked to cancel it.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    cancel_requested_at: Option<Timestamp>,
    /// Its owner's labels.
    tags: BTreeMap<String, String>,
    /// Why it failed, or why its last attempt did.
    #[schema(required)]
    error: Option<FailureView>,
}

impl WorkView {
    /// The view of a request that workers work on.
    pub(in crate::http) fn new(Snapshot { request, view: seen, .. }: &Snapshot) -> Self {
        let work = request.work();
        let is_waiting = matches!(seen.status, Status::Queued | Status::Scheduled | Status::Retrying);
        Self {
            request_id: request.id.to_string(),
            kind: request.kind.clone(),
            status: seen.status,
            epoch: work.map_or(0, |work| work.epoch),
            attempt: work.map_or(0, |work| work.attempt),
            max_attempts: work.map_or(0, |work| work.most_attempts),
            submitted_at: request.submitted_at,
            ready_at: request.ready_at().filter(|_| is_waiting),
            finished_at: seen.finished_at,
            deadline: request.deadline,
            cancel_requested_at: request.cancel_requested_at(),
            tags: request.tags.clone(),
            error: seen.error.clone().map(FailureView::from),
        }
    }
}
