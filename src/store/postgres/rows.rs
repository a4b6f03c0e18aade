//! How a request lies in its rows.

use std::sync::Arc;

use tokio_postgres::Row;

use super::document::{Document, WorkDocument, json, version};
use super::fault::Fault;
use super::names::Timelines;
use crate::core::clock::Timestamp;
use crate::core::request::{Owner, Process, Request, RequestId, Simulation, Status, Tags, Work, WorkState};

/// What [`read`] needs, in its order.
pub(super) const COLUMNS: &str = "r.id, o.issuer, o.subject, r.kind, r.submitted_at, r.timeline, r.alias, r.tags, r.erased_at, \
     COALESCE(w.doc, r.doc)";

/// Where that is from.
pub(super) const TABLES: &str = "requests r JOIN owners o ON o.owner = r.owner LEFT JOIN work w ON w.id = r.id";

/// The columns that change with a request.
pub(super) struct Written {
    pub(super) id: String,
    pub(super) alias: Option<Vec<u8>>,
    pub(super) tags: String,
    pub(super) document: String,
    /// An array literal.
    pub(super) ats: String,
    pub(super) statuses: String,
    pub(super) ends_at: Option<i64>,
    pub(super) ready_at: Option<i64>,
    pub(super) erased_at: Option<i64>,
}

/// Whether workers have yet to finish it: then it has a row in `work`.
pub(super) fn is_open(request: &Request) -> bool {
    request.work().is_some_and(|work| !matches!(work.state, WorkState::Ended(_)))
}

pub(super) fn write(request: &Request) -> Written {
    let phases = || (0..).map_while(|number| request.phase(number));
    let ats: Vec<_> = phases().skip(1).map(|phase| phase.at.millis().to_string()).collect();
    Written {
        id: request.id.to_string(),
        alias: request.alias.as_ref().map(|alias| alias.as_bytes().to_vec()),
        tags: json(&request.tags),
        document: json(&document(request)),
        ats: format!("{{{}}}", ats.join(",")),
        statuses: phases().map(|phase| digit(phase.status)).collect(),
        ends_at: request.ends_at().map(Timestamp::millis),
        ready_at: request.ready_at().map(Timestamp::millis),
        erased_at: request.erased_at.map(Timestamp::millis),
    }
}

/// How a status stands in the column `statuses`.
pub(super) fn digit(status: Status) -> char {
    let place = Status::ALL.iter().position(|one| *one == status);
    place.and_then(|place| char::from_digit(place.try_into().ok()?, 10)).unwrap_or_default()
}

/// The status of a digit.
pub(super) fn status(digit: &str) -> Option<Status> {
    Status::ALL.get(digit.parse::<usize>().ok()?).copied()
}

fn document(request: &Request) -> Document {
    let simulation = request.simulation();
    Document {
        trace_id: request.trace_id.clone(),
        not_before: request.not_before.map(Timestamp::millis),
        deadline: request.deadline.map(Timestamp::millis),
        version: (request.version.write, request.version.step),
        skipped_millis: simulation.map_or(0, |simulation| simulation.skipped_millis),
        cancelled_at: simulation.and_then(|simulation| simulation.cancelled_at).map(Timestamp::millis),
        work: request.work().map(WorkDocument::from),
    }
}

/// The number of the timeline that a row of [`COLUMNS`] names.
pub(super) fn timeline(row: &Row) -> Option<i64> {
    row.try_get(5).ok().flatten()
}

/// The request in a row of [`COLUMNS`]; the timeline that it names is known.
pub(super) fn read(row: &Row, timelines: &Timelines) -> Result<Arc<Request>, Fault> {
    let damaged = || Fault::Damaged(row.try_get(0).unwrap_or_else(|_| "without a readable id".into()));
    parse(row, timelines).map(Arc::new).ok_or_else(damaged)
}

fn parse(row: &Row, timelines: &Timelines) -> Option<Request> {
    let Document { trace_id, not_before, deadline, version: written, skipped_millis, cancelled_at, work } =
        serde_json::from_str(row.try_get(9).ok()?).ok()?;
    let at = Timestamp::from_millis;
    let process = match (row.try_get::<_, Option<i64>>(5).ok()?, work) {
        (Some(timeline), None) => {
            let timeline = timelines.get(timeline)?;
            Process::Timeline(Simulation { timeline, skipped_millis, cancelled_at: cancelled_at.map(at) })
        }
        (None, Some(work)) => Process::Lease(Box::new(Work::from(work))),
        _ => return None,
    };
    let tags: Tags = serde_json::from_str(row.try_get(7).ok()?).ok()?;
    Some(Request {
        id: id(row, 0)?,
        owner: Owner { issuer: text(row, 1)?, subject: text(row, 2)? },
        kind: row.try_get(3).ok()?,
        submitted_at: at(row.try_get(4).ok()?),
        trace_id,
        not_before: not_before.map(at),
        deadline: deadline.map(at),
        alias: row.try_get::<_, Option<Vec<u8>>>(6).ok()?.map(String::from_utf8).transpose().ok()?,
        tags,
        process,
        version: version(written),
        erased_at: row.try_get::<_, Option<i64>>(8).ok()?.map(at),
    })
}

/// The id in a column.
pub(super) fn id(row: &Row, column: usize) -> Option<RequestId> {
    row.try_get::<_, &str>(column).ok()?.parse().ok()
}

fn text(row: &Row, column: usize) -> Option<String> {
    String::from_utf8(row.try_get(column).ok()?).ok()
}
