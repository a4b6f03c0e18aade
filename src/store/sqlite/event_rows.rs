//! How events lie in their rows.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::checksum::{Checksum, Fault, over, whole};
use super::work_rows::unreadable;
use crate::core::clock::Timestamp;
use crate::core::request::{By, Event, RequestId, Version};

/// Adds events to those of the request in the row of that number.
pub(super) fn add(connection: &Connection, seq: i64, id: RequestId, events: &[Event]) -> rusqlite::Result<()> {
    for event in events {
        let values: [Value; 9] = [
            event.version.write.into(),
            event.version.step.into(),
            event.kind.name().to_owned().into(),
            event.at.millis().into(),
            event.status.name().to_owned().into(),
            event.stage.clone().into(),
            event.attempt.into(),
            event.by.actor.clone().into(),
            event.by.trace_id.clone().into(),
        ];
        let sum = values.iter().fold(beginning(id), |sum, value| sum.value(value.into())).finish();
        connection
            .prepare_cached(
                "INSERT INTO events (version_write, version_step, kind, at, status, stage, attempt, actor, trace_id, checksum, seq, \
                 number) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
                 (SELECT coalesce(max(number), 0) + 1 FROM events WHERE seq = ?11))",
            )?
            .execute(params_from_iter(values.into_iter().chain([sum.into(), seq.into()])))?;
    }
    Ok(())
}

fn beginning(id: RequestId) -> Checksum {
    Checksum::default().bytes(id.to_string().as_bytes())
}

/// The events of a request, in order.
pub(super) fn of(connection: &Connection, id: RequestId) -> Result<Vec<Event>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT e.version_write, e.version_step, e.kind, e.at, e.status, e.stage, e.attempt, e.actor, e.trace_id, e.checksum \
         FROM requests AS r JOIN events AS e ON e.seq = r.seq WHERE r.id = ?1 ORDER BY e.number",
    )?;
    let mut rows = statement.query([id.to_string()])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(whole(read(row, id))?.flatten().ok_or_else(|| Fault::Damaged(id.to_string()))?);
    }
    Ok(events)
}

/// `None` when it is not as it was written.
fn read(row: &Row<'_>, id: RequestId) -> rusqlite::Result<Option<Event>> {
    if over(beginning(id), row, 0..9)?.finish() != row.get::<_, u32>(9)? {
        return Ok(None);
    }
    let (kind, status): (String, String) = (row.get(2)?, row.get(4)?);
    Ok(Some(Event {
        version: Version { write: row.get(0)?, step: row.get(1)? },
        kind: kind.parse().map_err(|()| unreadable(2, "kind"))?,
        at: Timestamp::from_millis(row.get(3)?),
        status: status.parse().map_err(|()| unreadable(4, "status"))?,
        stage: row.get(5)?,
        attempt: row.get(6)?,
        by: By { actor: row.get(7)?, trace_id: row.get(8)? },
    }))
}
