//! `POST /v1/leases/{lease_id}/fail`: an attempt has failed.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use super::rules::Rules;
use super::view::WorkView;
use super::{end, lease_id};
use crate::core::error::Error;
use crate::core::policy::WorkRequests;
use crate::core::timeline::Failure;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::body::{Json, Object};
use crate::http::problem::Problem;
use crate::queue::work::Said;

/// What a worker says whose attempt has failed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Fail {
    /// The lease's fencing number.
    #[schema(example = 1)]
    pub(super) epoch: u32,
    /// Why, for its owner's eyes.
    error: Reason,
    /// Whether it is worth another attempt.
    #[serde(default = "yes")]
    #[schema(default = true)]
    retryable: bool,
    /// How long to wait before the next attempt: 0 to 604800. Unless told, as the type says.
    #[schema(minimum = 0, maximum = 604_800)]
    retry_after_seconds: Option<u64>,
}

/// Why an attempt failed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Reason {
    /// A stable code: 1 to 64 characters out of a-z, 0-9, "_", "." and "-".
    #[schema(example = "printer_on_fire")]
    code: String,
    /// A short title; 1 to 200 characters.
    #[schema(example = "The printer is on fire")]
    title: String,
    /// What happened, and what to do; up to 4,000 characters.
    #[serde(default)]
    detail: String,
}

fn yes() -> bool {
    true
}

/// Fail an attempt
///
/// The request is tried again after a while, unless it is not `retryable` or there are no attempts left: then it has failed, and is a
/// dead letter. One whose owner wants it cancelled is cancelled.
#[utoipa::path(post, path = "/v1/leases/{lease_id}/fail", tag = "workers",
    security(("bearer" = []), ("oauth2" = ["requests:work"])),
    params(("lease_id" = String, Path, description = "The lease", example = "lease_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    request_body(content = Fail, content_type = "application/json",
        example = json!({"epoch": 1, "error": {"code": "printer_on_fire", "title": "The printer is on fire"}, "retryable": true})),
    responses(
        (status = 200, description = "The request as it stands now", body = WorkView),
        (status = 404, description = "No such lease, or somebody else's"),
        (status = 409, description = "The lease is lost"),
    ),
)]
pub(in crate::http) async fn fail_lease(
    allowed: Allowed<WorkRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    id: Path<String>,
    body: Json<Object<Fail>>,
) -> Result<HttpResponse, Problem> {
    let lease = lease_id(&id)?;
    let Json(Object(fail)) = body;
    end(&allowed, &gateway, &http, (lease, fail.epoch, fail.said()?)).await
}

impl Fail {
    pub(super) fn said(self) -> Result<Said, Error> {
        let mut rules = Rules::default();
        let Reason { code, title, detail } = self.error;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        if !(1..=64).contains(&code.len()) || !code.bytes().all(allowed) {
            rules.refuse(
                "/error/code",
                "invalid_value",
                "it has 1 to 64 characters out of a-z, 0-9, \"_\", \".\" and \"-\"",
            );
        }
        rules.text("/error/title", &title, 1..=200);
        rules.text("/error/detail", &detail, 0..=4000);
        let retry_after = rules.pause("/retry_after_seconds", self.retry_after_seconds);
        let error = Failure { code, title, detail, retryable: self.retryable };
        rules.hold(Said::Failed { error, retry_after })
    }
}
