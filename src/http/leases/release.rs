//! `POST /v1/leases/{lease_id}/release`: a worker gives a request back.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use super::rules::Rules;
use super::view::WorkView;
use super::{end, lease_id};
use crate::core::error::Error;
use crate::core::policy::WorkRequests;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::body::{Json, Object};
use crate::http::problem::Problem;
use crate::queue::work::Said;

/// What a worker says that gives a request back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Release {
    /// The lease's fencing number.
    #[schema(example = 1)]
    pub(super) epoch: u32,
    /// How long nobody is to have it: 0 to 604800.
    #[schema(minimum = 0, maximum = 604_800, default = 0)]
    delay_seconds: Option<u64>,
}

/// Release a request
///
/// Gives the request back as if it had not been leased: the attempt does not count. One whose owner wants it cancelled is cancelled.
#[utoipa::path(post, path = "/v1/leases/{lease_id}/release", tag = "workers",
    security(("bearer" = []), ("oauth2" = ["requests:work"])),
    params(("lease_id" = String, Path, description = "The lease", example = "lease_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    request_body(content = Release, content_type = "application/json", example = json!({"epoch": 1, "delay_seconds": 30})),
    responses(
        (status = 200, description = "The request as it stands now", body = WorkView),
        (status = 404, description = "No such lease, or somebody else's"),
        (status = 409, description = "The lease is lost"),
    ),
)]
pub(in crate::http) async fn release_lease(
    allowed: Allowed<WorkRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    id: Path<String>,
    body: Json<Object<Release>>,
) -> Result<HttpResponse, Problem> {
    let lease = lease_id(&id)?;
    let Json(Object(release)) = body;
    end(&allowed, &gateway, &http, (lease, release.epoch, release.said()?)).await
}

impl Release {
    pub(super) fn said(self) -> Result<Said, Error> {
        let mut rules = Rules::default();
        let delay = rules.pause("/delay_seconds", self.delay_seconds).unwrap_or_default();
        rules.hold(Said::GivesBack { delay })
    }
}
