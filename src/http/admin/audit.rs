//! Who did what: what operators change is written to the audit log.

use actix_web::HttpRequest;

use crate::core::policy::{Operate, Permit};
use crate::http::notes;
use crate::http::problem::Problem;
use crate::telemetry::audit::Act;

/// Notes what an operator did to `object`, and what came of it.
pub(in crate::http) fn audit<T>(
    http: &HttpRequest,
    permit: &Permit<Operate>,
    action: &str,
    object: &str,
    outcome: &Result<T, Problem>,
) {
    let caller = permit.caller();
    let trace_id = notes::by(http, &caller.subject).trace_id.unwrap_or_default();
    let outcome = outcome.as_ref().err().map_or("done", Problem::name);
    let (issuer, subject) = (&caller.issuer, &caller.subject);
    Act { action, object, outcome, issuer, subject, trace_id: &trace_id }.record();
}
