//! `GET /v1/dead-letters`: requests that workers have failed at, newest first, page by page.

use actix_web::http::header;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::core::policy::WorkRequests;
use crate::core::request::{Owner, Worker};
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::leases::view::WorkView;
use crate::http::origin::base_url;
use crate::http::page;
use crate::http::problem::Problem;
use crate::queue::{Queue, Snapshot};

const MOST: usize = 200;

/// Which dead letters to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct DeadLetterQuery {
    /// Only those of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The most requests on a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, value_type = Option<usize>)]
    limit: Option<String>,
    /// The `next_cursor` of the page before; the filters must be the same.
    cursor: Option<String>,
}

/// A page of dead letters.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"next_cursor": null, "items": [{
    "request_id": "req_01JD9W3W7QX5T4N0V6K8B2C1DE", "type": "demo-work", "status": "failed", "epoch": 1, "attempt": 1, "max_attempts": 3,
    "submitted_at": "2026-11-22T06:12:03.482Z", "ready_at": null, "finished_at": "2026-11-22T06:12:08.482Z", "deadline": null,
    "cancel_requested_at": null, "tags": {"order": "4711"}, "error": {"code": "printer_on_fire", "title": "The printer is on fire", "detail": "", "retryable": false},
    "owner": {"issuer": "http://localhost:8080", "subject": "acme"},
    "last_worker": {"worker_id": "worker-1", "issuer": "http://localhost:8080", "subject": "renderer"},
    "links": {"redrive": "http://localhost:8080/v1/dead-letters/req_01JD9W3W7QX5T4N0V6K8B2C1DE/redrive"},
}]}))]
pub(in crate::http) struct DeadLetterPage {
    /// The dead letters, newest first.
    items: Vec<DeadLetter>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// A request that workers have failed at.
#[derive(Serialize, ToSchema)]
struct DeadLetter {
    #[serde(flatten)]
    work: WorkView,
    /// Who submitted it.
    owner: Party,
    /// Who worked on it last.
    #[schema(required)]
    last_worker: Option<LastWorker>,
    /// Addresses of what can be done with it.
    links: DeadLetterLinks,
}

/// Somebody, as a token names them.
#[derive(Serialize, ToSchema)]
struct Party {
    /// The `iss` of the token.
    issuer: String,
    /// The `sub` of the token.
    subject: String,
}

/// A worker.
#[derive(Serialize, ToSchema)]
struct LastWorker {
    /// What it calls itself.
    worker_id: String,
    /// The `iss` of its token.
    issuer: String,
    /// The `sub` of its token.
    subject: String,
}

/// Addresses of what can be done with a dead letter.
#[derive(Serialize, ToSchema)]
struct DeadLetterLinks {
    /// Lets it be tried again.
    #[schema(format = "uri")]
    redrive: String,
}

/// List dead letters
///
/// Requests that have failed because no attempt is left, or because a worker said that another is no use; whoever's they are, newest
/// first by submission.
#[utoipa::path(get, path = "/v1/dead-letters", tag = "workers",
    security(("bearer" = []), ("oauth2" = ["requests:work"])),
    params(DeadLetterQuery),
    responses(
        (status = 200, description = "A page of dead letters", body = DeadLetterPage, headers(
            ("Link" = Option<String>, description = "`rel=\"next\"`: the next page"),
        )),
        (status = 400, description = "A query parameter is unknown or malformed, or the cursor belongs to other filters"),
    ),
)]
pub(in crate::http) async fn list_dead_letters(
    allowed: Allowed<WorkRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Query::<DeadLetterQuery>::from_query(http.query_string())
        .map_err(|_| {
            malformed("The query can not be read: its parameters are `type`, `limit` and `cursor`, each once.")
        })?
        .into_inner();
    let limit = query.limit()?;
    let filter = Queue::dead_letters_of(query.kind.into_iter().collect());
    let after = query.cursor.as_deref().map(|cursor| page::position(cursor, &filter)).transpose()?;
    let mut requests = gateway.queue.dead_letters(&allowed, &filter, after, limit + 1).await?;
    let next_cursor = page::cut(&mut requests, limit, &filter, |seen| &seen.request);
    let list = format!("{}/v1/dead-letters", base_url(&http, &gateway.server));
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if let Some(cursor) = &next_cursor {
        answer.insert_header((header::LINK, page::next_link(&list, http.query_string(), cursor)));
    }
    let items = requests.iter().map(|seen| DeadLetter::new(seen, &list)).collect();
    Ok(answer.json(DeadLetterPage { items, next_cursor }))
}

fn malformed(detail: &str) -> Problem {
    Problem::detailed(Code::Malformed, detail)
}

impl DeadLetterQuery {
    fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.as_ref().map_or(Ok(50), |limit| limit.parse()).ok();
        limit
            .filter(|limit| (1..=MOST).contains(limit))
            .ok_or_else(|| malformed(&format!("The parameter limit is not between 1 and {MOST}.")))
    }
}

impl DeadLetter {
    fn new(seen: &Snapshot, list: &str) -> Self {
        let request = &seen.request;
        let Owner { issuer, subject } = request.owner.clone();
        let last_worker = request.work().and_then(|work| work.worker.clone());
        let last_worker =
            last_worker.map(|Worker { issuer, subject, id }| LastWorker { worker_id: id, issuer, subject });
        let links = DeadLetterLinks { redrive: format!("{list}/{}/redrive", request.id) };
        Self { work: WorkView::new(seen), owner: Party { issuer, subject }, last_worker, links }
    }
}
