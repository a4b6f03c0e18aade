//! `POST /v1/leases/{lease_id}/heartbeat`: a worker is alive.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lease::run_until;
use super::rules::Rules;
use super::{hear, lease_id};
use crate::core::clock::Timestamp;
use crate::core::error::Error;
use crate::core::policy::WorkRequests;
use crate::core::request::{Report, Request};
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::body::{Json, Object};
use crate::http::problem::Problem;
use crate::queue::work::{Said, Saying};

/// What a worker says while it works.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Heartbeat {
    /// The lease's fencing number.
    #[schema(example = 1)]
    pub(super) epoch: u32,
    /// How long the lease is to last from now on: 1 to 3600. Unless told, as the type says.
    #[schema(minimum = 1, maximum = 3600)]
    lease_seconds: Option<u64>,
    /// How far it is, for its owner's eyes. What is left out stays as it was.
    progress: Option<ProgressReport>,
}

/// How far a worker is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ProgressReport {
    /// 0 to 100.
    #[schema(minimum = 0, maximum = 100, example = 40)]
    percent: Option<f64>,
    /// In words; up to 500 characters.
    #[schema(example = "Page 4 of 10")]
    message: Option<String>,
    /// The name of the stage that the request is in, as its owner sees it; 1 to 64 characters.
    #[schema(example = "rendering")]
    stage: Option<String>,
}

/// What a worker that works is told.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "lease_until": "2026-11-22T06:13:03.482Z", "cancel_requested": false, "deadline": null, "run_until": "2026-11-22T06:27:03.482Z",
}))]
pub(in crate::http) struct Extended {
    /// The lease ends then, unless another heartbeat prolongs it.
    #[schema(required, value_type = String, format = DateTime)]
    lease_until: Option<Timestamp>,
    /// Whether the owner wants it stopped: then stop, and call `release` or `fail`; it is cancelled by either.
    cancel_requested: bool,
    /// The request expires then.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    deadline: Option<Timestamp>,
    /// The attempt ends then, heartbeats or not.
    #[schema(required, value_type = String, format = DateTime)]
    run_until: Option<Timestamp>,
}

/// Extend a lease
///
/// Prolongs the lease, tells its owner how far the request is, and tells you whether to stop. Call it in at most half the time that
/// the lease lasts. 409 `lease_lost`: another worker may have the request; stop.
#[utoipa::path(post, path = "/v1/leases/{lease_id}/heartbeat", tag = "workers",
    security(("bearer" = []), ("oauth2" = ["requests:work"])),
    params(("lease_id" = String, Path, description = "The lease", example = "lease_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    request_body(content = Heartbeat, content_type = "application/json",
        example = json!({"epoch": 1, "progress": {"percent": 40, "message": "Page 4 of 10", "stage": "rendering"}})),
    responses(
        (status = 200, description = "The lease lasts on", body = Extended),
        (status = 404, description = "No such lease, or somebody else's"),
        (status = 409, description = "The lease is lost: stop working on the request"),
    ),
)]
pub(in crate::http) async fn extend_lease(
    allowed: Allowed<WorkRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    id: Path<String>,
    body: Json<Object<Heartbeat>>,
) -> Result<HttpResponse, Problem> {
    let lease = lease_id(&id)?;
    let Json(Object(heartbeat)) = body;
    let epoch = heartbeat.epoch;
    let heard = hear(&allowed, &gateway, &http, Saying { lease, epoch, said: heartbeat.said()? }).await?;
    Ok(HttpResponse::Ok().json(Extended::new(&heard.request)))
}

impl Heartbeat {
    pub(super) fn said(self) -> Result<Said, Error> {
        let mut rules = Rules::default();
        let lease = rules.lease(self.lease_seconds);
        let report = self.progress.map(|ProgressReport { percent, message, stage }| {
            if percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
                rules.refuse("/progress/percent", "invalid_value", "it is a number from 0 to 100");
            }
            if let Some(message) = &message {
                rules.text("/progress/message", message, 0..=500);
            }
            if let Some(stage) = &stage {
                rules.text("/progress/stage", stage, 1..=64);
            }
            Report { percent, message, stage }
        });
        rules.hold(Said::Alive { lease, report })
    }
}

impl Extended {
    pub(super) fn new(request: &Request) -> Self {
        Self {
            lease_until: request.lease_ends_at(),
            cancel_requested: request.cancel_requested_at().is_some(),
            deadline: request.deadline,
            run_until: request.work().and_then(|work| run_until(&work.state)),
        }
    }
}
