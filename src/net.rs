//! Outbound HTTP: one client with private CA, time and size limits, and errors that say what to do.

use std::error::Error as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{CACHE_CONTROL, HeaderMap};
use reqwest::{Certificate, Client, ClientBuilder, Response, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::core::error::Misconfiguration;
use crate::core::period::Period;

/// The section `[net]`: how the gateway talks to identity providers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetSettings {
    /// A PEM file with the certificates of private CAs, trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one exchange may take, from the name lookup to the last byte.
    pub timeout: Period,
    /// How many bytes of an answer are read.
    pub max_body_bytes: usize,
}

impl Default for NetSettings {
    fn default() -> Self {
        Self { ca_file: None, timeout: Period::seconds(5), max_body_bytes: 512 * 1024 }
    }
}

impl NetSettings {
    /// The client that these settings describe. `base` is the folder that a relative `ca_file` is relative to.
    pub fn client(&self, base: &Path) -> Result<HttpClient, Misconfiguration> {
        if self.timeout.duration().is_zero() || self.max_body_bytes == 0 {
            let key = if self.timeout.duration().is_zero() { "net.timeout" } else { "net.max_body_bytes" };
            return Err(Misconfiguration::new(key, "is 0", "Leave it out, or write a limit greater than 0"));
        }
        let authorities = self.ca_file.as_ref().map_or(Ok(Vec::new()), |path| read_authorities(&base.join(path)))?;
        let client = self
            .builder()
            .tls_certs_merge(authorities.clone())
            .build()
            // A machine without a certificate store can still serve: what it fetches then fails with the remedy.
            .or_else(|_| self.builder().tls_certs_only(authorities).build())
            .map_err(|error| {
                let remedy = "Check that its certificates are those of CAs, in PEM";
                Misconfiguration::new("net.ca_file", format!("can not be used: {}", innermost(&error)), remedy)
            })?;
        Ok(HttpClient { client, max_body_bytes: self.max_body_bytes })
    }

    fn builder(&self) -> ClientBuilder {
        Client::builder()
            .user_agent(concat!("anteroom/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.timeout.duration())
            .timeout(self.timeout.duration())
            .redirect(redirect::Policy::none())
            .no_proxy()
            // Fetches are rare, and a kept connection would belong to the worker that opened it.
            .pool_max_idle_per_host(0)
    }
}

fn read_authorities(path: &Path) -> Result<Vec<Certificate>, Misconfiguration> {
    let fault = |problem: String| {
        Misconfiguration::new("net.ca_file", problem, "Name a PEM file with at least one CA certificate")
    };
    let pem = std::fs::read(path).map_err(|error| fault(format!("{} can not be read: {error}", path.display())))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(authorities) if !authorities.is_empty() => Ok(authorities),
        _ => Err(fault(format!("{} holds no certificate", path.display()))),
    }
}

/// Fetches small documents from providers: no redirect, no proxy, and nothing unencrypted but from this machine itself.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client,
    max_body_bytes: usize,
}

/// A document, and how long its sender says that it holds.
#[derive(Debug)]
pub struct Fetched<T> {
    /// What the document says.
    pub document: T,
    /// `max-age` of `Cache-Control` (RFC 9111 section 5.2.2); zero for `no-cache` and `no-store`.
    pub max_age: Option<Duration>,
}

/// Why a document could not be fetched. The text names the address and the remedy, and never what was answered.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The address is not one that may be asked.
    #[error("{url} {problem}")]
    Address {
        /// As it was given.
        url: String,
        /// Why not.
        problem: &'static str,
    },
    /// It took too long.
    #[error("{0} did not answer in time (net.timeout)")]
    Timeout(Url),
    /// There is no trusted connection.
    #[error("{url} can not be trusted: {problem}. {remedy}")]
    Tls {
        /// The address.
        url: Url,
        /// What TLS says.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// There is no connection, or it broke.
    #[error("{url} can not be reached: {problem}")]
    Connection {
        /// The address.
        url: Url,
        /// What the network says.
        problem: String,
    },
    /// The answer is not a success.
    #[error("{url} answered {status}; only 200 counts, and redirects are not followed")]
    Status {
        /// The address.
        url: Url,
        /// The status.
        status: StatusCode,
    },
    /// The answer is too large.
    #[error("{url} answered more than {limit} bytes (net.max_body_bytes)")]
    TooLarge {
        /// The address.
        url: Url,
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer is not the JSON that was asked for.
    #[error("{url} did not answer the JSON document that was expected, at line {line}, column {column}")]
    NotJson {
        /// The address.
        url: Url,
        /// Where reading stopped.
        line: usize,
        /// Where reading stopped.
        column: usize,
    },
}

impl HttpClient {
    /// Fetches a JSON document.
    pub async fn get_json<T: DeserializeOwned>(&self, url: &str) -> Result<Fetched<T>, NetError> {
        let url = secure_url(url).map_err(|problem| NetError::Address { url: url.to_owned(), problem })?;
        let request = self.client.get(url.clone()).header("accept", "application/json");
        let response = request.send().await.map_err(|error| explain(&url, &error))?;
        if response.status() != StatusCode::OK {
            return Err(NetError::Status { url, status: response.status() });
        }
        let max_age = max_age(response.headers());
        let body = self.read(response, &url).await?;
        let document = serde_json::from_slice(&body).map_err(|error| NetError::NotJson {
            line: error.line(),
            column: error.column(),
            url,
        })?;
        Ok(Fetched { document, max_age })
    }

    async fn read(&self, mut response: Response, url: &Url) -> Result<Vec<u8>, NetError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| explain(url, &error))? {
            if body.len() + chunk.len() > self.max_body_bytes {
                return Err(NetError::TooLarge { url: url.clone(), limit: self.max_body_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Reads an address that may be asked: https, or http on this machine itself (RFC 8414 section 2 demands https).
///
/// # Errors
/// What is wrong, to be put after the address.
pub fn secure_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    let loopback = || match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback() => Ok(url),
        _ => Err("is not https (http is allowed for localhost only)"),
    }
}

fn explain(url: &Url, error: &reqwest::Error) -> NetError {
    let (url, problem) = (url.clone(), innermost(error));
    if error.is_timeout() {
        NetError::Timeout(url)
    } else if problem.contains("UnknownIssuer") || problem.contains("unknown issuer") {
        let remedy = "Put the certificate of its CA into a PEM file and name that in net.ca_file";
        NetError::Tls { url, problem: "its certificate is from a CA that is not trusted here".into(), remedy }
    } else if problem.contains("certificate") {
        NetError::Tls { url, problem, remedy: "Have its certificate renewed for this name, or correct the address" }
    } else {
        NetError::Connection { url, problem }
    }
}

/// The last cause: reqwest's own text says only that a request failed.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = error.to_string();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<_> = directives.flat_map(|value| value.split(',')).map(str::trim).collect();
    // Wherever it stands: it outweighs a max-age before it.
    let forbids = |directive: &&str| ["no-cache", "no-store"].iter().any(|name| directive.eq_ignore_ascii_case(name));
    if directives.iter().any(forbids) {
        return Some(Duration::ZERO);
    }
    directives.into_iter().find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        let seconds = seconds.trim_matches('"').parse().ok()?;
        name.eq_ignore_ascii_case("max-age").then(|| Duration::from_secs(seconds))
    })
}
