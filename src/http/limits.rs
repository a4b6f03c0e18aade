//! The bound on requests in work, and what development mode refuses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::Error;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::Gateway;
use super::code::Code;
use super::origin::PROXY_HEADERS;
use super::problem::Problem;
use super::settings::{Mode, host_of, is_loopback_host};

/// The number of requests in work.
#[derive(Debug, Default)]
pub(super) struct InFlight(AtomicUsize);

/// Counts one request for as long as it lives.
struct Counted<'a>(&'a InFlight);

impl InFlight {
    fn enter(&self, most: usize) -> Option<Counted<'_>> {
        let counted = Counted(self);
        (self.0.fetch_add(1, Ordering::Relaxed) < most).then_some(counted)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers instead of the handler.
fn refuse<B>(request: ServiceRequest, problem: Problem) -> ServiceResponse<EitherBody<B, BoxBody>> {
    request.error_response(problem).map_into_right_body()
}

/// Refuses what is over the bound, at once. Health is always answered.
pub(super) async fn bound<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let gateway = request.app_data::<Data<Gateway>>().cloned();
    let Some(gateway) = gateway.filter(|_| !matches!(request.path(), "/healthz" | "/readyz")) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let Some(_counted) = gateway.in_flight.enter(gateway.server.max_in_flight) else {
        return Ok(refuse(request, Problem::new(Code::Overloaded).retry_after(Duration::from_secs(1))));
    };
    Ok(next.call(request).await?.map_into_left_body())
}

/// In development mode: refuses a foreign `Host` (a page that rebinds its name to this machine) and anything a proxy passed on.
pub(super) async fn only_this_machine<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let Some(gateway) = request.app_data::<Data<Gateway>>().filter(|gateway| gateway.mode == Mode::Development) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let headers = request.headers();
    if let Some(name) = PROXY_HEADERS.iter().find(|name| headers.contains_key(**name)) {
        let detail = format!(
            "The request carries {name}, so it came through a proxy, and in development mode the gateway serves only this machine. \
             Set server.mode to \"production\", or name the proxy in server.trusted_proxies."
        );
        return Ok(refuse(request, Problem::detailed(Code::DevelopmentMode, detail)));
    }
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let is_ours = |host: &str| is_loopback_host(host) || gateway.server.public_host().as_deref() == Some(host);
    if host.is_some_and(|host| !is_ours(host_of(host))) {
        return Ok(refuse(request, Problem::new(Code::DevelopmentMode)));
    }
    Ok(next.call(request).await?.map_into_left_body())
}
