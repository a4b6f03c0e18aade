//! `/healthz`: whether the process is alive; and which paths are asked by machines, over and over.

use actix_web::HttpResponse;

/// Whether the gateway is alive
///
/// Answers 200 with an empty body for as long as the process can answer at all.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "Alive")))]
pub(super) async fn get_health() -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// Whether it is the path of a question about health, which is always answered.
pub(super) fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// Whether it is a path that is asked so often that nobody wants to read of it.
pub(super) fn is_routine(path: &str) -> bool {
    is_health(path) || path == "/metrics"
}
