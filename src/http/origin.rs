//! Where a request comes from and what the client calls this gateway: the only place that believes a forwarded header.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::settings::ServerSettings;
use crate::core::error::Error;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// How proxies name the method of the call that they ask about: Traefik and Caddy, then what is usual with nginx.
const METHODS: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-original-method")];
/// And its address.
const ADDRESSES: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-uri"), HeaderName::from_static("x-original-uri")];

/// Whether only a proxy sends this header.
pub(super) fn is_proxy_header(name: &HeaderName) -> bool {
    let is_private = |rest: &str| ["forwarded-", "original-", "real-ip"].iter().any(|name| rest.starts_with(name));
    matches!(*name, header::FORWARDED | header::VIA) || name.as_str().strip_prefix("x-").is_some_and(is_private)
}

/// The headers of connections, of requests and of traces.
const TAKEN: [&str; 33] = [
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "host",
    "http2-settings",
    "authorization",
    "cookie",
    "set-cookie",
    "www-authenticate",
    "origin",
    "referer",
    "user-agent",
    "from",
    "date",
    "range",
    "max-forwards",
    "cache-control",
    "pragma",
    "priority",
    "dnt",
    "upgrade-insecure-requests",
    "idempotency-key",
    "traceparent",
    "tracestate",
    "baggage",
    "x-trace-id",
    "x-request-id",
    "x-correlation-id",
    "x-requested-with",
];
const TAKEN_PREFIXES: [&str; 10] =
    ["accept", "access-control-", "content-", "if-", "proxy-", "sec-", "x-accel-", "x-content-", "x-frame-", "x-real-"];

/// Whether a header means something already, so that neither a token nor an identity can be told by it.
pub(super) fn is_taken(name: &HeaderName) -> bool {
    let text = name.as_str();
    is_proxy_header(name) || TAKEN.contains(&text) || TAKEN_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

/// The call that a reverse proxy asks about, as far as it says and is believed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ForwardedCall<'r> {
    pub(super) method: Option<&'r str>,
    path: Option<&'r [u8]>,
    query: Option<&'r str>,
}

impl<'r> ForwardedCall<'r> {
    /// Whether the proxy says which address was called.
    pub(super) fn is_told(self) -> bool {
        self.path.is_some()
    }

    /// The path that was called, as it was sent, which need not be text; without the query, and what else could hold a token.
    pub(super) fn path(self) -> Option<&'r [u8]> {
        self.path
    }

    /// The query of the address that was called.
    pub(super) fn query(self) -> Option<&'r str> {
        self.query
    }
}

/// The call that a trusted proxy asks about; of anybody else nothing is believed.
///
/// # Errors
/// The headers contradict each other: the proxy let through what its client sent.
pub(super) fn forwarded_call<'r>(
    request: &'r HttpRequest,
    server: &ServerSettings,
) -> Result<ForwardedCall<'r>, Error> {
    if !from_trusted_proxy(request.head(), server) {
        return Ok(ForwardedCall::default());
    }
    let told = |names: &[HeaderName]| {
        let mut values = names.iter().flat_map(|name| request.headers().get_all(name));
        let Some(first) = values.next() else { return Ok(None) };
        if values.all(|other| other == first) { Ok(Some(first)) } else { Err(unclear(names)) }
    };
    let method = told(&METHODS)?.map(|method| method.to_str().map_err(|_| unclear(&METHODS))).transpose()?;
    let Some(address) = told(&ADDRESSES)?.map(HeaderValue::as_bytes) else {
        return Ok(ForwardedCall { method, ..ForwardedCall::default() });
    };
    // What of the path is no text is the service's business; in the query it could be a token.
    let query = query_of(address).map(|query| str::from_utf8(query).map_err(|_| unclear(&ADDRESSES))).transpose()?;
    Ok(ForwardedCall { method, path: address.split(|byte| b"?#;".contains(byte)).next(), query })
}

fn unclear(names: &[HeaderName]) -> Error {
    let detail = format!("The headers {} and {} do not agree, or are no text.", names[0], names[1]);
    Error::Malformed { detail, faults: Vec::new() }
}

fn query_of(address: &[u8]) -> Option<&[u8]> {
    let address = address.split(|byte| *byte == b'#').next()?;
    let mark = address.iter().position(|byte| *byte == b'?')?;
    Some(&address[mark + 1..])
}

/// The address that clients know the gateway by, without a slash at the end: `server.public_url`, else the request's own host.
pub(super) fn base_url(request: &HttpRequest, server: &ServerSettings) -> String {
    BaseUrl::of(request.head(), server).to_string()
}

/// The same, not written out yet: who only compares it need not build it.
#[derive(Clone, Copy, Debug)]
pub(super) enum BaseUrl<'r> {
    Configured(&'r str),
    Called { scheme: &'static str, host: &'r str },
    Bound(SocketAddr),
}

impl<'r> BaseUrl<'r> {
    pub(super) fn of(request: &'r RequestHead, server: &'r ServerSettings) -> Self {
        if let Some(url) = &server.public_url {
            return Self::Configured(url);
        }
        let headers = &request.headers;
        let forwarded = |name| if from_trusted_proxy(request, server) { text(headers, &name) } else { None };
        let is_secure = forwarded(FORWARDED_PROTO).is_some_and(|scheme| scheme == "https");
        let host = [forwarded(FORWARDED_HOST), text(headers, &header::HOST)];
        match host.into_iter().flatten().find(|host| is_authority(host)) {
            Some(host) => Self::Called { scheme: if is_secure { "https" } else { "http" }, host },
            None => Self::Bound(server.bind),
        }
    }

    /// The address of a path below it.
    pub(super) fn with(self, path: &str) -> String {
        match self {
            Self::Configured(url) => [url, path].concat(),
            Self::Called { scheme, host } => [scheme, "://", host, path].concat(),
            Self::Bound(_) => format!("{self}{path}"),
        }
    }

    /// Whether it is written so.
    pub(super) fn is(self, text: &str) -> bool {
        match self {
            Self::Configured(url) => url == text,
            Self::Called { scheme, host } => {
                text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")) == Some(host)
            }
            Self::Bound(_) => self.to_string() == text,
        }
    }
}

impl fmt::Display for BaseUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured(url) => f.write_str(url),
            Self::Called { scheme, host } => write!(f, "{scheme}://{host}"),
            Self::Bound(address) => write!(f, "http://{address}"),
        }
    }
}

/// The client's address: the peer's, or what a chain of trusted proxies says of it.
pub(super) fn client_address(request: &HttpRequest, server: &ServerSettings) -> Option<IpAddr> {
    let peer = peer_ip(request.head())?;
    if !is_trusted(peer, server) {
        return Some(peer);
    }
    let lines = request.headers().get_all(FORWARDED_FOR).filter_map(|value| value.to_str().ok());
    let hops: Vec<_> = lines.flat_map(|line| line.split(',')).map(|hop| hop_address(hop.trim())).collect();
    let mut known = hops.into_iter().rev().map_while(|hop| hop).map(|hop| hop.to_canonical());
    Some(known.find(|hop| !is_trusted(*hop, server)).unwrap_or(peer))
}

/// The address of a hop, which some proxies write with its port: `192.0.2.1:4711`, `[2001:db8::1]:4711`, or in brackets alone.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::from);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    hop.parse().ok().or_else(with_port).or_else(bracketed)
}

/// Whether the peer is a proxy whose headers are believed.
pub(super) fn from_trusted_proxy(request: &RequestHead, server: &ServerSettings) -> bool {
    peer_ip(request).is_some_and(|peer| is_trusted(peer, server))
}

/// Who the connection is from. A listener on `[::]` has its IPv4 peers with addresses in the form of IPv6.
pub(super) fn peer_ip(request: &RequestHead) -> Option<IpAddr> {
    request.peer_addr.map(|peer| peer.ip().to_canonical())
}

fn is_trusted(ip: IpAddr, server: &ServerSettings) -> bool {
    server.trusted_proxies.iter().any(|proxy| proxy.to_canonical() == ip)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_authority(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(allowed)
}
