//! Conditional requests: whether a client knows the present state already, and whether it means that one.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName};

/// Whether `If-None-Match` names the entity tag, RFC 9110 section 13.1.2 (weak comparison).
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    tags(headers, header::IF_NONE_MATCH).any(|tag| tag == "*" || opaque(tag) == opaque(etag))
}

/// The entity tags that `If-Match` names, RFC 9110 section 13.1.1; none when any state is meant. A weak one names no state (strong
/// comparison).
pub(super) fn meant(request: &HttpRequest) -> Option<Vec<&str>> {
    let is_sent = request.headers().contains_key(header::IF_MATCH);
    let named: Vec<_> = tags(request.headers(), header::IF_MATCH).collect();
    (is_sent && !named.contains(&"*")).then_some(named)
}

fn tags(headers: &HeaderMap, header: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header).filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}
