//! `GET /v1/requests/{request_id}/events`: what happens to a request, as a stream or as a list.

use actix_web::http::header::{self, HeaderName};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::Named;
use super::feed::Feed;
use super::view::{Presenter, RequestView, StatusName};
use crate::core::clock::Timestamp;
use crate::core::policy::ReadRequests;
use crate::core::request::{Event, Status};
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::problem::Problem;

const LAST_EVENT_ID: &str = "last-event-id";
/// Tells a proxy that it must not collect the stream before it passes it on.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Something that happened to a request.
#[derive(Serialize, ToSchema)]
#[schema(as = Event, example = json!({
    "version": "0.1", "kind": "time_passed", "at": "2026-11-22T06:12:08.482Z", "status": "running", "stage": "processing", "attempt": 0,
}))]
pub(super) struct EventView {
    /// Names the state that it led to, as the `ETag` does.
    version: String,
    /// What happened: `submitted`, `time_passed`, `leased`, `progressed`, `completed`, `failed`, `released`, `cancel_requested`,
    /// `cancelled` or `redriven`.
    kind: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The status from then on.
    #[schema(value_type = StatusName, inline)]
    status: Status,
    /// The name of the stage from then on.
    stage: String,
    /// How many times a worker had taken it up by then.
    attempt: u32,
    /// In a stream, with the event that is the end: the whole request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<Box<RequestView>>,
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        let Event { version, kind, at, status, stage, attempt, .. } = event;
        let (version, kind, stage) = (version.to_string(), kind.name(), stage.clone());
        Self { version, kind, at: *at, status: *status, stage, attempt: *attempt, request: None }
    }
}

/// What has happened to a request so far.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct EventList {
    /// The events, in order.
    items: Vec<EventView>,
}

/// Follow a request
///
/// A stream of server-sent events: what has happened so far, and then each change when it happens, until the request is terminal. An
/// event is named `change`; its `id` is the version of the request that the `ETag` shows, its `data` an Event, and the last one has
/// the whole request as `request`. Comments keep the connection alive. The stream also ends when the token expires and when the
/// gateway stops: a client that comes back with `Last-Event-ID`, as browsers do by themselves, is told what it missed, and 204 when it
/// knows the end already. With `Accept: application/json` the answer is the list of what has happened so far.
#[utoipa::path(get, path = "/v1/requests/{request_id}/events", tag = "requests",
    security(("bearer" = []), ("oauth2" = ["requests:read"])),
    params(
        ("request_id" = String, Path, description = "The id that the submission answered", example = "req_01JD9W3W7QX5T4N0V6K8B2C1DE"),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that you know, as `0.1`"),
    ),
    responses(
        (status = 200, description = "What happens to it", content(
            (String = "text/event-stream", example = json!("id: 0.1\nevent: change\ndata: {\"version\":\"0.1\",\"kind\":\"time_passed\",\"at\":\"2026-11-22T06:12:08.482Z\",\"status\":\"running\",\"stage\":\"processing\",\"attempt\":0}\n\n")),
            (EventList = "application/json"),
        )),
        (status = 204, description = "You know all that has happened, and it is terminal"),
        (status = 404, description = "No such request, or somebody else's"),
        (status = 410, description = "You have erased it"),
    ),
)]
pub(in crate::http) async fn follow_request(
    allowed: Allowed<ReadRequests>,
    Named(id): Named,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let seen = gateway.queue.get(&allowed, id).await?;
    let is_list = prefers_json(&http);
    let last = http.headers().get(LAST_EVENT_ID).filter(|_| !is_list);
    let last = last.and_then(|last| last.to_str().ok()?.parse().ok());
    let mut following = gateway.queue.follow(&seen, last);
    let news = gateway.queue.catch_up(&mut following).await?;
    if news.events.is_empty() && news.seen.view.status.is_terminal() {
        return Ok(head(StatusCode::NO_CONTENT).finish());
    }
    let mut answer = head(StatusCode::OK);
    if is_list {
        let items = news.events.iter().map(EventView::from).collect();
        return Ok(answer.json(EventList { items }));
    }
    answer.content_type("text/event-stream").insert_header((X_ACCEL_BUFFERING, "no"));
    if *http.method() == Method::HEAD {
        return Ok(answer.finish());
    }
    let presenter = Presenter::of(&http, &gateway);
    Ok(answer.streaming(Feed::new(gateway, presenter, following, news, allowed.caller().expires_at).stream()))
}

fn head(status: StatusCode) -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::VARY, "Accept"));
    answer
}

/// Whether JSON is preferred to a stream (RFC 9110 section 12.5.1); where both are as welcome, the answer is a stream.
fn prefers_json(request: &HttpRequest) -> bool {
    let lines = request.headers().get_all(header::ACCEPT).filter_map(|line| line.to_str().ok());
    let ranges: Vec<_> = lines.flat_map(|line| line.split(',')).map(str::to_ascii_lowercase).collect();
    let weight = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |quality| quality.parse().ok());
        quality.unwrap_or(0.0)
    };
    let welcome = |names: [&str; 3]| {
        let named =
            |name: &&str| ranges.iter().find(|range| range.split(';').next().unwrap_or_default().trim() == *name);
        names.iter().find_map(named).map_or(0.0, |range| weight(range))
    };
    welcome(["application/json", "application/*", "*/*"]) > welcome(["text/event-stream", "text/*", "*/*"])
}
