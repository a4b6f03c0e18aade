//! How a request lies in its rows: written with checksums, read back only when they match.
//!
//! The checksum of a request covers the row and what the row names, the owner and the timeline; those of its state and its result
//! cover its id. Whatever of these is damaged, the request is not shown as something that it never was.

use std::sync::LazyLock;

use rusqlite::{Connection, Row};

use super::checksum::{Checksum, Fault, whole};
use super::timelines::Timelines;
use super::work_rows::{self, unreadable};
use crate::core::clock::Timestamp;
use crate::core::request::{Output, Owner, Process, Request, Simulation, Version, Work};

/// A request with what its rows name.
pub(super) struct Found {
    pub(super) seq: i64,
    /// The number of its owner.
    pub(super) owner: i64,
    /// The checksum of the definition of its timeline, as that is stored: a later Anteroom may write the same timeline differently.
    pub(super) definition: Option<u32>,
    pub(super) request: Request,
}

/// What [`read`] needs, in its order, with the tables that they are read from.
pub(super) static SELECT: LazyLock<String> =
    LazyLock::new(|| select("requests AS r JOIN owners AS o ON o.owner = r.owner"));

/// The same, beginning with the table `work`.
pub(super) static SELECT_WORK: LazyLock<String> = LazyLock::new(|| {
    select("work AS v CROSS JOIN requests AS r ON r.seq = v.seq CROSS JOIN owners AS o ON o.owner = r.owner")
});

/// The columns of a request, from tables among which are `requests AS r` and `owners AS o`.
pub(super) fn select(tables: &str) -> String {
    format!(
        "SELECT r.seq, r.id, r.kind, r.timeline, r.submitted_at, r.cancelled_at, r.alias, r.tags, o.issuer, o.subject, r.ends_at, \
         r.checksum, r.trace_id, r.not_before, r.deadline, r.skipped, r.version_write, r.version_step, r.erased_at, r.owner, \
         {}, w.checksum, s.content_type, CASE WHEN length(s.body) <= {} THEN s.body END, s.checksum \
         FROM {tables} LEFT JOIN work AS w ON w.seq = r.seq LEFT JOIN results AS s ON s.seq = w.seq",
        work_rows::COLUMNS,
        Output::INLINE_BYTES,
    )
}

/// Where the columns of `work` begin, and after them those of `results`.
const WORK: usize = 20;
const RESULT: usize = WORK + work_rows::WIDTH + 1;

/// The checksum of a row of `requests`, given the one of its timeline's definition and when the timeline ends.
///
/// Rows of version 1 of the schema had only what comes first; what came later counts where it is there.
pub(super) fn checksum(request: &Request, definition: Option<u32>, ends_at: Option<i64>) -> u32 {
    let Request { id, owner, kind, submitted_at, alias, tags, .. } = request;
    let sum = Checksum::default()
        .bytes(id.to_string().as_bytes())
        .bytes(owner.issuer.as_bytes())
        .bytes(owner.subject.as_bytes())
        .bytes(kind.as_bytes())
        .number(definition.map_or(-1, i64::from))
        .number(submitted_at.millis());
    let sum = match ends_at {
        Some(at) => sum.number(at),
        None => sum.bytes(b""),
    };
    let cancelled_at = cancelled_at(request);
    let mut sum = sum.optional_number(cancelled_at).optional(alias.as_ref().map(String::as_bytes));
    for (name, value) in tags {
        sum = sum.bytes(name.as_bytes()).bytes(value.as_bytes());
    }
    later(request, cancelled_at.is_some(), sum).finish()
}

fn later(request: &Request, is_cancelled: bool, sum: Checksum) -> Checksum {
    let (skipped, version) = (skipped(request), version(request));
    let Request { trace_id, not_before, deadline, erased_at, .. } = request;
    let is_as_before = trace_id.is_none()
        && not_before.or(*deadline).or(*erased_at).is_none()
        && skipped == 0
        && version == Version { write: is_cancelled.into(), step: 0 };
    if is_as_before {
        return sum;
    }
    sum.bytes(b"later")
        .optional(trace_id.as_ref().map(String::as_bytes))
        .optional_number(not_before.map(Timestamp::millis))
        .optional_number(deadline.map(Timestamp::millis))
        .optional_number(erased_at.map(Timestamp::millis))
        .number(skipped)
        .number(version.write.into())
        .number(version.step.into())
}

/// When its owner cancelled it, where the row of the request says so.
pub(super) fn cancelled_at(request: &Request) -> Option<i64> {
    request.simulation().and_then(|simulation| simulation.cancelled_at).map(Timestamp::millis)
}

/// By how much its timeline was advanced.
pub(super) fn skipped(request: &Request) -> i64 {
    request.simulation().map_or(0, |simulation| simulation.skipped_millis)
}

/// The version that the row of the request has: where workers work on it, the one in `work` counts.
pub(super) fn version(request: &Request) -> Version {
    request.simulation().map_or_else(Version::default, |_| request.version)
}

/// When it ends, where the row of the request says so.
pub(super) fn ends_at(request: &Request) -> Option<i64> {
    request.simulation().and_then(|_| request.ends_at()).map(Timestamp::millis)
}

/// Reads a request and checks that it is as it was written.
pub(super) fn read(row: &Row<'_>, connection: &Connection, timelines: &Timelines) -> Result<Found, Fault> {
    // A name for the one who mends it, whatever is left of it.
    let damaged = || Fault::Damaged(row.get(1).unwrap_or_else(|_| "without a readable id".into()));
    let (process, version, definition) = whole(process(row, connection, timelines))?.flatten().ok_or_else(damaged)?;
    let request = whole(parse(row, process, version))?.ok_or_else(damaged)?;
    let (ends_at, sum): (Option<i64>, u32) = whole((|| Ok((row.get(10)?, row.get(11)?)))())?.ok_or_else(damaged)?;
    let (seq, owner) = (row.get(0)?, row.get(19)?);
    let found = Found { seq, owner, definition, request };
    if sum == checksum(&found.request, definition, ends_at) { Ok(found) } else { Err(damaged()) }
}

type Moved = (Process, Version, Option<u32>);

/// What moves it on. `None` when that is damaged.
fn process(row: &Row<'_>, connection: &Connection, timelines: &Timelines) -> rusqlite::Result<Option<Moved>> {
    if let Some(number) = row.get(3)? {
        let Some(stored) = timelines.get(connection, number)? else { return Ok(None) };
        let cancelled_at = row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis);
        let simulation = Simulation { timeline: stored.timeline, skipped_millis: row.get(15)?, cancelled_at };
        let version = Version { write: row.get(16)?, step: row.get(17)? };
        return Ok(Some((Process::Timeline(simulation), version, Some(stored.checksum))));
    }
    let id: String = row.get(1)?;
    let Some((work, version)) = work_rows::read(row, WORK, &id)? else { return Ok(None) };
    let output = output(row)?;
    if let Some((output, sum)) = &output
        && *sum != output_checksum(&id, output)
    {
        return Ok(None);
    }
    let work = Work { result: output.and_then(|(output, _)| output.inline()), ..work };
    Ok(Some((Process::Lease(Box::new(work)), version, None)))
}

/// The result, where it is small enough to be shown in the view, with its checksum.
fn output(row: &Row<'_>) -> rusqlite::Result<Option<(Output, u32)>> {
    let content_type: Option<String> = row.get(RESULT)?;
    let (Some(content_type), Some(body)) = (content_type, row.get(RESULT + 1)?) else { return Ok(None) };
    Ok(Some((Output { content_type, body }, row.get(RESULT + 2)?)))
}

/// The checksum of a result.
pub(super) fn output_checksum(id: &str, output: &Output) -> u32 {
    Checksum::default().bytes(id.as_bytes()).bytes(output.content_type.as_bytes()).bytes(&output.body).finish()
}

fn parse(row: &Row<'_>, process: Process, version: Version) -> rusqlite::Result<Request> {
    let (id, tags): (String, String) = (row.get(1)?, row.get(7)?);
    let at = |column: usize| row.get::<_, Option<i64>>(column).map(|at| at.map(Timestamp::from_millis));
    Ok(Request {
        id: id.parse().map_err(|()| unreadable(1, "id"))?,
        owner: Owner { issuer: row.get(8)?, subject: row.get(9)? },
        kind: row.get(2)?,
        submitted_at: Timestamp::from_millis(row.get(4)?),
        trace_id: row.get(12)?,
        not_before: at(13)?,
        deadline: at(14)?,
        alias: row.get(6)?,
        tags: serde_json::from_str(&tags).map_err(|_| unreadable(7, "tags"))?,
        process,
        version,
        erased_at: at(18)?,
    })
}

/// The request in the row of that number, which another row names.
pub(super) fn read_by_seq(connection: &Connection, timelines: &Timelines, seq: i64) -> Result<Found, Fault> {
    let mut statement = connection.prepare_cached(&format!("{} WHERE r.seq = ?1", *SELECT))?;
    let mut rows = statement.query([seq])?;
    match rows.next()? {
        Some(row) => read(row, connection, timelines),
        None => Err(Fault::Damaged(format!("number {seq}"))),
    }
}
