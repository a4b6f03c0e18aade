//! Cross-origin calls: which pages may call the API, and that none asks a guard.

use actix_cors::{Cors, CorsError};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::Next;

use super::code::Code;
use super::problem::Problem;

/// Pages of these origins may call the API with a token; credentials of the browser's own are never taken.
pub(super) fn layer(origins: &[String], token_header: Option<&HeaderName>) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST"])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_NONE_MATCH])
        .allowed_headers(token_header)
        .allowed_header("Idempotency-Key")
        .expose_headers([
            "Location",
            "Retry-After",
            "ETag",
            "Link",
            "X-Trace-Id",
            "Idempotent-Replayed",
            "WWW-Authenticate",
        ])
        .max_age(86_400);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// Keeps the layer from guards: whom it is about is the service's page, and a preflight that the layer answers with 200 would let
/// the call pass.
pub(super) async fn spare_guards<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if is_of_guard(request.match_info().as_str()) {
        request.headers_mut().remove(header::ORIGIN);
        request.headers_mut().remove(header::ACCESS_CONTROL_REQUEST_METHOD);
    }
    next.call(request).await
}

/// Whether a path, decoded as it is for the routes, is that of a guard. Repeated slashes count as one there.
fn is_of_guard(path: &str) -> bool {
    path.split('/').find(|segment| !segment.is_empty()) == Some("guard")
}

/// Why the layer refused a preflight.
pub(super) fn refusal(error: &Error) -> Option<Problem> {
    let why = match error.as_error::<CorsError>()? {
        CorsError::OriginNotAllowed => "Its origin is not one of server.cors_origins.",
        CorsError::MethodNotAllowed => "Its method is neither GET nor POST.",
        CorsError::HeadersNotAllowed => "One of its headers is none that the API reads.",
        _ => "Its Origin or Access-Control-Request-… headers can not be read.",
    };
    Some(Problem::detailed(Code::Malformed, format!("The call that a page's browser asks about is not allowed. {why}")))
}
