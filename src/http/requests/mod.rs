//! `/v1/requests`: the queue, a file for each operation.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};

use super::code::Code;
use super::problem::{Problem, whole_seconds};
use crate::core::clock::Timestamp;
use crate::core::request::{RequestId, View};

pub(super) mod cancel;
pub(super) mod get;
pub(super) mod list;
pub(super) mod submit;
pub(super) mod view;

/// The id in a path. One that can not be an id names no request.
pub(super) fn request_id(text: &str) -> Result<RequestId, Problem> {
    text.parse().map_err(|()| Problem::new(Code::NotFound))
}

/// The entity tag of a view, RFC 9110 section 8.8.3.
fn etag(view: &View) -> String {
    format!("\"{}\"", view.version)
}

/// About as long as a view is: what is written in one piece needs to be moved less.
const USUAL_BYTES: usize = 1024;

/// Finishes an answer with a view as its body.
fn answer_view(answer: &mut HttpResponseBuilder, view: &view::RequestView) -> Result<HttpResponse, Problem> {
    let mut body = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut body, view).map_err(|_| Problem::new(Code::Internal))?;
    Ok(answer.content_type(header::ContentType::json()).body(body))
}

/// The headers of a view: its entity tag and, until it is terminal, when it will have changed.
fn set_headers(answer: &mut HttpResponseBuilder, view: &View, now: Timestamp) {
    answer.insert_header((header::ETAG, etag(view))).insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if let Some(next) = view.next_change_at {
        let wait = Duration::from_millis(u64::try_from(next.millis_since(now)).unwrap_or(0));
        answer.insert_header((header::RETRY_AFTER, whole_seconds(wait).to_string()));
    }
}
