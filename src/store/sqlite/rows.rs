//! How a request lies in its row: written with a checksum, read back only when it matches.
//!
//! The checksum of a request covers the row and what the row names, the owner and the timeline; whatever of these is damaged, the
//! request is not shown as something that it never was.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crc32fast::Hasher;
use rusqlite::types::Type;
use rusqlite::{Connection, ErrorCode, MAIN_DB, Row};

use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::request::{Owner, Request};
use crate::core::timeline::Timeline;

/// Why a statement did not give what it should.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// The record of that name is not as it was written.
    Damaged(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            // A part of the file that belongs to no record in particular.
            Fault::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                Self::Damaged(format!("unknown ({error})"))
            }
            Fault::Sqlite(error) => Self::Failed(error.into()),
            Fault::Damaged(name) => Self::Damaged(name),
        }
    }
}

/// A checksum over fields: each with its length, so that no two lists of fields are the same bytes.
#[derive(Default)]
pub(super) struct Checksum(Hasher);

impl Checksum {
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&bytes.len().to_le_bytes());
        self.0.update(bytes);
        self
    }

    pub(super) fn number(self, number: i64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Nothing is a field of no bytes, which no number is; for a text, absence is kept apart from emptiness.
    fn optional(self, bytes: Option<&[u8]>) -> Self {
        self.bytes(if bytes.is_some() { b"some" } else { b"" }).bytes(bytes.unwrap_or_default())
    }

    pub(super) fn finish(self) -> u32 {
        self.0.finalize()
    }
}

/// The checksum of a row of `requests`, given the one of its timeline's definition.
pub(super) fn checksum(request: &Request, definition: u32) -> u32 {
    let Request { id, owner, kind, timeline: _, submitted_at, cancelled_at, alias, tags } = request;
    let mut sum = Checksum::default()
        .bytes(id.to_string().as_bytes())
        .bytes(owner.issuer.as_bytes())
        .bytes(owner.subject.as_bytes())
        .bytes(kind.as_bytes())
        .number(definition.into())
        .number(submitted_at.millis())
        .number(finished_at(request).millis())
        .optional(cancelled_at.map(|at| at.millis().to_le_bytes()).as_ref().map(<[u8; 8]>::as_slice))
        .optional(alias.as_ref().map(String::as_bytes));
    for (name, value) in tags {
        sum = sum.bytes(name.as_bytes()).bytes(value.as_bytes());
    }
    sum.finish()
}

/// The checksum of a text: a payload, a definition.
pub(super) fn checksum_of(text: &str) -> u32 {
    Checksum::default().bytes(text.as_bytes()).finish()
}

/// When the request reaches its end, by its timeline or by cancellation.
pub(super) fn finished_at(request: &Request) -> Timestamp {
    request.cancelled_at.unwrap_or_else(|| request.timeline.finishes(request.submitted_at))
}

/// A timeline as stored, with the checksum of its definition.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) timeline: Arc<Timeline>,
    pub(super) checksum: u32,
}

/// The timelines that are known to be committed, by their number; read from the file once.
pub(super) struct Timelines(RwLock<HashMap<i64, Stored>>);

impl Timelines {
    /// Those that a reading connection sees. A damaged one is found out by the requests that name it.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let known = Self(RwLock::default());
        for number in Self::numbers(connection)? {
            known.get(connection, number)?;
        }
        Ok(known)
    }

    /// The numbers of all that this connection sees.
    pub(super) fn numbers(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
        connection.prepare_cached("SELECT timeline FROM timelines")?.query_map([], |row| row.get(0))?.collect()
    }

    /// The timeline of that number, as this connection sees it. `None` when it is damaged.
    pub(super) fn get(&self, connection: &Connection, number: i64) -> rusqlite::Result<Option<Stored>> {
        if let Some(stored) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&number) {
            return Ok(Some(stored.clone()));
        }
        let stored = read_timeline(connection, number)?;
        // What the writer sees may yet be undone, and the number given to another timeline.
        if let Some(stored) = &stored
            && connection.is_readonly(MAIN_DB)?
        {
            self.0.write().unwrap_or_else(PoisonError::into_inner).insert(number, stored.clone());
        }
        Ok(stored)
    }
}

fn read_timeline(connection: &Connection, number: i64) -> rusqlite::Result<Option<Stored>> {
    let mut statement = connection.prepare_cached("SELECT definition FROM timelines WHERE timeline = ?1")?;
    let Some(definition) = whole(statement.query_one([number], |row| row.get::<_, String>(0)))? else {
        return Ok(None);
    };
    let timeline = serde_json::from_str::<Timeline>(&definition).ok();
    Ok(timeline.map(|timeline| Stored { timeline: Arc::new(timeline), checksum: checksum_of(&definition) }))
}

/// `None` for a value that is not there, or not of the type that it was written with.
fn whole<T>(read: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows, Utf8Error,
    };
    match read {
        Ok(value) => Ok(Some(value)),
        Err(
            FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | QueryReturnedNoRows
            | Utf8Error(..),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What [`read`] needs, in its order, from `requests AS r JOIN owners AS o`.
pub(super) const SELECT: &str = "SELECT r.id, r.kind, r.timeline, r.submitted_at, r.cancelled_at, r.alias, r.tags, \
     o.issuer, o.subject, r.finished_at, r.checksum FROM requests AS r JOIN owners AS o ON o.owner = r.owner";

/// Reads a request and checks that it is as it was written.
pub(super) fn read(row: &Row<'_>, connection: &Connection, timelines: &Timelines) -> Result<Request, Fault> {
    // A name for the one who mends it, whatever is left of it.
    let damaged = || Fault::Damaged(row.get(0).unwrap_or_else(|_| "without a readable id".into()));
    let number = whole(row.get(2))?.ok_or_else(damaged)?;
    let stored = timelines.get(connection, number)?.ok_or_else(damaged)?;
    let request = whole(parse(row, stored.timeline))?.ok_or_else(damaged)?;
    let (finished, sum): (i64, u32) = whole((|| Ok((row.get(9)?, row.get(10)?)))())?.ok_or_else(damaged)?;
    let matches = finished == finished_at(&request).millis() && sum == checksum(&request, stored.checksum);
    if matches { Ok(request) } else { Err(damaged()) }
}

fn parse(row: &Row<'_>, timeline: Arc<Timeline>) -> rusqlite::Result<Request> {
    let id: String = row.get(0)?;
    let tags: String = row.get(6)?;
    Ok(Request {
        id: id.parse().map_err(|()| rusqlite::Error::InvalidColumnType(0, "id".into(), Type::Text))?,
        owner: Owner { issuer: row.get(7)?, subject: row.get(8)? },
        kind: row.get(1)?,
        timeline,
        submitted_at: Timestamp::from_millis(row.get(3)?),
        cancelled_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
        alias: row.get(5)?,
        tags: serde_json::from_str(&tags)
            .map_err(|_| rusqlite::Error::InvalidColumnType(6, "tags".into(), Type::Text))?,
    })
}

/// The request in the row of that number, which another row names.
pub(super) fn read_by_seq(connection: &Connection, timelines: &Timelines, seq: i64) -> Result<Request, Fault> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE r.seq = ?1"))?;
    let mut rows = statement.query([seq])?;
    match rows.next()? {
        Some(row) => read(row, connection, timelines),
        None => Err(Fault::Damaged(format!("number {seq}"))),
    }
}
