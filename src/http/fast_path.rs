//! The fast path: a read of a request that needs nothing but what is in memory is answered before it is routed.
//!
//! It knows one answer, the request as it stands. Whatever is out of the ordinary, and whatever would be refused, is left to the routes,
//! which begin anew; so nothing is decided here that is not decided there. The steps are theirs, and so are the types that prove them.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_http::{Request, Response};
use actix_service::{Service, ServiceFactory};
use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, RequestHead, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::web::Data;
use futures_util::future::{Either, MapOk, TryFutureExt};

use super::requests::get;
use super::settings::Mode;
use super::token_places::Sent;
use super::trace::{self, TraceContext};
use super::{Gateway, limits, prefer, security_headers};
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
        let recalled = gateway.chain.recall_accepted(&token, gateway.chain.api(), now)?;
        let verdict = Verdict::Accepted(Arc::clone(&recalled.caller));
        let permit = Permit::<ReadRequests>::grant(Some(&verdict), gateway.queue.types().scopes()).ok()?;
        let seen = gateway.queue.find_at_hand(&permit, id, now)?;
        let mut answer = gateway.shown.at_hand(&seen, head, gateway)?;
        recalled.count();
        let trace = TraceContext::of(&head.headers, &gateway.trace_ids);
        security_headers::set(gateway, answer.headers_mut());
        trace.set_headers(answer.headers_mut());
        let (status, took) = (answer.status().as_u16(), gateway.clock.monotonic().saturating_sub(began));
        self.route.answered(Method::GET.as_str(), status, took);
        let caller = permit.caller();
        trace::log(
            gateway,
            &Exchange {
                owner: Some((&caller.issuer, &caller.subject)),
                request_id: Some(id),
                ..Exchange::plain(now, trace.id(), Method::GET.as_str(), self.route.path(), status, took)
            },
        );
        Some(answer)
    }
}

/// The request that is asked for, if nothing is asked besides: no query, no patience, no page of another origin.
fn plainly_asked(head: &RequestHead) -> Option<RequestId> {
    let id = head.uri.path().strip_prefix("/v1/requests/")?.parse().ok()?;
    let has_more = [prefer::PREFER, header::ORIGIN].iter().any(|name| head.headers.contains_key(name));
    (head.method == Method::GET && head.uri.query().is_none() && !has_more).then_some(id)
}
