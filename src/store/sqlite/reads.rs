//! The reads of one request, and of what belongs to it.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::checksum::{Fault, checksum_of, whole};
use super::rows::{Found, SELECT, output_checksum, read};
use super::timelines::Timelines;
use super::writes::payload_checksum;
use crate::core::request::{Output, Owner, Request, RequestId};

/// The request of that id.
pub(super) fn found(connection: &Connection, timelines: &Timelines, id: RequestId) -> Result<Option<Found>, Fault> {
    let mut statement = connection.prepare_cached(&format!("{} WHERE r.id = ?1", *SELECT))?;
    let mut rows = statement.query([id.to_string()])?;
    rows.next()?.map(|row| read(row, connection, timelines)).transpose()
}

/// The same, for those who only look.
pub(super) fn find(
    connection: &Connection,
    timelines: &Timelines,
    id: RequestId,
) -> Result<Option<Arc<Request>>, Fault> {
    Ok(found(connection, timelines, id)?.map(|found| Arc::new(found.request)))
}

/// The owner's request of that alias.
pub(super) fn find_by_alias(
    connection: &Connection,
    timelines: &Timelines,
    owner: &Owner,
    alias: &str,
) -> Result<Option<Arc<Request>>, Fault> {
    let sql = format!("{} WHERE o.issuer = ?1 AND o.subject = ?2 AND r.alias = ?3", *SELECT);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![owner.issuer, owner.subject, alias])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Arc::new(read(row, connection, timelines)?.request)))
}

/// The payload of a request.
pub(super) fn payload(connection: &Connection, id: RequestId) -> Result<Option<String>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT p.body, p.checksum, p.bound FROM requests AS r JOIN payloads AS p ON p.seq = r.seq WHERE r.id = ?1",
    )?;
    let name = id.to_string();
    let mut rows = statement.query([&name])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let damaged = || Fault::Damaged(name.clone());
    let (body, sum, bound): (String, u32, bool) =
        whole((|| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))())?.ok_or_else(damaged)?;
    let expected = if bound { payload_checksum(&name, &body) } else { checksum_of(&body) };
    if sum == expected { Ok(Some(body)) } else { Err(damaged()) }
}

/// What a request gave.
pub(super) fn output(connection: &Connection, id: RequestId) -> Result<Option<Output>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT s.content_type, s.body, s.checksum FROM requests AS r JOIN results AS s ON s.seq = r.seq WHERE r.id = ?1",
    )?;
    let name = id.to_string();
    let read = statement
        .query_row([&name], |row| {
            let columns = || Ok((Output { content_type: row.get(0)?, body: row.get(1)? }, row.get::<_, u32>(2)?));
            whole(columns())
        })
        .optional()?;
    let Some(read) = read else { return Ok(None) };
    let is_whole = |(output, sum): &(Output, u32)| output_checksum(&name, output) == *sum;
    let (output, _) = read.filter(is_whole).ok_or_else(|| Fault::Damaged(name.clone()))?;
    Ok(Some(output))
}
