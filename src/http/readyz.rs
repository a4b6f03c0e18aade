//! `/readyz`: whether the gateway should be sent traffic.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::Gateway;

/// Whether the gateway is ready for traffic
///
/// Answers 503 with an empty body while it shuts down, while its store can not be used, and while none of its verifiers can decide
/// about any token.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "Ready"),
    (status = 503, description = "Not ready"),
))]
pub(super) async fn get_readiness(gateway: Data<Gateway>) -> HttpResponse {
    if gateway.is_ready() { HttpResponse::Ok().finish() } else { HttpResponse::ServiceUnavailable().finish() }
}
