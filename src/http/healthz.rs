//! `/healthz`: whether the process is alive.

use actix_web::HttpResponse;

/// Whether the gateway is alive
///
/// Answers 200 with an empty body for as long as the process can answer at all.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "Alive")))]
pub(super) async fn get_health() -> HttpResponse {
    HttpResponse::Ok().finish()
}
