//! What can go wrong in the domain; HTTP gives each its status, and nothing here knows which.

use std::error::Error as StdError;
use std::time::Duration;

use super::quota::Exceeded;
use super::verdict::{Denial, Refusal};

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no genuine token behind the call.
    #[error("{}", .0.reason.sentence())]
    Unauthenticated(Refusal),
    /// The token is genuine and does not allow this.
    #[error("the token lacks {}", .0.lacks)]
    InsufficientScope(Denial),
    /// The keys or the provider needed to judge the token can not be had now.
    #[error("the token can not be verified now")]
    VerifierUnavailable {
        /// When it makes sense to ask again.
        retry_after: Duration,
    },
    /// What was asked for has the wrong form.
    #[error("{detail}")]
    Malformed {
        /// What is wrong and what to do.
        detail: String,
        /// Where.
        faults: Vec<Fault>,
    },
    /// The form is right, and the content breaks a rule.
    #[error("{detail}")]
    Invalid {
        /// What is wrong and what to do.
        detail: String,
        /// Where.
        faults: Vec<Fault>,
    },
    /// A part of what was sent is larger than is taken; what to do about it.
    #[error("{0}")]
    TooLarge(&'static str),
    /// There is no such request, or it is somebody else's.
    #[error("no such request")]
    NotFound,
    /// There was such a request, and its owner has erased it, or what is asked of it is no longer kept.
    #[error("{0}")]
    Gone(&'static str),
    /// The webhook endpoint is not in a state for this; why, and what to do.
    #[error("{0}")]
    EndpointConflict(&'static str),
    /// The client of the authorization server is not in a state for this; why, and what to do.
    #[error("{0}")]
    ClientConflict(&'static str),
    /// The idempotency key was used before with another body.
    #[error("the idempotency key was used with another body")]
    IdempotencyKeyReused,
    /// The share of the caller's owner is used up.
    #[error("the limit {} of {} is reached", .0.limit.name(), .0.value)]
    QuotaExceeded(Exceeded),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One fault in a request body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) from the body's root.
    pub pointer: String,
    /// A stable code.
    pub code: &'static str,
    /// What is wrong and what is expected.
    pub detail: String,
}

/// A name as one step of a JSON Pointer, RFC 6901 section 3.
pub fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no space left; nothing was changed, and it works again when there is space.
    #[error("the store is full")]
    Full,
    /// More writes wait than the store takes; nothing was changed.
    #[error("the store is busy")]
    Busy,
    /// A record is damaged: its checksum does not match.
    #[error("record {0} is damaged")]
    Damaged(String),
    /// The store could not be read; nothing was to be changed.
    #[error("the store can not be read")]
    Unreadable(#[source] Box<dyn StdError + Send + Sync>),
    /// The store could not do it, and nobody knows how far it came. Where it can not be used any more, [`Store::failure`] says so.
    ///
    /// [`Store::failure`]: super::ports::Store::failure
    #[error("the store failed")]
    Failed(#[source] Box<dyn StdError + Send + Sync>),
}

/// A mistake in the configuration, told so that it can be mended: which key, what is wrong, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}. {remedy}")]
pub struct Misconfiguration {
    /// The key, with dots: `verifiers.auth0.issuer`.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl Misconfiguration {
    /// A mistake at `key`.
    pub fn new(key: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), remedy: remedy.into() }
    }
}

/// The mistakes found in one named table of the configuration.
#[derive(Debug)]
pub struct Mistakes<'a> {
    /// The section that the table is in.
    section: &'static str,
    /// The table's name.
    pub name: &'a str,
    /// What was found.
    pub found: Vec<Misconfiguration>,
}

impl<'a> Mistakes<'a> {
    /// None as yet, in the table `[section.name]`.
    pub fn of(section: &'static str, name: &'a str) -> Self {
        Self { section, name, found: Vec::new() }
    }

    /// One more, at a key of the table; without a key it is the table's.
    pub fn add(&mut self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        let dot = if key.is_empty() { "" } else { "." };
        self.found.push(Misconfiguration::new(format!("{}.{}{dot}{key}", self.section, self.name), problem, remedy));
    }
}

/// The items in quotes, with commas.
pub fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    items.into_iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ")
}
