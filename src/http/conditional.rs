//! Conditional requests: whether a client knows the present state already.

use actix_web::HttpRequest;
use actix_web::http::header;

/// Whether `If-None-Match` names the entity tag, RFC 9110 section 13.1.2 (weak comparison).
pub(super) fn is_known(request: &HttpRequest, etag: &str) -> bool {
    let lines = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    tags.any(|tag| tag == "*" || opaque(tag) == opaque(etag))
}
