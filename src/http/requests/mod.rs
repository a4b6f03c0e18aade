//! `/v1/requests`: the queue, a file for each operation.

use std::future::{Ready, ready};

use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, dev};

use super::code::Code;
use super::problem::{Problem, whole_seconds};
use super::{Gateway, trace};
use crate::core::request::{RequestId, Version, View};
use crate::queue::Snapshot;
use view::Presenter;

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
            trace::note_request(request, id);
        }
        ready(id.map(Self).ok_or(Problem::new(Code::NotFound)))
    }
}

/// The entity tag of a view, RFC 9110 section 8.8.3.
fn etag(view: &View) -> String {
    format!("\"{}\"", view.version)
}

/// The version that an entity tag names; none when it is not one of ours.
fn version(etag: &str) -> Option<Version> {
    etag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// About as long as a view is: what is written in one piece needs to be moved less.
const USUAL_BYTES: usize = 1024;

/// Finishes an answer with a request as its body.
fn show(
    mut answer: HttpResponseBuilder,
    gateway: &Gateway,
    presenter: &Presenter,
    seen: &Snapshot,
) -> Result<HttpResponse, Problem> {
    let mut body = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut body, &presenter.view(seen)).map_err(|_| Problem::new(Code::Internal))?;
    set_headers(&mut answer, gateway, seen);
    Ok(answer.content_type(header::ContentType::json()).body(body))
}

/// The headers of a request that is shown: its entity tag and, until it is terminal, when it is worth another look.
fn set_headers(answer: &mut HttpResponseBuilder, gateway: &Gateway, seen: &Snapshot) {
    answer.insert_header((header::ETAG, etag(&seen.view))).insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if let Some(wait) = gateway.queue.retry_after(seen) {
        answer.insert_header((header::RETRY_AFTER, whole_seconds(wait).to_string()));
    }
}

/// A problem that shows the request as it stands and, while that changes, when it is worth another look.
fn conflict(code: Code, gateway: &Gateway, presenter: &Presenter, seen: &Snapshot) -> Problem {
    let Ok(request) = serde_json::to_value(presenter.view(seen)) else {
        return Problem::new(Code::Internal);
    };
    let problem = Problem::new(code).about(request);
    match gateway.queue.retry_after(seen) {
        Some(wait) => problem.retry_after(wait),
        None => problem,
    }
}
