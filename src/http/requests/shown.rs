//! Requests as they were last shown, in the bytes of the answer: most reads ask again for what has not changed.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use foldhash::fast::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::view::{Presenter, is_payload_kept};
use super::{etag_value, set_headers, written};
use crate::core::clock::Timestamp;
use crate::core::request::RequestId;
use crate::http::Gateway;
use crate::http::conditional::is_known;
use crate::http::origin::BaseUrl;
use crate::http::problem::Problem;
use crate::queue::{Seen, Snapshot};

/// How much memory they may take, in bytes, about.
const BYTES: u64 = 8 << 20;
/// How many there usually are; space for these is taken at once.
const USUAL: usize = 256;
/// What one takes besides its texts, about.
const OVERHEAD: usize = 1024;

/// The requests that were shown last.
pub(in crate::http) struct ShownRequests(Cache<RequestId, Arc<Shown>, Weight, RandomState>);

/// A request as it was shown to somebody who called the gateway by some address.
struct Shown {
    seen: Snapshot,
    base: String,
    is_payload_kept: bool,
    etag: HeaderValue,
    body: Bytes,
}

#[derive(Clone)]
struct Weight;

impl Weighter<RequestId, Arc<Shown>> for Weight {
    fn weight(&self, _: &RequestId, shown: &Arc<Shown>) -> u64 {
        // The view has the texts of the body once more, and a result as JSON takes several times its text.
        (OVERHEAD + 5 * shown.body.len()) as u64
    }
}

impl ShownRequests {
    pub(in crate::http) fn new() -> Self {
        Self(Cache::with(USUAL, BYTES, Weight, RandomState::default(), DefaultLifecycle::default()))
    }

    /// Answers a read with the request: 304 when the client says that it knows it as it is.
    pub(super) fn answer(&self, seen: Seen, head: &RequestHead, gateway: &Gateway) -> Result<HttpResponse, Problem> {
        match self.at_hand(&seen, head, gateway) {
            Some(answer) => Ok(answer),
            None => Ok(self.show(&seen, head, gateway)?.answer(seen.now, head, gateway)),
        }
    }

    /// The answer to a read, if the request was shown before as it is.
    pub(in crate::http) fn at_hand(&self, seen: &Seen, head: &RequestHead, gateway: &Gateway) -> Option<HttpResponse> {
        let (shown, base) = (self.0.get(&seen.request.id)?, BaseUrl::of(head, &gateway.server));
        shown.still_holds(seen, base, gateway).then(|| shown.answer(seen.now, head, gateway))
    }

    fn show(&self, seen: &Seen, head: &RequestHead, gateway: &Gateway) -> Result<Arc<Shown>, Problem> {
        let (seen, base) = (seen.clone().look(), BaseUrl::of(head, &gateway.server).to_string());
        let presenter = Presenter::at(base.clone(), gateway);
        let is_payload_kept = is_payload_kept(gateway.queue.retention(), &seen.view, seen.now);
        let (etag, body) = (etag_value(&seen.view), written(&presenter.view(&seen))?.into());
        let shown = Arc::new(Shown { seen, base, is_payload_kept, etag, body });
        self.0.insert(shown.seen.request.id, Arc::clone(&shown));
        Ok(shown)
    }
}

impl Shown {
    /// Whether it is what would be shown now, to whom calls the gateway by this address.
    fn still_holds(&self, seen: &Seen, base: BaseUrl<'_>, gateway: &Gateway) -> bool {
        self.seen.still_holds(seen)
            && base.is(&self.base)
            && self.is_payload_kept == is_payload_kept(gateway.queue.retention(), &self.seen.view, seen.now)
    }

    fn answer(&self, now: Timestamp, head: &RequestHead, gateway: &Gateway) -> HttpResponse {
        let asks = head.headers.contains_key(header::IF_NONE_MATCH);
        let is_known = asks && self.etag.to_str().is_ok_and(|etag| is_known(&head.headers, etag));
        let mut answer =
            if is_known { HttpResponse::NotModified().finish() } else { HttpResponse::Ok().body(self.body.clone()) };
        let headers = answer.headers_mut();
        if !is_known {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(header::VARY, HeaderValue::from_static("Prefer"));
        set_headers(headers, self.etag.clone(), gateway, &self.seen, now);
        answer
    }
}
