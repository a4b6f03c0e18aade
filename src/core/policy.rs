//! What a caller may do: policies, and the permit that proves that one was met.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::claims::Caller;
use super::error::Error;
use super::verdict::{Denial, Evidence, Verdict};

/// Reading requests and their results.
pub const REQUESTS_READ: &str = "requests:read";
/// Submitting and cancelling requests.
pub const REQUESTS_WRITE: &str = "requests:write";
/// Working on requests.
pub const REQUESTS_WORK: &str = "requests:work";
/// Managing one's own webhook endpoints.
pub const WEBHOOKS_MANAGE: &str = "webhooks:manage";
/// Operating the gateway.
pub const ADMIN: &str = "admin";

/// Every scope of Anteroom's own operations, with what it allows.
pub const SCOPES: &[(&str, &str)] = &[
    (REQUESTS_READ, "Read your requests, their status and their results"),
    (REQUESTS_WRITE, "Submit and cancel requests"),
    (REQUESTS_WORK, "Work on requests"),
    (WEBHOOKS_MANAGE, "Manage your webhook endpoints"),
    (ADMIN, "Operate the gateway"),
];

/// Whether that is the name of a scope.
pub fn is_scope(name: &str) -> bool {
    SCOPES.iter().any(|(known, _)| *known == name)
}

/// Whom a token must be meant for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// At least one of these, unless there are none.
    pub any: Vec<String>,
    /// Every one of these.
    pub all: Vec<String>,
}

impl Audience {
    /// Whether the `aud` of a token meets this (RFC 7519 section 4.1.3).
    pub fn is_met_by(&self, audience: &[String]) -> bool {
        let names = |wanted: &String| audience.contains(wanted);
        (self.any.is_empty() || self.any.iter().any(names)) && self.all.iter().all(names)
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.any.as_slice(), self.all.as_slice()) {
            (any, []) => write!(f, "one of {any:?}"),
            ([], all) => write!(f, "every one of {all:?}"),
            (any, all) => write!(f, "one of {any:?} and every one of {all:?}"),
        }
    }
}

/// A rule that a caller has to meet.
pub trait Policy: 'static {
    /// The scope that the caller must hold; none means that any genuine token will do.
    const SCOPE: Option<&'static str>;
}

/// Any genuine token.
#[derive(Debug)]
pub enum Authenticated {}
/// May read requests.
#[derive(Debug)]
pub enum ReadRequests {}
/// May submit and cancel requests.
#[derive(Debug)]
pub enum WriteRequests {}
/// May work on requests.
#[derive(Debug)]
pub enum WorkRequests {}
/// May manage webhook endpoints.
#[derive(Debug)]
pub enum ManageWebhooks {}
/// May operate the gateway.
#[derive(Debug)]
pub enum Operate {}

impl Policy for Authenticated {
    const SCOPE: Option<&'static str> = None;
}
impl Policy for ReadRequests {
    const SCOPE: Option<&'static str> = Some(REQUESTS_READ);
}
impl Policy for WriteRequests {
    const SCOPE: Option<&'static str> = Some(REQUESTS_WRITE);
}
impl Policy for WorkRequests {
    const SCOPE: Option<&'static str> = Some(REQUESTS_WORK);
}
impl Policy for ManageWebhooks {
    const SCOPE: Option<&'static str> = Some(WEBHOOKS_MANAGE);
}
impl Policy for Operate {
    const SCOPE: Option<&'static str> = Some(ADMIN);
}

/// Proof that a caller met policy `P`. Only [`Permit::grant`] makes one, so a service that asks for it can not be called unguarded.
#[derive(Clone, Debug)]
pub struct Permit<P> {
    caller: Arc<Caller>,
    policy: PhantomData<fn() -> P>,
}

impl<P: Policy> Permit<P> {
    /// Judges a verdict by the policy. Without a verdict there was no token.
    pub fn grant(verdict: Option<&Verdict>) -> Result<Self, Error> {
        let caller = Verdict::caller(verdict)?;
        match P::SCOPE {
            Some(scope) if !caller.scopes.contains(scope) => {
                let lacks = format!("the scope {scope}");
                let evidence = Evidence::new(lacks.clone(), &caller.scopes);
                Err(Error::InsufficientScope(Denial { scope: Some(scope.into()), lacks: lacks.into(), evidence }))
            }
            _ => Ok(Self { caller: Arc::clone(caller), policy: PhantomData }),
        }
    }

    /// Who holds the permit.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}
