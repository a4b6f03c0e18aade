//! The reads: one request, or a page of them.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::rows::{Fault, SELECT, Timelines, read};
use crate::core::clock::Timestamp;
use crate::core::ports::requests::{Filter, Position};
use crate::core::request::{Owner, Request, RequestId, Status};

/// The owner's request of that id.
pub(super) fn find(
    connection: &Connection,
    timelines: &Timelines,
    owner: &Owner,
    id: RequestId,
) -> Result<Option<Arc<Request>>, Fault> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE r.id = ?1"))?;
    let mut rows = statement.query([id.to_string()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    // First the checksum, which covers the owner: a damaged row must not pass for somebody else's.
    let request = read(row, connection, timelines)?;
    Ok((request.owner == *owner).then(|| Arc::new(request)))
}

/// The owner's request of that alias.
pub(super) fn find_by_alias(
    connection: &Connection,
    timelines: &Timelines,
    owner: &Owner,
    alias: &str,
) -> Result<Option<Arc<Request>>, Fault> {
    let sql = format!("{SELECT} WHERE o.issuer = ?1 AND o.subject = ?2 AND r.alias = ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![owner.issuer, owner.subject, alias])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Arc::new(read(row, connection, timelines)?)))
}

/// A page of the owner's requests, newest first.
pub(super) fn list(
    connection: &Connection,
    timelines: &Timelines,
    owner: &Owner,
    filter: &Filter,
    after: Option<Position>,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Arc<Request>>, Fault> {
    let mut query = Query::default();
    query.restrict("o.issuer = ? AND o.subject = ?", [owner.issuer.clone().into(), owner.subject.clone().into()]);
    if let Some(Position { submitted_at, id }) = after {
        query.restrict("(r.submitted_at, r.id) < (?, ?)", [submitted_at.millis().into(), id.to_string().into()]);
    }
    if let Some(kind) = &filter.kind {
        query.restrict("r.kind = ?", [kind.clone().into()]);
    }
    if let Some((route, key)) = &filter.idempotency_key {
        let keyed =
            "r.seq = (SELECT i.seq FROM idempotency AS i WHERE i.owner = o.owner AND i.route = ? AND i.key = ?)";
        query.restrict(keyed, [Value::from((*route).to_owned()), key.clone().into()]);
    }
    match filter.status {
        None => {}
        Some(Status::Cancelled) => query.restrict("r.cancelled_at IS NOT NULL", []),
        Some(status) => query.restrict_status(&stretches(connection, timelines, status, now)?),
    }
    query.page(connection, timelines, limit)
}

/// A stretch of submission times in which the requests of one timeline have the status that is asked for.
struct Stretch {
    timeline: i64,
    after: i64,
    until: i64,
}

fn stretches(
    connection: &Connection,
    timelines: &Timelines,
    status: Status,
    now: Timestamp,
) -> rusqlite::Result<Vec<Stretch>> {
    let mut stretches = Vec::new();
    for timeline in Timelines::numbers(connection)? {
        // A damaged timeline has only damaged requests, and they are left out.
        let Some(stored) = timelines.get(connection, timeline)? else { continue };
        stretches.extend(stored.timeline.submitted_within(status, now).into_iter().map(|within| Stretch {
            timeline,
            after: within.after.map_or(i64::MIN, Timestamp::millis),
            until: within.until.map_or(i64::MAX, Timestamp::millis),
        }));
    }
    Ok(stretches)
}

/// A page query that grows by its filters. Its parameters are bound in the order of the question marks.
#[derive(Default)]
struct Query {
    conditions: Vec<String>,
    parameters: Vec<Value>,
}

impl Query {
    fn restrict<const N: usize>(&mut self, condition: &str, parameters: [Value; N]) {
        self.conditions.push(condition.to_owned());
        self.parameters.extend(parameters);
    }

    /// The stretches as a table, since a chain of ORs has a greatest length; and before it the time that they span together, which
    /// lets the index leave out the rest.
    fn restrict_status(&mut self, stretches: &[Stretch]) {
        let first = stretches.iter().map(|stretch| stretch.after).min();
        let (Some(first), Some(last)) = (first, stretches.iter().map(|stretch| stretch.until).max()) else {
            return self.restrict("FALSE", []);
        };
        self.restrict(
            "r.cancelled_at IS NULL AND r.submitted_at > ? AND r.submitted_at <= ?",
            [first.into(), last.into()],
        );
        let table = vec!["(?, ?, ?)"; stretches.len()].join(", ");
        self.restrict(
            &format!(
                "EXISTS (SELECT 1 FROM (VALUES {table}) AS s WHERE s.column1 = r.timeline AND r.submitted_at > s.column2 \
                 AND r.submitted_at <= s.column3)"
            ),
            [],
        );
        let fields = stretches.iter().flat_map(|stretch| [stretch.timeline, stretch.after, stretch.until]);
        self.parameters.extend(fields.map(Value::from));
    }

    /// The first `limit` requests that are whole. No `LIMIT` in the statement: damaged rows do not count.
    fn page(self, connection: &Connection, timelines: &Timelines, limit: usize) -> Result<Vec<Arc<Request>>, Fault> {
        let conditions = self.conditions.join(" AND ");
        let sql = format!("{SELECT} WHERE {conditions} ORDER BY r.submitted_at DESC, r.id DESC");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(self.parameters))?;
        let mut page = Vec::new();
        while page.len() < limit
            && let Some(row) = rows.next()?
        {
            match read(row, connection, timelines) {
                Ok(request) => page.push(Arc::new(request)),
                Err(Fault::Damaged(request_id)) => {
                    tracing::error!(request_id, "a damaged record was left out of a list");
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(page)
    }
}
