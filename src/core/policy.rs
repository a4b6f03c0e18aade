//! What a caller may do: policies, and the permit that proves that one was met.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::claims::Caller;
use super::error::Error;
use super::type_scopes::TypeScopes;
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

/// Every scope of Anteroom's own operations, with what it allows, as a person is told who is asked for it.
pub const SCOPES: &[(&str, &str)] = &[
    (REQUESTS_READ, "Read your requests, their status and their results"),
    (REQUESTS_WRITE, "Submit and cancel your requests"),
    (REQUESTS_WORK, "Take up and finish everybody's requests, as a worker"),
    (WEBHOOKS_MANAGE, "Have news of your requests sent to addresses of its choice"),
    (ADMIN, "Operate the gateway: see everybody's requests, and change accounts, clients and keys"),
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
    /// Whether a request type may name a scope that takes the place of this one for its requests.
    const BY_TYPE: bool = false;
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
    const BY_TYPE: bool = true;
}
impl Policy for WriteRequests {
    const SCOPE: Option<&'static str> = Some(REQUESTS_WRITE);
    const BY_TYPE: bool = true;
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
    /// Judges a verdict by the policy. Without a verdict there was no token. Where types may name scopes of their own, one of those will
    /// do: what it opens is judged request by request, by [`Permit::open`].
    pub fn grant(verdict: Option<&Verdict>, type_scopes: &TypeScopes) -> Result<Self, Error> {
        let permit = Self { caller: Arc::clone(Verdict::caller(verdict)?), policy: PhantomData };
        let has_type = || permit.caller.scopes.iter().any(|scope| type_scopes.contains(scope));
        if !(P::BY_TYPE && has_type()) {
            permit.open(None)?;
        }
        Ok(permit)
    }

    /// Judges whether it opens the requests of a type: they need the scope that the type names, and else that of the policy.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`], naming it.
    pub fn open(&self, type_scope: Option<&str>) -> Result<(), Error> {
        let Some(scope) = type_scope.or(P::SCOPE) else { return Ok(()) };
        if self.caller.scopes.contains(scope) {
            return Ok(());
        }
        let lacks = format!("the scope {scope}");
        let evidence = Evidence::new(lacks.clone(), &self.caller.scopes);
        let scope = Some(scope.to_owned().into());
        Err(Error::InsufficientScope(Denial { scope, lacks: lacks.into(), evidence }))
    }

    /// Who holds the permit.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}
