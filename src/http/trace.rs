//! The outermost layer: names every exchange, turns its error into an answer, and writes its one log line.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest};

use super::problem::{self, Problem};
use super::{Gateway, security_headers};
use crate::core::entropy::Entropy;
use crate::core::hex;
use crate::core::request::RequestId;
use crate::core::verdict::Verdict;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

/// The queued request that an exchange is about, for its log line.
struct About(RequestId);

/// Notes which queued request an exchange is about.
pub(super) fn note_request(request: &HttpRequest, id: RequestId) {
    request.extensions_mut().insert(About(id));
}

/// W3C Trace Context, section 3.2.2: the caller's trace goes on, or a new one begins; the span is always ours.
struct TraceContext {
    trace_id: String,
    traceparent: String,
}

impl TraceContext {
    fn of(request: &ServiceRequest, entropy: &dyn Entropy) -> Self {
        let sent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(sent_trace_id);
        let random = hex(&entropy.draw::<24>());
        let (random_trace, span_id) = random.split_at(32);
        let trace_id = sent.unwrap_or(random_trace).to_owned();
        Self { traceparent: format!("00-{trace_id}-{span_id}-01"), trace_id }
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
    let context = TraceContext::of(&request, &*gateway.entropy);
    let (began, method) = (gateway.clock.monotonic(), request.method().clone());
    let response = next.call(request).await?;
    let problem = response.response().error().map(problem::of);
    let mut response = match &problem {
        Some(problem) => {
            let mut answer = problem.answer(&context.trace_id).map_into_right_body();
            keep_cors(response.headers(), answer.headers_mut());
            response.into_response(answer)
        }
        None => response.map_into_left_body(),
    };
    let code = problem.as_ref().map(Problem::name);
    security_headers::set(&gateway, response.headers_mut());
    for (name, value) in [(TRACE_ID, &context.trace_id), (TRACEPARENT, &context.traceparent)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    log(
        &Exchange {
            context: &context,
            method: method.as_str(),
            code,
            took: gateway.clock.monotonic().saturating_sub(began),
        },
        &response,
    );
    Ok(response)
}

/// What lets a page of another origin read an answer stays on it when the answer is a problem.
fn keep_cors(from: &HeaderMap, to: &mut HeaderMap) {
    let is_cors = |name: &HeaderName| name == header::VARY || name.as_str().starts_with("access-control-");
    for (name, value) in from.iter().filter(|(name, _)| is_cors(name)) {
        to.append(name.clone(), value.clone());
    }
}

struct Exchange<'a> {
    context: &'a TraceContext,
    method: &'a str,
    code: Option<&'static str>,
    took: std::time::Duration,
}

/// One line; claims are written escaped, the token and the query never.
fn log<B>(exchange: &Exchange<'_>, response: &ServiceResponse<B>) {
    let request = response.request();
    let path = request.match_pattern();
    let path = path.as_deref().unwrap_or("unmatched");
    let extensions = request.extensions();
    let owner = match extensions.get::<Verdict>() {
        Some(Verdict::Accepted(caller)) => Some((&caller.issuer, &caller.subject)),
        _ => None,
    };
    let request_id = extensions.get::<About>().map(|about| about.0.to_string());
    let duration_us = u64::try_from(exchange.took.as_micros()).unwrap_or(u64::MAX);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                trace_id = exchange.context.trace_id,
                method = exchange.method,
                path,
                status = response.status().as_u16(),
                reason = exchange.code,
                duration_us,
                owner = owner.as_ref().map(tracing::field::debug),
                request_id,
                "exchange"
            )
        };
    }
    if matches!(path, "/healthz" | "/readyz") { line!(debug) } else { line!(info) }
}
