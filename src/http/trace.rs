//! The outermost layer: names every exchange, turns its error into an answer, and writes its one log line.

use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};

use super::healthz::is_routine;
use super::origin::ForwardedCall;
use super::problem::{self, Problem};
use super::routes::Routes;
use super::{Gateway, pages, security_headers, well_known};
use crate::core::entropy::Entropy;
use crate::core::request::{By, RequestId};
use crate::core::verdict::Verdict;
use crate::telemetry::access::Exchange;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

/// The queued request that an exchange is about, for its log line.
struct About(RequestId);

/// Notes which queued request an exchange is about.
pub(super) fn note_request(request: &HttpRequest, id: RequestId) {
    request.extensions_mut().insert(About(id));
}

/// The error that is answered in another form than a problem's, for the log line.
struct AnsweredError(&'static str);

/// Notes which error is answered.
pub(super) fn note_error(request: &HttpRequest, code: &'static str) {
    request.extensions_mut().insert(AnsweredError(code));
}

/// Who acts in this exchange, for the history of a request.
pub(super) fn by(request: &HttpRequest, actor: &str) -> By {
    let trace_id = request.extensions().get::<Rc<TraceContext>>().map(|context| context.trace_id.clone());
    By { actor: Some(actor.to_owned()), trace_id }
}

/// The trace id of an exchange.
pub(super) fn trace_id(request: &HttpRequest) -> String {
    let extensions = request.extensions();
    extensions.get::<Rc<TraceContext>>().map(|context| context.trace_id.clone()).unwrap_or_default()
}

/// That a person sees the answer of an exchange.
struct ForPeople;

/// Notes that a person sees the answer: what goes wrong is told on a page.
pub(super) fn for_people(request: &HttpRequest) {
    request.extensions_mut().insert(ForPeople);
}

/// Which guard was asked, and about which call, for the log line.
struct Guarded {
    guard: Arc<str>,
    method: Option<String>,
    path: Option<String>,
}

/// A path as visible ASCII, any other byte as `%XX`.
fn loggable(path: &[u8]) -> String {
    path.iter().take(MAX_LOGGED).fold(String::new(), |mut text, byte| {
        if byte.is_ascii_graphic() {
            text.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// How much of the path of a guarded call is logged, in bytes.
const MAX_LOGGED: usize = 512;

/// Notes which guard was asked, and about which call.
pub(super) fn note_guarded(request: &HttpRequest, guard: &Arc<str>, call: ForwardedCall<'_>) {
    let path = call.path().map(loggable);
    let guarded = Guarded { guard: Arc::clone(guard), method: call.method.map(str::to_owned), path };
    request.extensions_mut().insert(guarded);
}

/// Makes trace and span ids: unlike any other, and not secret. Random once, then counted and mixed, since every request needs two.
pub(super) struct TraceIds {
    process: u64,
    seed: u64,
    count: AtomicU64,
}

impl TraceIds {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        let [process, seed] = [(); 2].map(|()| u64::from_be_bytes(entropy.draw()));
        Self { process, seed, count: AtomicU64::new(0) }
    }

    /// A trace id and a span id.
    fn next(&self) -> (u128, u64) {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let trace = mix(self.seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        (u128::from(self.process) << 64 | u128::from(trace), mix(trace ^ self.process))
    }
}

/// The finalizer of `SplitMix64`: one to one, so that different counts stay different.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// W3C Trace Context, section 3.2.2: the caller's trace goes on, or a new one begins; the span is always ours.
struct TraceContext {
    trace_id: String,
    traceparent: String,
}

impl TraceContext {
    fn of(request: &ServiceRequest, ids: &TraceIds) -> Self {
        let sent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(sent_trace_id);
        let (trace_id, span_id) = ids.next();
        let trace_id = sent.map_or_else(|| format!("{trace_id:032x}"), str::to_owned);
        Self { traceparent: format!("00-{trace_id}-{span_id:016x}-01"), trace_id }
    }
}

/// The trace id in a `traceparent` of a version that we can read.
fn sent_trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex =
        |text: &str, length| text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_id = |text: &str, length| is_hex(text, length) && text.bytes().any(|byte| byte != b'0');
    let ends = parts.next().is_none() || version != "00";
    (is_hex(version, 2) && version != "ff" && is_id(trace_id, 32) && is_id(span_id, 16) && is_hex(flags, 2) && ends)
        .then_some(trace_id)
}

/// Names the exchange, lets it happen, answers its error, sets the headers that every answer has, and logs it.
pub(super) async fn trace<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let Some(gateway) = request.app_data::<Data<Gateway>>().cloned() else {
        return Err(Problem::new(super::code::Code::Internal).into());
    };
    let context = Rc::new(TraceContext::of(&request, &gateway.trace_ids));
    request.extensions_mut().insert(Rc::clone(&context));
    let call = Call { method: request.method().clone(), began: gateway.clock.monotonic() };
    let response = next.call(request).await?;
    let problem = response.response().error().map(problem::of);
    let mut response = match &problem {
        Some(problem) => {
            let mut answer = answer(problem, &gateway, response.request(), &context).map_into_right_body();
            keep_cors(response.headers(), answer.headers_mut());
            response.into_response(answer)
        }
        None => response.map_into_left_body(),
    };
    security_headers::set(&gateway, response.headers_mut());
    for (name, value) in [(TRACE_ID, &context.trace_id), (TRACEPARENT, &context.traceparent)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    record(&gateway, &context, problem.as_ref(), &call, &response);
    Ok(response)
}

/// What a problem is answered with.
fn answer(problem: &Problem, gateway: &Gateway, request: &HttpRequest, context: &TraceContext) -> HttpResponse {
    if request.extensions().contains::<ForPeople>() {
        problem.log(&context.trace_id);
        return pages::problem(problem, &context.trace_id);
    }
    problem.answer(&context.trace_id, &|| well_known::address(request, &gateway.server))
}

/// What lets a page of another origin read an answer stays on it when the answer is a problem.
fn keep_cors(from: &HeaderMap, to: &mut HeaderMap) {
    let is_cors = |name: &HeaderName| name == header::VARY || name.as_str().starts_with("access-control-");
    for (name, value) in from.iter().filter(|(name, _)| is_cors(name)) {
        to.append(name.clone(), value.clone());
    }
}

/// What of a call is known before it is answered.
struct Call {
    method: Method,
    began: Duration,
}

/// Counts the exchange, and writes its access line: never the token, never the query.
fn record<B>(
    gateway: &Gateway,
    context: &TraceContext,
    problem: Option<&Problem>,
    call: &Call,
    response: &ServiceResponse<B>,
) {
    let refusal = problem.and_then(Problem::refusal);
    let request = response.request();
    let Some(routes) = request.app_data::<Data<Routes>>() else { return };
    let route = routes.counting(request);
    let (method, status) = (call.method.as_str(), response.status().as_u16());
    let took = gateway.clock.monotonic().saturating_sub(call.began);
    route.answered(method, status, took);
    let extensions = request.extensions();
    let owner = match extensions.get::<Verdict>() {
        Some(Verdict::Accepted(caller)) => Some((caller.issuer.as_str(), caller.subject.as_str())),
        _ => None,
    };
    let guarded = extensions.get::<Guarded>();
    gateway.access_log.write(&Exchange {
        at: gateway.clock.now(),
        trace_id: &context.trace_id,
        method,
        path: route.path(),
        status,
        code: problem
            .map(|problem| problem.code.name())
            .or_else(|| extensions.get::<AnsweredError>().map(|error| error.0)),
        reason: refusal.map(|refusal| refusal.reason),
        verifier: refusal.and_then(|refusal| refusal.verifier.as_deref()),
        evidence: problem.and_then(Problem::evidence),
        duration_us: took.as_micros(),
        owner,
        guard: guarded.map(|guarded| &*guarded.guard),
        guarded_method: guarded.and_then(|guarded| guarded.method.as_deref()),
        guarded_path: guarded.and_then(|guarded| guarded.path.as_deref()),
        request_id: extensions.get::<About>().map(|about| about.0),
        is_routine: is_routine(route.path()),
    });
}
