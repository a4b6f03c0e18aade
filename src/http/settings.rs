//! The `[server]` section: where the gateway listens, who it believes, and how much it takes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::core::error::Misconfiguration;
use crate::core::period::Period;

/// The `[server]` section.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// The address to listen on.
    pub bind: SocketAddr,
    /// The address to be operated at; default: 127.0.0.1:9090 in production, in development the same as `bind`.
    pub admin_bind: Option<AdminBind>,
    /// Development or production; default: development when only this machine can reach the gateway.
    pub mode: Option<Mode>,
    /// The address that clients know it by; unset: the request's own host.
    pub public_url: Option<String>,
    /// Where state lives.
    pub data_dir: PathBuf,
    /// The proxies whose `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// The origins whose pages may call the API; none: no cross-origin call is allowed.
    pub cors_origins: Vec<String>,
    /// The largest body that is read, in bytes.
    pub max_body_bytes: usize,
    /// The largest batch of requests that is read, in bytes.
    pub max_batch_bytes: usize,
    /// The most connections at once on each worker, of which there is one for each core; more wait to be accepted.
    pub max_connections: usize,
    /// The most requests in work at once; more are answered 503.
    pub max_in_flight: usize,
    /// The most calls that are held at once until something happens; more are answered at once.
    pub max_held: usize,
    /// How long a client may take to send the head of a request.
    pub head_timeout: Period,
    /// How long a client may take to send the body of a request.
    pub body_timeout: Period,
    /// How long a client may leave an answer unread.
    pub write_timeout: Period,
    /// How long an idle connection is kept.
    pub keep_alive: Period,
}

/// Where metrics, detailed readiness and the administration are to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AdminBind {
    /// Nowhere.
    Off,
    /// At an address of their own.
    At(SocketAddr),
}

impl TryFrom<String> for AdminBind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "off" => Ok(Self::Off),
            address => address.parse().map(Self::At).map_err(|_| {
                format!("\"{address}\" is neither an address with a port, as \"127.0.0.1:9090\", nor \"off\"")
            }),
        }
    }
}

impl From<AdminBind> for String {
    fn from(admin: AdminBind) -> Self {
        match admin {
            AdminBind::Off => "off".into(),
            AdminBind::At(address) => address.to_string(),
        }
    }
}

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// What clients call.
    Api,
    /// What operators call.
    Admin,
    /// Both.
    All,
    /// What operators call, for whoever can open the admin socket.
    Socket,
}

impl Listener {
    /// Whether clients are served.
    pub(super) fn has_api(self) -> bool {
        matches!(self, Self::Api | Self::All)
    }

    /// Whether operators are served.
    pub(super) fn has_admin(self) -> bool {
        self != Self::Api
    }
}

/// How strict the gateway is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// For one's own machine: a demo client, and no caller from elsewhere.
    Development,
    /// For everything else.
    Production,
}

/// Where a gateway in production is operated unless told otherwise.
const ADMIN_BIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_bind: None,
            mode: None,
            public_url: None,
            data_dir: "data".into(),
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            max_body_bytes: 1 << 20,
            max_batch_bytes: 8 << 20,
            max_connections: 10_000,
            max_in_flight: 1_024,
            max_held: 10_000,
            head_timeout: Period::seconds(5),
            body_timeout: Period::seconds(30),
            write_timeout: Period::seconds(30),
            keep_alive: Period::seconds(75),
        }
    }
}

impl ServerSettings {
    /// The mode that is meant: as said, else development exactly when only this machine can reach the gateway.
    pub fn effective_mode(&self) -> Mode {
        let loopback_url = self.public_host().is_none_or(|host| is_loopback_host(&host));
        let only_here = self.bind.ip().is_loopback() && loopback_url && self.trusted_proxies.is_empty();
        self.mode.unwrap_or(if only_here { Mode::Development } else { Mode::Production })
    }

    /// The address that the gateway is operated at, where that is not `bind`.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        match (self.admin_bind, self.effective_mode()) {
            (Some(AdminBind::At(address)), _) => Some(address),
            (None, Mode::Production) => Some(ADMIN_BIND),
            (Some(AdminBind::Off), _) | (None, Mode::Development) => None,
        }
    }

    /// What is served at `bind`.
    pub fn main_listener(&self) -> Listener {
        match (self.admin_bind, self.effective_mode()) {
            (None, Mode::Development) => Listener::All,
            _ => Listener::Api,
        }
    }

    /// The host of `public_url`, in lower case, without port.
    pub fn public_host(&self) -> Option<String> {
        let url = self.public_url.as_deref()?;
        let authority = url.split_once("://")?.1.split('/').next()?;
        Some(host_of(authority).to_ascii_lowercase())
    }

    /// Every mistake in the section.
    pub fn mistakes(&self) -> Vec<Misconfiguration> {
        let mut mistakes = Vec::new();
        let mut mistake = |key: &str, problem: &str, remedy: &str| {
            mistakes.push(Misconfiguration::new(format!("server.{key}"), problem, remedy));
        };
        if let Some(url) = &self.public_url
            && !is_base_url(url)
        {
            let remedy =
                "Write it as https://HOST or https://HOST/PREFIX, without a slash at the end, query or fragment";
            mistake("public_url", "it is not the address of a web server", remedy);
        }
        if self.admin_address().is_some_and(|admin| is_shared(admin, self.bind)) {
            let remedy =
                "Give it another port, or \"off\"; in development mode, leave it out to have both at one address";
            mistake("admin_bind", "it is the address of server.bind too", remedy);
        }
        for (key, value) in [
            ("max_body_bytes", self.max_body_bytes),
            ("max_batch_bytes", self.max_batch_bytes),
            ("max_connections", self.max_connections),
            ("max_in_flight", self.max_in_flight),
        ] {
            if value == 0 {
                mistake(key, "with 0 nothing could be served", "Give a number above 0, or leave the key out");
            }
        }
        for (key, limit) in [("head_timeout", self.head_timeout), ("body_timeout", self.body_timeout)] {
            if limit == Period::default() {
                mistake(key, "with 0s no request could arrive in time", "Give a time above 0s, or leave the key out");
            }
        }
        if self.cors_origins.iter().any(|origin| !is_origin(origin)) {
            mistake(
                "cors_origins",
                "an entry is not an origin",
                "Write each as https://HOST or https://HOST:PORT; \"*\" is not allowed",
            );
        }
        mistakes
    }
}

/// Whether two listeners would be at one address.
fn is_shared(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (everywhere || one.ip() == other.ip())
}

fn is_base_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\@".contains(&byte));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.ends_with('/') && plain(rest))
}

fn is_origin(origin: &str) -> bool {
    is_base_url(origin) && origin.matches('/').count() == 2 && !origin.contains('*')
}

/// The host in a `Host` header or an authority, without port.
pub(super) fn host_of(authority: &str) -> &str {
    let bracket = authority.bytes().rposition(|byte| byte == b']');
    let host = match bracket {
        Some(end) => &authority[..=end],
        None => authority.bytes().position(|byte| byte == b':').map_or(authority, |end| &authority[..end]),
    };
    // What follows is a port, or the whole is no host.
    let port = &authority[host.len()..];
    let is_port = port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if port.is_empty() || is_port { host } else { authority }
}

/// Whether the name can only mean this machine.
pub(super) fn is_loopback_host(host: &str) -> bool {
    if let Ok(ip) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return ip.is_loopback();
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}
