//! The one boundary where errors become answers: RFC 9457 problem details, their statuses, headers and log lines.

use std::fmt;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::Value;

use super::code::Code;
use super::cors;
use super::oauth::refusal::BASIC_CHALLENGE;
use crate::core::error::{Error, Fault, StoreError};
use crate::core::quota::Exceeded;
use crate::core::verdict::{Denial, Evidence, Reason, Refusal};

mod body;
mod quota;

pub(super) use body::{FaultBody, LimitBody, ProblemBody};

/// The media type of problem details, RFC 9457 section 3.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// What to do about a refused token.
const FRESH_TOKEN: &str = "Get a fresh token and send it as `Authorization: Bearer TOKEN`.";

/// An error on its way to the client.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) code: Code,
    /// Why the token did not do, for the challenge, the body's code and the log.
    objection: Option<Box<Objection>>,
    detail: Box<str>,
    faults: Vec<Fault>,
    retry_after: Option<Duration>,
    allow: Option<Box<str>>,
    /// Whether it is about another resource than this API.
    is_about_another: bool,
    request: Option<Box<Value>>,
    exceeded: Option<Box<Exceeded>>,
    /// What the operator is to know, and the client is not.
    cause: Option<Box<str>>,
}

/// Why a token did not do.
#[derive(Clone, Debug)]
enum Objection {
    Refused(Refusal),
    Denied(Denial),
}

/// About as long as a body is: what is written in one piece needs to be moved less.
const USUAL_BYTES: usize = 768;

impl Problem {
    /// A problem told in the code's own words.
    pub(super) fn new(code: Code) -> Self {
        Self::detailed(code, code.detail())
    }

    /// A problem told in these words.
    pub(super) fn detailed(code: Code, detail: impl Into<Box<str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            faults: Vec::new(),
            objection: None,
            retry_after: None,
            allow: None,
            is_about_another: false,
            request: None,
            exceeded: None,
            cause: None,
        }
    }

    /// 405, with the methods that are allowed.
    pub(super) fn method_not_allowed(allow: &str) -> Self {
        Self { allow: Some(allow.into()), ..Self::new(Code::MethodNotAllowed) }
    }

    /// The same problem, with the request as it stands.
    pub(super) fn about(self, request: Value) -> Self {
        Self { request: Some(Box::new(request)), ..self }
    }

    /// The same problem, with these faults in the request body.
    pub(super) fn with_faults(self, faults: Vec<Fault>) -> Self {
        Self { faults, ..self }
    }

    /// The same problem of a part of the body, with faults pointed at from the root of the whole.
    pub(super) fn below(mut self, place: &str) -> Self {
        for fault in &mut self.faults {
            fault.pointer.insert_str(0, place);
        }
        self
    }

    /// Adds when it makes sense to try again.
    pub(super) fn retry_after(self, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }

    /// How many seconds to wait before it makes sense to try again.
    pub(super) fn wait(&self) -> Option<u64> {
        self.retry_after.map(whole_seconds)
    }

    fn objecting(self, objection: Objection) -> Self {
        Self { objection: Some(Box::new(objection)), ..self }
    }

    fn caused(self, cause: &dyn fmt::Display) -> Self {
        Self { cause: Some(cause.to_string().into()), ..self }
    }

    /// The same problem under another code: the partner prototype's door answers 400 where ours answers 422.
    pub(super) fn with_code(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// The same problem in other words.
    pub(super) fn with_detail(self, detail: impl Into<Box<str>>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// The same problem, with a resource that our metadata does not describe.
    pub(super) fn of_another_resource(self) -> Self {
        Self { is_about_another: true, ..self }
    }

    /// What happened and what to do.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The faults in the request body.
    pub(super) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The code that the client and the log read.
    pub(super) fn name(&self) -> &'static str {
        self.refusal().map_or_else(|| self.code.name(), |refusal| refusal.reason.code())
    }

    /// Why the token was refused.
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match self.objection.as_deref() {
            Some(Objection::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }

    /// What was expected of the token, and what was found.
    pub(super) fn evidence(&self) -> Option<&Evidence> {
        match self.objection.as_deref()? {
            Objection::Refused(refusal) => refusal.evidence.as_deref(),
            Objection::Denied(denial) => Some(&denial.evidence),
        }
    }

    /// The answer, and its log line when the fault is ours. What is wrong with a token is in the access line. `metadata` tells the
    /// address of the metadata of this API, if it has one.
    pub(super) fn answer(&self, trace_id: &str, metadata: &dyn Fn() -> Option<String>) -> HttpResponse {
        self.log(trace_id);
        let mut answer = HttpResponse::build(self.code.status());
        self.set_headers(&mut answer, metadata);
        let mut body = Vec::with_capacity(USUAL_BYTES);
        match serde_json::to_writer(&mut body, &self.body(trace_id)) {
            Ok(()) => answer.body(body),
            Err(_) => answer.finish(),
        }
    }

    /// Writes its log line when the fault is ours.
    pub(super) fn log(&self, trace_id: &str) {
        // Why an issuer's keys are not to be had is told once, where they are fetched; and anybody could fill the log with overloads.
        let untold = matches!(self.code, Code::VerifierUnavailable | Code::Overloaded);
        if self.code.status().is_server_error() && !untold {
            tracing::error!(trace_id, code = self.name(), cause = self.cause.as_deref(), "{}", self.detail);
        }
    }

    /// What the client reads.
    pub(super) fn body<'a>(&'a self, trace_id: &'a str) -> ProblemBody<'a> {
        let errors = self.faults.iter().map(|fault| FaultBody {
            pointer: &fault.pointer,
            code: fault.code,
            detail: &fault.detail,
        });
        ProblemBody {
            kind: ["urn:anteroom:error:", self.code.name()].concat(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.name(),
            trace_id,
            errors: errors.collect(),
            request: self.request.as_deref(),
            limit: self.exceeded.as_deref().map(LimitBody::from),
            reset: self.exceeded.as_deref().map(|exceeded| whole_seconds(exceeded.reset)),
        }
    }

    fn set_headers(&self, answer: &mut HttpResponseBuilder, metadata: &dyn Fn() -> Option<String>) {
        answer.insert_header((header::CONTENT_TYPE, MEDIA_TYPE));
        if let Some(challenge) = self.challenge(metadata) {
            answer.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Some(seconds) = self.wait() {
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if let Some(allow) = &self.allow {
            answer.insert_header((header::ALLOW, &**allow));
        }
    }

    /// RFC 6750 section 3: no error code when no token was sent. RFC 9728 section 5.1: where the API describes itself.
    fn challenge(&self, metadata: &dyn Fn() -> Option<String>) -> Option<String> {
        let error: [&str; 3] = match self.objection.as_deref() {
            Some(Objection::Refused(Refusal { reason: Reason::TokenMissing, .. })) => [""; 3],
            Some(Objection::Refused(Refusal { reason, .. })) => {
                [", error=\"invalid_token\", error_description=\"", reason.sentence(), "\""]
            }
            Some(Objection::Denied(Denial { scope: Some(scope), .. })) => {
                [", error=\"insufficient_scope\", scope=\"", scope, "\""]
            }
            Some(Objection::Denied(Denial { scope: None, .. })) => [", error=\"insufficient_scope\"", "", ""],
            None if self.code == Code::LoginFailed => return Some(BASIC_CHALLENGE.into()),
            None if self.code == Code::TokenRepeated => [", error=\"invalid_request\"", "", ""],
            None => return None,
        };
        let address = (!self.is_about_another).then(metadata).flatten();
        let place = address.as_ref().map_or([""; 3], |address| [", resource_metadata=\"", address, "\""]);
        let [what, which, end] = error;
        let [where_it_is, address, its_end] = place;
        // In one piece: a flood of bad tokens asks for one each.
        Some(["Bearer realm=\"anteroom\"", what, which, end, where_it_is, address, its_end].concat())
    }
}

/// Whole seconds, at least one, rounded up: who waits that long does not come too early.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated(refusal) => {
                let detail = [refusal.reason.sentence(), FRESH_TOKEN].join(" ");
                Self::detailed(Code::Unauthenticated, detail).objecting(Objection::Refused(refusal))
            }
            Error::InsufficientScope(denial) => {
                let lacks = &denial.lacks;
                let detail = format!("The token is genuine and lacks {lacks}. Ask for a token with it.");
                Self::detailed(Code::InsufficientScope, detail).objecting(Objection::Denied(denial))
            }
            Error::VerifierUnavailable { retry_after } => Self::new(Code::VerifierUnavailable).retry_after(retry_after),
            Error::Malformed { detail, faults } => Self { faults, ..Self::detailed(Code::Malformed, detail) },
            Error::Invalid { detail, faults } => Self { faults, ..Self::detailed(Code::PayloadInvalid, detail) },
            Error::TooLarge(what) => Self::detailed(Code::PayloadTooLarge, what),
            Error::NotFound => Self::new(Code::NotFound),
            Error::Gone(what) => Self::detailed(Code::Gone, what),
            Error::ClientConflict(why) => Self::detailed(Code::ClientConflict, why),
            Error::EndpointConflict(why) => Self::detailed(Code::EndpointConflict, why),
            Error::IdempotencyKeyReused => Self::new(Code::IdempotencyKeyReused),
            Error::QuotaExceeded(exceeded) => Self::exceeding(exceeded),
            Error::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = match &error {
            StoreError::Full => Self::new(Code::StoreFull).retry_after(Duration::from_secs(30)),
            StoreError::Busy => Self::new(Code::Overloaded).retry_after(Duration::from_secs(1)),
            StoreError::Damaged(_) => Self::new(Code::RecordDamaged),
            StoreError::Unreadable(_) => Self::new(Code::StoreUnreadable).retry_after(Duration::from_secs(5)),
            StoreError::Failed(_) => Self::new(Code::StoreUnavailable).retry_after(Duration::from_secs(5)),
        };
        match std::error::Error::source(&error) {
            Some(source) => problem.caused(&format_args!("{error}: {source}")),
            None => problem.caused(&error),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }
}

/// The problem in an error of the HTTP library's; one that is not ours is told by its status.
pub(super) fn of(error: &actix_web::Error) -> Problem {
    if let Some(problem) = error.as_error::<Problem>() {
        return problem.clone();
    }
    if let Some(problem) = cors::refusal(error) {
        return problem;
    }
    match error.as_response_error().status_code() {
        StatusCode::NOT_FOUND => Problem::new(Code::NotFound),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::PayloadTooLarge),
        status if status.is_client_error() => Problem::new(Code::Malformed),
        _ => Problem::new(Code::Internal).caused(error),
    }
}
