//! The check of a whole file: what SQLite finds wrong with it, and every record whose checksum does not match.

use std::path::Path;

use rusqlite::{Connection, Row};

use super::checksum::{Fault, whole};
use super::timelines::Timelines;
use super::writes::key_checksum_of;
use super::{Trouble, connection, event_rows, migrate, reads, records, rows};

/// No more findings than this are told.
const FINDINGS: usize = 100;

/// Refuses a file that is not there; makes none.
pub(super) fn find(path: &Path) -> Result<(), Trouble> {
    if path.exists() {
        return Ok(());
    }
    Err(Trouble::new("there is no such file", "Check store.url, or start Anteroom, which makes it"))
}

pub(super) fn check(path: &Path) -> Result<Vec<String>, Trouble> {
    find(path)?;
    let _lock = connection::claim(path, "Stop the gateway first")?;
    let connection = connection::open_to_check(path)?;
    let version = migrate::version(&connection)?;
    if !migrate::is_newest(version) {
        let problem = format!("its schema has version {version}, which is older than this Anteroom");
        return Err(Trouble::new(problem, "Start this Anteroom once, which brings it up to date, and check it then"));
    }
    let mut findings = Findings(Vec::new());
    let checks = [structure, requests, contents, keys, authorization];
    for check in checks {
        match check(&connection, &mut findings) {
            Ok(()) => {}
            Err(error) => findings.add(format!("the file can not be read further: {error}")),
        }
    }
    Ok(findings.0)
}

struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, finding: String) {
        match self.0.len() {
            ..FINDINGS => self.0.push(finding),
            FINDINGS => self.0.push("there is more, which is not told here".into()),
            _ => {}
        }
    }

    /// Adds what a read of something came upon.
    fn judge<T>(&mut self, what: &str, read: Result<T, Fault>) -> rusqlite::Result<()> {
        match read {
            Ok(_) => Ok(()),
            Err(Fault::Damaged(name)) => {
                self.add(format!("{what} {name} is damaged"));
                Ok(())
            }
            Err(Fault::Sqlite(error)) => Err(error),
        }
    }
}

/// What SQLite says of its tables and indexes, and of rows that name others.
fn structure(connection: &Connection, findings: &mut Findings) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({FINDINGS})"))?;
    for said in statement.query_map([], |row| row.get::<_, String>(0))? {
        let said = said?;
        if said != "ok" {
            findings.add(format!("SQLite: {said}"));
        }
    }
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, number, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let row = number.map_or_else(String::new, |number| format!(" {number}"));
        findings.add(format!("row{row} of {table} names a row of {parent} that is not there"));
    }
    Ok(())
}

/// Every request with its state and the result that its view shows.
fn requests(connection: &Connection, findings: &mut Findings) -> rusqlite::Result<()> {
    let timelines = Timelines::default();
    let mut statement = connection.prepare(&format!("{} ORDER BY r.seq", *rows::SELECT))?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        findings.judge("request", rows::read(row, connection, &timelines))?;
    }
    Ok(())
}

/// What belongs to every request.
fn contents(connection: &Connection, findings: &mut Findings) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT id FROM requests ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // An id that can not be read was told with its request.
        let Some(id) = whole(row.get::<_, String>(0))?.and_then(|id| id.parse().ok()) else { continue };
        findings.judge("the payload of request", reads::payload(connection, id))?;
        findings.judge("the result of request", reads::output(connection, id))?;
        findings.judge("an event of request", event_rows::of(connection, id))?;
    }
    Ok(())
}

/// Every idempotency key.
fn keys(connection: &Connection, findings: &mut Findings) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT owner, route, key, fingerprint, seq, checksum FROM idempotency")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if whole(is_key_whole(row))? != Some(true) {
            findings.add(format!("an idempotency key of owner {} is damaged", row.get::<_, i64>(0).unwrap_or(0)));
        }
    }
    Ok(())
}

fn is_key_whole(row: &Row<'_>) -> rusqlite::Result<bool> {
    let (route, key): (String, String) = (row.get(1)?, row.get(2)?);
    let fingerprint: Vec<u8> = row.get(3)?;
    Ok(row.get::<_, u32>(5)? == key_checksum_of(row.get(0)?, &route, &key, &fingerprint, row.get(4)?))
}

/// Every record of the authorization server. Its kind alone is told: a key may be what a person is known by.
fn authorization(connection: &Connection, findings: &mut Findings) -> rusqlite::Result<()> {
    records::each(connection, |read| findings.judge("a record", read))
}
