//! Who is let in: the bound on requests in work, and what development mode refuses.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{RequestHead, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest};

use super::Gateway;
use super::code::Code;
use super::healthz::is_health;
use super::notes::Notes;
use super::origin;
use super::problem::Problem;
use super::settings::{Listener, Mode, host_of, is_loopback_host};
use super::slashes;

/// The number of requests in work. One whose body is still on its way is not: a slow client must not keep others out.
#[derive(Debug, Default)]
pub(super) struct InFlight(AtomicUsize);

/// The bytes of the bodies that are read or worked on, beyond what each may have anyway.
#[derive(Debug, Default)]
pub(super) struct BodyBytes(AtomicUsize);

/// How many there may be, unless a batch alone may be larger.
const MOST_BODY_BYTES: usize = 256 << 20;

impl BodyBytes {
    /// Takes so many more, if there are: each of thousands of clients may send megabytes, and take its time.
    pub(super) fn take(&self, bytes: usize, largest: usize) -> bool {
        let is_there = self.0.fetch_add(bytes, Ordering::Relaxed) + bytes <= MOST_BODY_BYTES.max(largest);
        if !is_there {
            self.give_back(bytes);
        }
        is_there
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Counts one request for as long as it lives.
struct Counted<'a>(&'a InFlight);

/// Says of a request that it is counted, and stands with it. Those of operators are not.
#[derive(Clone, Copy, Debug)]
pub(super) struct InWork(());

impl InWork {
    /// Whether the request is counted.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get().copied()
    }
}

/// Does not count one request for as long as it lives.
pub(super) struct Aside<'a>(&'a InFlight);

impl InFlight {
    fn enter(&self, most: usize) -> Option<Counted<'_>> {
        let counted = Counted(self);
        (self.0.fetch_add(1, Ordering::Relaxed) < most).then_some(counted)
    }

    /// Lets a request that is counted stand aside while it waits for its client.
    pub(super) fn aside(&self, _counted: InWork) -> Aside<'_> {
        self.0.fetch_sub(1, Ordering::Relaxed);
        Aside(self)
    }

    /// Whether more are in work than may be, this one included.
    pub(super) fn is_over(&self, most: usize) -> bool {
        self.0.load(Ordering::Relaxed) > most
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets a request in: repeated slashes merged, not from elsewhere in development mode, and where clients call not over the bound of
/// requests in work. What comes by the admin socket is from this machine, and from whoever runs the gateway.
pub(super) async fn admit(
    listener: Listener,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let is_bounded = listener.has_api();
    if listener == Listener::Socket {
        slashes::merge(&mut request);
        return next.call(request).await;
    }
    let notes = match receive(&mut request) {
        Ok(notes) => notes,
        Err(problem) => return Ok(request.error_response(problem)),
    };
    let gateway = &notes.gateway;
    if !is_bounded && is_by_foreign_name(&request, gateway) {
        return Ok(request.error_response(Problem::new(Code::HostUnknown)));
    }
    // Health is always answered.
    if !is_bounded || is_health(request.path()) {
        return next.call(request).await;
    }
    let Some(_counted) = gateway.in_flight.enter(gateway.server.max_in_flight) else {
        let problem = Problem::new(Code::Overloaded).retry_after(Duration::from_secs(1));
        return Ok(request.error_response(problem));
    };
    request.extensions_mut().insert(InWork(()));
    next.call(request).await
}

/// Whether a gateway that is operated on this machine only is called by another name: that of a page that rebinds it to this machine.
fn is_by_foreign_name(request: &ServiceRequest, gateway: &Gateway) -> bool {
    let is_here = gateway.server.admin_address().is_some_and(|address| address.ip().to_canonical().is_loopback());
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    is_here && host.is_some_and(|host| !is_loopback_host(host_of(host)))
}

/// Merges repeated slashes, and refuses what development mode does.
fn receive(request: &mut ServiceRequest) -> Result<Rc<Notes>, Problem> {
    slashes::merge(request);
    let notes = Notes::of(request.request()).ok_or_else(|| Problem::new(Code::Internal))?;
    if notes.gateway.mode == Mode::Development
        && let Some(problem) = from_elsewhere(request.head(), &notes.gateway)
    {
        return Err(problem);
    }
    Ok(notes)
}

/// What development mode refuses: another machine, a foreign `Host` (a page that rebinds its name to this machine), and what a proxy
/// passed on, unless it is one that is trusted.
pub(super) fn from_elsewhere(request: &RequestHead, gateway: &Gateway) -> Option<Problem> {
    if origin::peer_ip(request).is_none_or(|peer| !peer.is_loopback()) {
        return Some(Problem::new(Code::DevelopmentMode));
    }
    let headers = &request.headers;
    let proxy = headers.keys().find(|name| origin::is_proxy_header(name));
    if let Some(name) = proxy.filter(|_| !origin::from_trusted_proxy(request, &gateway.server)) {
        let detail = format!(
            "The request carries {name}, so it came through a proxy, and in development mode the gateway serves only this machine. \
             Set server.mode to \"production\", or name the proxy in server.trusted_proxies."
        );
        return Some(Problem::detailed(Code::DevelopmentMode, detail));
    }
    let host = host_of(headers.get(header::HOST)?.to_str().unwrap_or_default());
    let is_ours = is_loopback_host(host) || gateway.server.public_host().as_deref() == Some(host);
    (!is_ours).then(|| Problem::new(Code::DevelopmentMode))
}

#[cfg(test)]
mod tests {
    use super::{BodyBytes, MOST_BODY_BYTES};

    #[test]
    fn bodies_take_no_more_than_there_is_for_all() {
        let bodies = BodyBytes::default();
        assert!(bodies.take(MOST_BODY_BYTES - 1, 0) && bodies.take(1, 0));
        assert!(!bodies.take(1, 0));
        bodies.give_back(1);
        assert!(!bodies.take(2, 0), "what was refused is not taken");
        assert!(bodies.take(2, MOST_BODY_BYTES + 1), "a batch may be larger");
    }
}
