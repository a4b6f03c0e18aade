//! `/v1/leases`: requests as workers see them, a file for each operation.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::Gateway;
use super::code::Code;
use super::notes;
use super::problem::Problem;
use crate::core::policy::{Permit, WorkRequests};
use crate::queue::work::{Heard, LeaseId, Said, Saying};

pub(super) mod batch;
pub(super) mod complete;
pub(super) mod fail;
pub(super) mod heartbeat;
pub(super) mod lease;
pub(super) mod release;
mod rules;
pub(super) mod view;

use view::WorkView;

/// The id in a path. One that can not be an id names no lease.
fn lease_id(text: &str) -> Result<LeaseId, Problem> {
    text.parse().map_err(|()| Problem::new(Code::NotFound))
}

/// Has one worker heard, and answers what it is told on success.
async fn hear(
    permit: &Permit<WorkRequests>,
    gateway: &Data<Gateway>,
    http: &HttpRequest,
    saying: Saying,
) -> Result<Heard, Problem> {
    notes::note_request(http, saying.lease.0);
    let by = notes::by(http, &permit.caller().subject);
    judge(gateway, gateway.queue.hear(permit, saying, by).await?)
}

/// Has a worker heard that ends its lease, and answers the request as it stands then.
async fn end(
    permit: &Permit<WorkRequests>,
    gateway: &Data<Gateway>,
    http: &HttpRequest,
    (lease, epoch, said): (LeaseId, u32, Said),
) -> Result<HttpResponse, Problem> {
    let heard = hear(permit, gateway, http, Saying { lease, epoch, said }).await?;
    Ok(HttpResponse::Ok().json(WorkView::new(&gateway.queue.snapshot(heard.request))))
}

/// What was heard, unless the worker is to be told off.
fn judge(gateway: &Gateway, heard: Heard) -> Result<Heard, Problem> {
    let code = if heard.is_lost {
        Code::LeaseLost
    } else if heard.invalid.is_empty() {
        return Ok(heard);
    } else {
        Code::ResultInvalid
    };
    let request = serde_json::to_value(WorkView::new(&gateway.queue.snapshot(heard.request)));
    let request = request.map_err(|_| Problem::new(Code::Internal))?;
    Err(Problem::new(code).with_faults(heard.invalid).about(request))
}
