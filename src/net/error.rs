//! What can go wrong when a provider is asked, told so that one knows what to do.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{StatusCode, Url};

/// Why a document could not be fetched. The text names the address and the remedy, and never what was sent or answered.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The address is not one that may be asked.
    #[error("{url:?} {problem}")]
    Address {
        /// As it was given, but for what may not be shown.
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
        problem: Box<str>,
        /// What to do.
        remedy: Box<str>,
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
        /// How long to leave it alone, if it says so.
        retry_after: Option<Duration>,
    },
    /// The answer is too large.
    #[error("{url} answered more than {limit} bytes{setting}")]
    TooLarge {
        /// The address.
        url: Url,
        /// The limit in bytes.
        limit: usize,
        /// Which setting it is, in brackets; empty where it is none.
        setting: &'static str,
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

/// What went wrong when a provider was asked, in one word: one list for metrics, log lines and what operators see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchErrorClass {
    /// The answer was not a success.
    Http,
    /// It took too long.
    Timeout,
    /// There was no trusted connection.
    Tls,
    /// There was no connection, or it broke.
    Connection,
    /// The answer was not the JSON that was asked for.
    Parse,
    /// The set has no key that can be used.
    Empty,
    /// The discovery document is that of another issuer.
    Issuer,
    /// The answer was too large.
    TooLarge,
    /// The address is not one that may be asked.
    Address,
}

impl FetchErrorClass {
    /// Every one there is.
    pub const ALL: [Self; 9] = [
        Self::Http,
        Self::Timeout,
        Self::Tls,
        Self::Connection,
        Self::Parse,
        Self::Empty,
        Self::Issuer,
        Self::TooLarge,
        Self::Address,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Connection => "connection",
            Self::Parse => "parse",
            Self::Empty => "empty",
            Self::Issuer => "issuer",
            Self::TooLarge => "too_large",
            Self::Address => "address",
        }
    }
}

impl NetError {
    /// Its class.
    pub fn class(&self) -> FetchErrorClass {
        match self {
            Self::Address { .. } => FetchErrorClass::Address,
            Self::Timeout(_) => FetchErrorClass::Timeout,
            Self::Tls { .. } => FetchErrorClass::Tls,
            Self::Connection { .. } => FetchErrorClass::Connection,
            Self::Status { .. } => FetchErrorClass::Http,
            Self::TooLarge { .. } => FetchErrorClass::TooLarge,
            Self::NotJson { .. } => FetchErrorClass::Parse,
        }
    }
}

/// `ca_files` are the keys of the configuration that name the private CAs which are trusted.
pub(super) fn explain(url: &Url, error: &reqwest::Error, verifier: &str, ca_files: Option<&str>) -> NetError {
    let (url, problem) = (url.clone(), innermost(error));
    let is = |signs: &[&str]| signs.iter().any(|sign| problem.contains(sign));
    if error.is_timeout() {
        NetError::Timeout(url)
    } else if is(&["UnknownIssuer", "unknown issuer", "BadSignature"]) {
        // A bad signature is that of a CA with the name of one that is trusted, and another key: it was made anew.
        let remedy = match ca_files {
            Some(keys) => format!("What {keys} names does not hold its CA: put that CA's certificate into it, too"),
            None => format!(
                "Put the certificate of its CA into a PEM file and name that in verifiers.{verifier}.ca_file or net.ca_file"
            ),
        };
        let problem = "its certificate is from a CA that is not trusted here".into();
        NetError::Tls { url, problem, remedy: remedy.into() }
    } else if is(&["certificate"]) {
        let remedy = "Have its certificate renewed for this name, or correct the address".into();
        NetError::Tls { url, problem: problem.into(), remedy }
    } else if is(&["fatal alert", "corrupt message", "peer misbehaved", "peer is incompatible"]) {
        NetError::Tls {
            url,
            problem: problem.into(),
            remedy: "Check that it serves TLS 1.2 or 1.3 at this address".into(),
        }
    } else {
        NetError::Connection { url, problem }
    }
}

/// The last cause: reqwest's own text says only that a request failed.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = error.to_string();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}
