//! The versions of the schema: told apart by `PRAGMA user_version`, brought up to date in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use super::checksum::Fault;
use super::timelines::Timelines;
use super::{Trouble, event_rows, rows};
use crate::core::request::{By, Event, EventKind};

/// The steps from nothing to the present schema; step `n` leads to version `n + 1`. A released step never changes.
const STEPS: &[&str] = &[
    include_str!("../migrations/sqlite/0001_requests.sql"),
    include_str!("../migrations/sqlite/0002_work.sql"),
    include_str!("../migrations/sqlite/0003_webhooks.sql"),
    include_str!("../migrations/sqlite/0004_records.sql"),
];

/// The first version in which what somebody did to a request is kept as an event.
const WITH_EVENTS: i64 = 2;

/// Marks a file as Anteroom's (`PRAGMA application_id`): "Ante" in ASCII.
const APPLICATION_ID: i64 = 0x416e_7465;

/// The version that the steps lead to.
fn newest() -> i64 {
    (1..).zip(STEPS).last().map_or(0, |(version, _)| version)
}

/// The version of the file: 0 when it is new. Refuses one that is not Anteroom's, or that a later Anteroom has written. Changes
/// nothing.
pub(super) fn version(connection: &Connection) -> Result<i64, Trouble> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && number("application_id")? != APPLICATION_ID {
        return Err(Trouble::new("it is another program's database", "Name a file that does not exist yet"));
    }
    let (found, known) = (number("user_version")?, newest());
    if (0..=known).contains(&found) {
        return Ok(found);
    }
    let problem = format!("its schema has version {found}, and this Anteroom knows versions up to {known}");
    Err(Trouble::new(problem, "Run the Anteroom that wrote it or a later one, or restore the backup from before"))
}

/// The version that this Anteroom writes, when a file has another.
pub(super) fn is_newest(version: i64) -> bool {
    version == newest()
}

/// Applies the steps that come after the version `seen`, all or none. A file that has seen them all is not written: it may lie on a
/// full disk, and what it holds can still be read. Foreign keys must not be enforced yet: tables are built anew.
pub(super) fn migrate(connection: &mut Connection, seen: i64) -> Result<(), Trouble> {
    if seen == newest() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (_, step) in (1..).zip(STEPS).filter(|(version, _)| *version > seen) {
        transaction.execute_batch(step)?;
    }
    if (1..WITH_EVENTS).contains(&seen) {
        tell_cancellations(&transaction)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", newest())?;
    Ok(transaction.commit()?)
}

/// Adds the events of the cancellations that happened before there were events.
fn tell_cancellations(connection: &Connection) -> rusqlite::Result<()> {
    let timelines = Timelines::default();
    let mut statement = connection.prepare(&format!("{} WHERE r.cancelled_at IS NOT NULL", *rows::SELECT))?;
    let mut cancelled = statement.query([])?;
    while let Some(row) = cancelled.next()? {
        let found = match rows::read(row, connection, &timelines) {
            Ok(found) => found,
            // It stays as it is, and whoever reads it finds out.
            Err(Fault::Damaged(_)) => continue,
            Err(Fault::Sqlite(error)) => return Err(error),
        };
        let (request, Some(phase)) = (&found.request, found.request.phase(0)) else { continue };
        let event = Event {
            version: request.version,
            kind: EventKind::Cancelled,
            at: phase.at,
            status: phase.status,
            stage: phase.stage.to_owned(),
            attempt: 0,
            by: By { actor: Some(request.owner.subject.clone()), trace_id: None },
        };
        event_rows::add(connection, found.seq, request.id, &[event])?;
    }
    Ok(())
}
