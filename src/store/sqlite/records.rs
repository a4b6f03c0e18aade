//! The records of the authorization server in the file.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::checksum::{Checksum, Fault, whole};
use super::requests::SqliteRequests;
use crate::core::BoxFuture;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::ports::records::{Record, RecordChange, RecordKind, Records};

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// About how many bytes a record writes besides its own.
const ROW_BYTES: usize = 256;

impl Records for SqliteRequests {
    fn find<'a>(&'a self, kind: RecordKind, key: &'a str) -> Answer<'a, Option<Record>> {
        let key = key.to_owned();
        Box::pin(self.read(move |connection, _| find(connection, kind, &key)))
    }

    fn list<'a>(&'a self, kind: RecordKind, after: Option<&'a str>, limit: usize) -> Answer<'a, Vec<Record>> {
        let after = after.map(str::to_owned);
        Box::pin(self.read(move |connection, _| list(connection, kind, after.as_deref(), limit)))
    }

    fn commit(&self, changes: Vec<RecordChange>) -> Answer<'_, bool> {
        let length = |change: &RecordChange| change.key.len() + change.body.as_ref().map_or(0, |(body, _)| body.len());
        let bytes = changes.iter().map(|change| ROW_BYTES + length(change)).sum();
        Box::pin(self.write(bytes, false, move |connection| commit(connection, &changes)))
    }

    fn forget(&self, before: Timestamp, most: usize) -> Answer<'_, usize> {
        Box::pin(self.write(0, false, move |connection| {
            let sql = "DELETE FROM records WHERE (kind, key) IN \
                       (SELECT kind, key FROM records WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            Ok(connection.prepare_cached(sql)?.execute(params![before.millis(), most])?)
        }))
    }
}

fn find(connection: &Connection, kind: RecordKind, key: &str) -> Result<Option<Record>, Fault> {
    let sql = "SELECT key, version, expires_at, body, checksum FROM records WHERE kind = ?1 AND key = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([kind.name(), key])?;
    rows.next()?.map(|row| read(kind, row)).transpose()
}

fn list(connection: &Connection, kind: RecordKind, after: Option<&str>, limit: usize) -> Result<Vec<Record>, Fault> {
    let sql = "SELECT key, version, expires_at, body, checksum FROM records WHERE kind = ?1 AND key > ?2 ORDER BY key LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![kind.name(), after.unwrap_or_default(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(kind, row)?);
    }
    Ok(found)
}

/// Reads every record for `judge`, who stops at an error of SQLite's.
pub(super) fn each(
    connection: &Connection,
    mut judge: impl FnMut(Result<Record, Fault>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let sql = "SELECT key, version, expires_at, body, checksum, kind FROM records ORDER BY kind, key";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let kind = whole(row.get::<_, String>(5))?.and_then(|name| RecordKind::named(&name));
        judge(kind.map_or_else(|| Err(Fault::Damaged("of no kind that is known".into())), |kind| read(kind, row)))?;
    }
    Ok(())
}

/// Reads a record and checks that it is as it was written.
fn read(kind: RecordKind, row: &Row<'_>) -> Result<Record, Fault> {
    // A name for the one who mends it. Some keys are what a person is known by, and none says it all.
    let damaged = || Fault::Damaged(format!("of a {} of the authorization server", kind.name()));
    let (record, sum) = whole(parse(row))?.ok_or_else(damaged)?;
    if sum == checksum(kind, &record) { Ok(record) } else { Err(damaged()) }
}

fn parse(row: &Row<'_>) -> rusqlite::Result<(Record, u32)> {
    let expires_at = row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis);
    Ok((Record { key: row.get(0)?, version: row.get(1)?, body: row.get(3)?, expires_at }, row.get(4)?))
}

fn checksum(kind: RecordKind, record: &Record) -> u32 {
    let Record { key, version, body, expires_at } = record;
    Checksum::default()
        .bytes(kind.name().as_bytes())
        .bytes(key.as_bytes())
        .bytes(&version.to_le_bytes())
        .optional_number(expires_at.map(Timestamp::millis))
        .bytes(body.as_bytes())
        .finish()
}

fn commit(connection: &Connection, changes: &[RecordChange]) -> Result<bool, Fault> {
    for change in changes {
        let sql = "SELECT version FROM records WHERE kind = ?1 AND key = ?2";
        let found: Option<u32> = connection
            .prepare_cached(sql)?
            .query_row([change.kind.name(), change.key.as_str()], |row| row.get(0))
            .optional()?;
        if found != change.expected {
            return Ok(false);
        }
    }
    for RecordChange { kind, key, expected, body } in changes {
        let Some((body, expires_at)) = body else {
            let sql = "DELETE FROM records WHERE kind = ?1 AND key = ?2";
            connection.prepare_cached(sql)?.execute([kind.name(), key.as_str()])?;
            continue;
        };
        let (key, version) = (key.clone(), expected.unwrap_or(0) + 1);
        let record = Record { key, version, body: body.clone(), expires_at: *expires_at };
        let sql = "INSERT OR REPLACE INTO records (kind, key, version, expires_at, body, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let expires_at = expires_at.map(Timestamp::millis);
        connection.prepare_cached(sql)?.execute(params![
            kind.name(),
            record.key,
            version,
            expires_at,
            record.body,
            checksum(*kind, &record)
        ])?;
    }
    Ok(true)
}
