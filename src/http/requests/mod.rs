//! `/v1/requests`: the queue, a file for each operation.

use std::future::{Ready, ready};

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, dev};

use super::code::Code;
use super::problem::{Problem, whole_seconds};
use super::{Gateway, notes};
use crate::core::clock::Timestamp;
use crate::core::request::{RequestId, Version, View};
use crate::queue::Snapshot;
use view::{Presenter, RequestView};

pub(super) mod advance;
pub(super) mod batch;
pub(super) mod cancel;
pub(super) mod erase;
pub(super) mod events;
mod feed;
pub(super) mod filter;
pub(super) mod get;
mod hold;
pub(super) mod list;
pub(super) mod payload;
pub(super) mod result;
pub(super) mod shown;
pub(super) mod submit;
pub(super) mod view;

/// The request that a path names. One that can not be an id names none. It is noted for the log line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named(pub(super) RequestId);

impl FromRequest for Named {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let id = request.match_info().get("request_id").and_then(|id| id.parse().ok());
        if let Some(id) = id {
            notes::note_request(request, id);
        }
        ready(id.map(Self).ok_or(Problem::new(Code::NotFound)))
    }
}

/// The entity tag of a view, RFC 9110 section 8.8.3.
fn etag(view: &View) -> String {
    format!("\"{}\"", view.version)
}

/// The same, as a header has it.
fn etag_value(view: &View) -> HeaderValue {
    // A version is written in visible ASCII.
    HeaderValue::try_from(etag(view)).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The version that an entity tag names; none when it is not one of ours.
fn version(etag: &str) -> Option<Version> {
    etag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// About as long as a view is: what is written in one piece needs to be moved less.
const USUAL_BYTES: usize = 1024;

/// How caches may keep an answer with a request: they have to ask whether it still holds.
const REVALIDATED: &str = "private, no-cache";

/// Finishes an answer with a request as its body.
fn show(
    mut answer: HttpResponseBuilder,
    gateway: &Gateway,
    presenter: &Presenter,
    seen: &Snapshot,
) -> Result<HttpResponse, Problem> {
    let body = written(&presenter.view(seen))?;
    let mut answer = answer.content_type(header::ContentType::json()).body(body);
    set_headers(answer.headers_mut(), etag_value(&seen.view), gateway, seen, seen.now);
    Ok(answer)
}

/// A request in the bytes of a body.
fn written(view: &RequestView) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut body, view).map_err(|_| Problem::new(Code::Internal))?;
    Ok(body)
}

/// The headers of a request that is shown at `now`: its entity tag and, until it is terminal, when it is worth another look.
fn set_headers(headers: &mut HeaderMap, etag: HeaderValue, gateway: &Gateway, seen: &Snapshot, now: Timestamp) {
    headers.insert(header::ETAG, etag);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(REVALIDATED));
    if let Some(wait) = gateway.queue.retry_after(seen, now) {
        headers.insert(header::RETRY_AFTER, whole_seconds(wait).into());
    }
}

/// A problem that shows the request as it stands and, while that changes, when it is worth another look.
fn conflict(code: Code, gateway: &Gateway, presenter: &Presenter, seen: &Snapshot) -> Problem {
    let Ok(request) = serde_json::to_value(presenter.view(seen)) else {
        return Problem::new(Code::Internal);
    };
    let problem = Problem::new(code).about(request);
    match gateway.queue.retry_after(seen, seen.now) {
        Some(wait) => problem.retry_after(wait),
        None => problem,
    }
}
