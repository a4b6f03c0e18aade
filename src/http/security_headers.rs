//! The headers that every answer carries, whatever it is.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::Gateway;

const FOR_ALL: &[(HeaderName, &str)] =
    &[(header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::X_FRAME_OPTIONS, "DENY")];
/// Unless the handler knows better: nothing may be cached, and a browser that shows the answer as a page may load nothing, and tells nobody
/// where it was.
const BY_DEFAULT: &[(HeaderName, &str)] = &[
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];

/// Sets them.
pub(super) fn set(gateway: &Gateway, headers: &mut HeaderMap) {
    for (name, value) in FOR_ALL {
        headers.insert(name.clone(), HeaderValue::from_static(value));
    }
    for (name, value) in BY_DEFAULT {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), HeaderValue::from_static(value));
        }
    }
    if gateway.server.public_url.as_deref().is_some_and(|url| url.starts_with("https://")) {
        let value = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
}
