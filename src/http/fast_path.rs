//! The fast path: a read of a request that needs nothing but what is in memory is answered before it is routed.
//!
//! It knows two answers: the request as it stands, and the refusal of a caller whose token is none or whose share is used up, which is
//! what floods are made of. Whatever else there is to it is left to the routes, which begin anew. The steps are theirs, and so are the
//! types that prove them. It never waits, so what it answers is not counted among the requests in work.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::{Request, Response};
use actix_service::{Service, ServiceFactory};
use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, RequestHead, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::web::Data;
use futures_util::future::{Either, MapOk, TryFutureExt};

use super::origin::BaseUrl;
use super::problem::Problem;
use super::requests::get;
use super::settings::Mode;
use super::token_places::Sent;
use super::trace::{self, TraceContext};
use super::{Gateway, limits, prefer, well_known};
use crate::core::clock::Timestamp;
use crate::core::error::Error;
use crate::core::policy::{Permit, ReadRequests};
use crate::core::request::RequestId;
use crate::core::verdict::Verdict;
use crate::telemetry::access::Exchange;
use crate::telemetry::metrics::RouteMetrics;

/// Makes the services of the workers: the fast path, and the routes behind it.
pub(super) struct FastPath<F> {
    routes: F,
    reads: Reads,
}

impl<F> FastPath<F> {
    pub(super) fn before(routes: F, gateway: Data<Gateway>) -> Self {
        let route = gateway.metrics.route(get::PATH);
        Self { routes, reads: Reads { gateway, route } }
    }
}

impl<F> ServiceFactory<Request> for FastPath<F>
where
    F: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse>,
    F::Future: 'static,
{
    type Response = Response<BoxBody>;
    type Error = F::Error;
    type Config = AppConfig;
    type Service = FastPathService<F::Service>;
    type InitError = F::InitError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Service, Self::InitError>>>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        let (routes, reads) = (self.routes.new_service(config), self.reads.clone());
        Box::pin(async move { Ok(FastPathService { routes: routes.await?, reads }) })
    }
}

pub(super) struct FastPathService<S> {
    routes: S,
    reads: Reads,
}

impl<S: Service<Request, Response = ServiceResponse>> Service<Request> for FastPathService<S> {
    type Response = Response<BoxBody>;
    type Error = S::Error;
    type Future =
        Either<Ready<Result<Self::Response, S::Error>>, MapOk<S::Future, fn(ServiceResponse) -> Self::Response>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.routes.poll_ready(context)
    }

    fn call(&self, request: Request) -> Self::Future {
        match self.reads.answer(request.head()) {
            Some(answer) => Either::Left(ready(Ok(answer.into()))),
            None => Either::Right(self.routes.call(request).map_ok(Response::from)),
        }
    }
}

/// Reads of requests.
#[derive(Clone)]
struct Reads {
    gateway: Data<Gateway>,
    route: Arc<RouteMetrics>,
}

impl Reads {
    /// The answer of [`get_request`](get::get_request), if it is at hand.
    fn answer(&self, head: &RequestHead) -> Option<HttpResponse> {
        let (gateway, id) = (&**self.gateway, plainly_asked(head)?);
        if gateway.mode == Mode::Development && limits::from_elsewhere(head, gateway).is_some() {
            return None;
        }
        let (began, now) = (gateway.clock.monotonic(), gateway.clock.now());
        let Sent::One(token) = gateway.token_places.in_headers(&head.headers) else { return None };
        let known = gateway.chain.at_hand(&token, gateway.chain.api(), now)?;
        let permit = Permit::<ReadRequests>::grant(Some(&known.verdict), gateway.queue.types().scopes());
        let trace = TraceContext::of(&head.headers, &gateway.trace_ids);
        let outcome = match permit {
            Ok(permit) => self.read(&permit, id, head, now)?,
            Err(refusal @ Error::Unauthenticated(_)) => Err(refusal),
            Err(_) => return None,
        };
        let (answer, problem) = match outcome.map_err(Problem::from) {
            Ok(answer) => (answer, None),
            Err(problem) => {
                let metadata = || Some(well_known::address_at(BaseUrl::of(head, &gateway.server)));
                (problem.answer(trace.id(), &metadata), Some(problem))
            }
        };
        known.count();
        let call = Call { began, now, id, verdict: &known.verdict };
        Some(self.finish(answer, &trace, problem.as_ref(), &call))
    }

    /// The request, if it is at hand as it stands. A call is taken out of its owner's share last, so that the routes do not take another.
    fn read(
        &self,
        permit: &Permit<ReadRequests>,
        id: RequestId,
        head: &RequestHead,
        now: Timestamp,
    ) -> Option<Result<HttpResponse, Error>> {
        let seen = self.gateway.queue.find_at_hand(permit, id, now)?;
        let answer = self.gateway.shown.at_hand(&seen, head, &self.gateway)?;
        Some(self.gateway.queue.admit(permit.caller()).map(|()| answer))
    }

    /// Sets the headers that every answer has, and counts and logs the exchange.
    fn finish(
        &self,
        mut answer: HttpResponse,
        trace: &TraceContext,
        problem: Option<&Problem>,
        call: &Call<'_>,
    ) -> HttpResponse {
        let gateway = &self.gateway;
        trace::set_headers(gateway, trace, answer.headers_mut());
        let (method, status) = (Method::GET.as_str(), answer.status().as_u16());
        let took = gateway.clock.monotonic().saturating_sub(call.began);
        self.route.answered(method, status, took);
        trace::log(
            gateway,
            &Exchange {
                owner: trace::owner(Some(call.verdict)),
                request_id: Some(call.id),
                ..trace::exchange(problem, call.now, trace.id(), (method, self.route.path(), status), took)
            },
        );
        answer
    }
}

/// A call that is answered at once.
struct Call<'c> {
    began: Duration,
    /// When it is judged, and answered too: nothing lies between.
    now: Timestamp,
    id: RequestId,
    verdict: &'c Verdict,
}

/// What stands before the id in the path.
const PREFIX: &str = get::PATH.split_at(get::PATH.len() - "{request_id}".len()).0;

/// The request that is asked for, if nothing is asked besides: no query, no patience, no page of another origin.
fn plainly_asked(head: &RequestHead) -> Option<RequestId> {
    let id = head.uri.path().strip_prefix(PREFIX)?.parse().ok()?;
    let has_more = [prefer::PREFER, header::ORIGIN].iter().any(|name| head.headers.contains_key(name));
    (head.method == Method::GET && head.uri.query().is_none() && !has_more).then_some(id)
}
