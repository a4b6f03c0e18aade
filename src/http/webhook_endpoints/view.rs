//! Endpoints and deliveries as their owner sees them.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::core::clock::Timestamp;
use crate::core::webhook::{Attempt, Delivery, DeliveryState, SecretText};
use crate::webhooks::{Algorithm, Shown, event_name};

/// Where you are told what becomes of your requests.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpoint, example = json!({
    "endpoint_id": "whe_01JD9W3W7QX5T4N0V6K8B2C1DE", "url": "https://partner.example/hooks/anteroom", "description": "the ledger",
    "events": ["request.succeeded", "request.failed", "request.cancelled", "request.expired"], "algorithm": "hmac-sha256",
    "public_keys": [], "configured": false, "created_at": "2026-11-22T06:12:03.482Z", "disabled_at": null, "disabled_reason": null,
    "failing_since": null,
}))]
pub(in crate::http) struct EndpointView {
    /// Its name.
    #[schema(example = "whe_01JD9W3W7QX5T4N0V6K8B2C1DE")]
    endpoint_id: String,
    /// Where.
    #[schema(example = "https://partner.example/hooks/anteroom")]
    url: String,
    /// What it is for.
    description: String,
    /// Of which events it is told.
    #[schema(example = json!(["request.succeeded", "request.failed"]))]
    events: Vec<String>,
    /// How deliveries are signed: `hmac-sha256` by a shared secret, `ed25519` by a private key.
    #[schema(example = "hmac-sha256")]
    algorithm: &'static str,
    /// What you verify `v1a` signatures by, the newest first; with a shared secret there is none.
    public_keys: Vec<String>,
    /// The shared secret, which is shown once: in the answer to the call that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Whether the Provider has configured it; then the Provider alone changes it.
    configured: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Since when it is told nothing.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
    /// Why.
    #[schema(required)]
    disabled_reason: Option<String>,
    /// Since when every attempt has failed.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
}

impl EndpointView {
    pub(super) fn new(shown: Shown, secret: Option<SecretText>) -> Self {
        let Shown { endpoint, algorithm, public_keys } = shown;
        let (disabled_at, disabled_reason) = endpoint.disabled.map(|disabled| (disabled.at, disabled.reason)).unzip();
        Self {
            endpoint_id: endpoint.id.to_string(),
            url: endpoint.url,
            description: endpoint.description,
            events: endpoint.statuses.into_iter().map(event_name).collect(),
            algorithm: match algorithm {
                Algorithm::HmacSha256 => "hmac-sha256",
                Algorithm::Ed25519 => "ed25519",
            },
            public_keys,
            secret: secret.map(|secret| secret.0),
            configured: endpoint.name.is_some(),
            created_at: endpoint.created_at,
            disabled_at,
            disabled_reason,
            failing_since: endpoint.failing_since,
        }
    }
}

/// An event on its way to an endpoint, or told.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDelivery, example = json!({
    "delivery_id": "msg_01JD9W3W7QX5T4N0V6K8B2C1DE", "endpoint_id": "whe_01JD9W3W7QX5T4N0V6K8B2C1DE",
    "request_id": "req_01JD9W3W7QX5T4N0V6K8B2C1DE", "event": "request.succeeded", "status": "delivered",
    "created_at": "2026-11-22T06:12:18.482Z", "next_attempt_at": null, "finished_at": "2026-11-22T06:12:18.482Z",
    "attempts": [{ "at": "2026-11-22T06:12:18.482Z", "duration_ms": 41, "status": 204, "error": null }],
    "payload": { "type": "request.succeeded", "timestamp": "2026-11-22T06:12:18.482Z", "data": {} },
}))]
pub(in crate::http) struct DeliveryView {
    /// Its name: the header `webhook-id` of every attempt.
    #[schema(example = "msg_01JD9W3W7QX5T4N0V6K8B2C1DE")]
    delivery_id: String,
    /// To which endpoint.
    endpoint_id: String,
    /// Of which request; none for a test.
    #[schema(required)]
    request_id: Option<String>,
    /// The type of the event.
    #[schema(example = "request.succeeded")]
    event: String,
    /// How far it is: `pending`, `delivered` or `failed`.
    #[schema(example = "delivered")]
    status: &'static str,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it is tried next; until its end.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// When it was taken, or given up.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// The attempts, the last 20 of them.
    attempts: Vec<AttemptView>,
    /// What is sent.
    #[schema(value_type = Object)]
    payload: Option<Box<RawValue>>,
}

/// One attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookAttempt)]
pub(in crate::http) struct AttemptView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// The status that was answered.
    #[schema(required)]
    status: Option<u16>,
    /// Why there was none.
    #[schema(required)]
    error: Option<String>,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        let Attempt { at, took, status, error } = attempt;
        Self { at, duration_ms: took, status, error }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            delivery_id: delivery.id.to_string(),
            endpoint_id: delivery.endpoint.to_string(),
            request_id: delivery.request.map(|id| id.to_string()),
            event: delivery.event,
            status: match delivery.state {
                DeliveryState::Pending => "pending",
                DeliveryState::Delivered => "delivered",
                DeliveryState::Failed => "failed",
            },
            created_at: delivery.created_at,
            next_attempt_at: delivery.due_at,
            finished_at: delivery.ended_at,
            attempts: delivery.attempts.into_iter().map(AttemptView::from).collect(),
            payload: RawValue::from_string(delivery.body).ok(),
        }
    }
}
