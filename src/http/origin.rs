//! Where a request comes from and what the client calls this gateway: the only place that believes a forwarded header.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName};

use super::settings::ServerSettings;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The headers that only a proxy sends.
pub(super) const PROXY_HEADERS: [HeaderName; 6] = [
    header::FORWARDED,
    header::VIA,
    FORWARDED_FOR,
    FORWARDED_HOST,
    FORWARDED_PROTO,
    HeaderName::from_static("x-real-ip"),
];

/// The address that clients know the gateway by, without a slash at the end: `server.public_url`, else the request's own host.
pub(super) fn base_url(request: &HttpRequest, server: &ServerSettings) -> String {
    if let Some(url) = &server.public_url {
        return url.clone();
    }
    let headers = request.headers();
    let forwarded = |name| if from_trusted_proxy(request, server) { text(headers, &name) } else { None };
    let scheme = forwarded(FORWARDED_PROTO).filter(|scheme| *scheme == "https").unwrap_or("http");
    let host = [forwarded(FORWARDED_HOST), text(headers, &header::HOST)];
    match host.into_iter().flatten().find(|host| is_authority(host)) {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("http://{}", server.bind),
    }
}

/// The client's address: the peer's, or what a chain of trusted proxies says of it.
pub(super) fn client_address(request: &HttpRequest, server: &ServerSettings) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    if !from_trusted_proxy(request, server) {
        return Some(peer);
    }
    let lines = request.headers().get_all(FORWARDED_FOR).filter_map(|value| value.to_str().ok());
    let hops: Vec<_> = lines.flat_map(|line| line.split(',')).map(|hop| hop.trim().parse::<IpAddr>()).collect();
    let client = hops.into_iter().rev().map_while(Result::ok).find(|hop| !server.trusted_proxies.contains(hop));
    Some(client.unwrap_or(peer))
}

fn from_trusted_proxy(request: &HttpRequest, server: &ServerSettings) -> bool {
    request.peer_addr().is_some_and(|peer| server.trusted_proxies.contains(&peer.ip()))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_authority(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(allowed)
}
