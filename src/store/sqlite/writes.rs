//! The two changes that a client makes, submit and cancel, as the writer carries them out.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::reads::find;
use super::rows::{Checksum, Fault, Timelines, checksum, checksum_of, finished_at, read_by_seq};
use crate::core::clock::{Clock, Timestamp};
use crate::core::error::StoreError;
use crate::core::ports::requests::{Cancellation, Idempotency, NewRequest, Submission};
use crate::core::request::{Owner, Request, RequestId};

/// A request ready to be stored: whatever can be worked out before its turn comes is worked out.
pub(super) struct NewRow {
    request: Arc<Request>,
    definition: String,
    tags: String,
    checksum: u32,
    payload: String,
    payload_checksum: u32,
    idempotency: Option<Idempotency>,
}

impl NewRow {
    pub(super) fn prepare(new: NewRequest) -> Result<Self, StoreError> {
        let NewRequest { request, payload, idempotency } = new;
        let unwritable = |error: serde_json::Error| StoreError::Failed(error.into());
        let definition = serde_json::to_string(&*request.timeline).map_err(unwritable)?;
        Ok(Self {
            checksum: checksum(&request, checksum_of(&definition)),
            tags: serde_json::to_string(&request.tags).map_err(unwritable)?,
            payload_checksum: checksum_of(&payload),
            request: Arc::new(request),
            definition,
            payload,
            idempotency,
        })
    }

    /// About how many bytes it writes.
    pub(super) fn bytes(&self) -> usize {
        self.payload.len() + self.tags.len()
    }

    /// Stores it, unless its key or its alias came before: the key is looked at first.
    pub(super) fn store(self, connection: &Connection, timelines: &Timelines) -> Result<Submission, Fault> {
        let owner = owner_number(connection, &self.request.owner)?;
        if let Some(key) = &self.idempotency
            && let Some(earlier) = by_key(connection, timelines, owner, key)?
        {
            return Ok(earlier);
        }
        if let Some(alias) = &self.request.alias
            && let Some(earlier) = by_alias(connection, timelines, owner, alias)?
        {
            return Ok(Submission::Replayed(Arc::new(earlier)));
        }
        let seq = self.insert(connection, owner)?;
        if let Some(key) = &self.idempotency {
            connection
                .prepare_cached(
                    "INSERT INTO idempotency (owner, route, key, fingerprint, seq, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![owner, key.route, key.key, key.fingerprint, seq, key_checksum(owner, key, seq)])?;
        }
        Ok(Submission::Accepted(self.request))
    }

    fn insert(&self, connection: &Connection, owner: i64) -> Result<i64, Fault> {
        let request = &*self.request;
        let timeline = timeline_number(connection, &self.definition)?;
        connection
            .prepare_cached(
                "INSERT INTO requests (id, owner, kind, timeline, submitted_at, finished_at, cancelled_at, alias, tags, checksum) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                request.id.to_string(),
                owner,
                request.kind,
                timeline,
                request.submitted_at.millis(),
                finished_at(request).millis(),
                request.cancelled_at.map(Timestamp::millis),
                request.alias,
                self.tags,
                self.checksum,
            ])?;
        let seq = connection.last_insert_rowid();
        connection
            .prepare_cached("INSERT INTO payloads (seq, body, checksum) VALUES (?1, ?2, ?3)")?
            .execute(params![seq, self.payload, self.payload_checksum])?;
        Ok(seq)
    }
}

fn owner_number(connection: &Connection, owner: &Owner) -> rusqlite::Result<i64> {
    let fields = [&owner.issuer, &owner.subject];
    let known = connection
        .prepare_cached("SELECT owner FROM owners WHERE issuer = ?1 AND subject = ?2")?
        .query_row(fields, |row| row.get(0))
        .optional()?;
    if let Some(number) = known {
        return Ok(number);
    }
    connection.prepare_cached("INSERT INTO owners (issuer, subject) VALUES (?1, ?2)")?.execute(fields)?;
    Ok(connection.last_insert_rowid())
}

fn timeline_number(connection: &Connection, definition: &str) -> rusqlite::Result<i64> {
    let known = connection
        .prepare_cached("SELECT timeline FROM timelines WHERE definition = ?1")?
        .query_row([definition], |row| row.get(0))
        .optional()?;
    if let Some(number) = known {
        return Ok(number);
    }
    connection.prepare_cached("INSERT INTO timelines (definition) VALUES (?1)")?.execute([definition])?;
    Ok(connection.last_insert_rowid())
}

/// What became of the submission with this key, when there was one.
fn by_key(
    connection: &Connection,
    timelines: &Timelines,
    owner: i64,
    key: &Idempotency,
) -> Result<Option<Submission>, Fault> {
    let found = connection
        .prepare_cached(
            "SELECT fingerprint, seq, checksum FROM idempotency WHERE owner = ?1 AND route = ?2 AND key = ?3",
        )?
        .query_row(params![owner, key.route, key.key], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, u32>(2)?)))
        .optional()?;
    let Some((fingerprint, seq, sum)) = found else { return Ok(None) };
    let request = read_by_seq(connection, timelines, seq)?;
    let first = Idempotency { fingerprint, ..key.clone() };
    if sum != key_checksum(owner, &first, seq) {
        return Err(Fault::Damaged(request.id.to_string()));
    }
    let same = fingerprint == key.fingerprint;
    Ok(Some(if same { Submission::Replayed(Arc::new(request)) } else { Submission::KeyReused }))
}

fn key_checksum(owner: i64, key: &Idempotency, seq: i64) -> u32 {
    let Idempotency { route, key, fingerprint } = key;
    Checksum::default()
        .number(owner)
        .bytes(route.as_bytes())
        .bytes(key.as_bytes())
        .bytes(fingerprint)
        .number(seq)
        .finish()
}

fn by_alias(connection: &Connection, timelines: &Timelines, owner: i64, alias: &str) -> Result<Option<Request>, Fault> {
    let seq = connection
        .prepare_cached("SELECT seq FROM requests WHERE owner = ?1 AND alias = ?2")?
        .query_row(params![owner, alias], |row| row.get(0))
        .optional()?;
    seq.map(|seq| read_by_seq(connection, timelines, seq)).transpose()
}

/// Cancels the request, when the clock says that it has not reached its end.
pub(super) fn cancel(
    connection: &Connection,
    timelines: &Timelines,
    owner: &Owner,
    id: RequestId,
    clock: &dyn Clock,
) -> Result<Option<Cancellation>, Fault> {
    let Some(request) = find(connection, timelines, owner, id)? else { return Ok(None) };
    let Some(cancelled) = request.cancelled(clock.now()) else {
        return Ok(Some(Cancellation::TooLate(request)));
    };
    // The definition as it is stored: a later Anteroom may write the same timeline differently.
    let number = connection
        .prepare_cached("SELECT timeline FROM requests WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))?;
    let stored = timelines.get(connection, number)?.ok_or_else(|| Fault::Damaged(id.to_string()))?;
    connection
        .prepare_cached("UPDATE requests SET cancelled_at = ?1, finished_at = ?2, checksum = ?3 WHERE id = ?4")?
        .execute(params![
            cancelled.cancelled_at.map(Timestamp::millis),
            finished_at(&cancelled).millis(),
            checksum(&cancelled, stored.checksum),
            id.to_string(),
        ])?;
    Ok(Some(Cancellation::Cancelled(Arc::new(cancelled))))
}
