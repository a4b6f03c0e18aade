//! The outermost layer: names every exchange, turns its error into an answer, and writes its one log line.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpRequest, HttpResponse, rt};

use super::healthz::is_routine;
use super::notes::Notes;
use super::problem::{self, Problem};
use super::routes::Routes;
use super::{Gateway, pages, security_headers, well_known};
use crate::core::clock::Timestamp;
use crate::core::verdict::Verdict;
use crate::telemetry::access::{self, Exchange};

mod context;

pub(super) use context::{TraceContext, TraceIds};

/// Names the exchange, lets it happen, answers its error, sets the headers that every answer has, and logs it.
pub(super) async fn trace<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse, Error> {
    let Some(gateway) = request.app_data::<Data<Gateway>>().cloned() else {
        return Err(Problem::new(super::code::Code::Internal).into());
    };
    let notes = Notes::begin(&request, gateway);
    let gateway = &notes.gateway;
    let call = Call { method: request.method().clone(), began: gateway.clock.monotonic() };
    let response = next.call(request).await?;
    let problem = response.response().error().map(problem::of);
    let mut response = match &problem {
        Some(problem) => {
            let mut answer = answer(problem, gateway, response.request(), &notes);
            keep_cors(response.headers(), answer.headers_mut());
            response.into_response(answer)
        }
        None => response.map_into_boxed_body(),
    };
    set_headers(gateway, &notes.trace, response.headers_mut());
    record(gateway, &notes, problem.as_ref(), &call, &response);
    Ok(response)
}

/// Sets the headers that every answer has.
pub(super) fn set_headers(gateway: &Gateway, trace: &TraceContext, headers: &mut HeaderMap) {
    security_headers::set(gateway, headers);
    trace.set_headers(headers);
}

/// What a problem is answered with.
fn answer(problem: &Problem, gateway: &Gateway, request: &HttpRequest, notes: &Notes) -> HttpResponse {
    let trace_id = notes.trace.id();
    if notes.is_for_people.get() {
        problem.log(trace_id);
        return pages::problem(problem, trace_id);
    }
    problem.answer(trace_id, &|| well_known::address(request, &gateway.server))
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
fn record(gateway: &Gateway, notes: &Notes, problem: Option<&Problem>, call: &Call, response: &ServiceResponse) {
    let request = response.request();
    let Some(routes) = request.app_data::<Data<Routes>>() else { return };
    let route = routes.counting(request);
    let (method, status) = (call.method.as_str(), response.status().as_u16());
    let took = gateway.clock.monotonic().saturating_sub(call.began);
    route.answered(method, status, took);
    let guarded = notes.guarded.get();
    let plain = exchange(problem, gateway.clock.now(), notes.trace.id(), (method, route.path(), status), took);
    log(
        gateway,
        &Exchange {
            code: plain.code.or(notes.error.get()),
            owner: owner(notes.verdict.get()),
            guard: guarded.map(|guarded| &*guarded.guard),
            guarded_method: guarded.and_then(|guarded| guarded.method.as_deref()),
            guarded_path: guarded.and_then(|guarded| guarded.path.as_deref()),
            request_id: notes.about.get(),
            is_routine: is_routine(route.path()),
            ..plain
        },
    );
}

/// What the access line says of an exchange, besides whose and what about it was; the triple is its method, path and status.
pub(super) fn exchange<'a>(
    problem: Option<&'a Problem>,
    at: Timestamp,
    trace_id: &'a str,
    (method, path, status): (&'a str, &'a str, u16),
    took: Duration,
) -> Exchange<'a> {
    let refusal = problem.and_then(Problem::refusal);
    Exchange {
        code: problem.map(|problem| problem.code.name()),
        reason: refusal.map(|refusal| refusal.reason),
        verifier: refusal.and_then(|refusal| refusal.verifier.as_deref()),
        evidence: problem.and_then(Problem::evidence),
        ..Exchange::plain(at, trace_id, method, path, status, took)
    }
}

/// Issuer and subject of the caller whom a token speaks for.
pub(super) fn owner(verdict: Option<&Verdict>) -> Option<(&str, &str)> {
    match verdict {
        Some(Verdict::Accepted(caller)) => Some((&caller.issuer, &caller.subject)),
        _ => None,
    }
}

/// Writes the access line of an exchange.
pub(super) fn log(gateway: &Gateway, exchange: &Exchange<'_>) {
    if gateway.access_log.write(exchange) {
        // Runs once what is ready on this thread has had its turn: under load, many exchanges later.
        rt::spawn(async { access::flush() });
    }
}
