//! Submission, as the writer carries it out.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::Known;
use super::checksum::{Checksum, Fault};
use super::job::Work;
use super::rows::{cancelled_at, checksum, ends_at, read_by_seq, skipped, version};
use super::timelines::Definition;
use super::webhooks::Listened;
use super::{event_rows, webhooks, work_rows};
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::ports::requests::{Idempotency, NewRequest, Submission};
use crate::core::request::{By, Request};

/// About how many bytes a request takes besides its payload, with its entries in the indexes.
const ROW_BYTES: usize = 1024;

/// What each row of a batch goes through, looked up once.
struct Inserts<'a> {
    request: CachedStatement<'a>,
    payload: CachedStatement<'a>,
}

impl<'a> Inserts<'a> {
    fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            request: connection.prepare_cached(
                "INSERT INTO requests (id, owner, kind, timeline, submitted_at, ends_at, cancelled_at, alias, tags, trace_id, \
                 not_before, deadline, skipped, version_write, version_step, erased_at, checksum) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
            )?,
            payload: connection
                .prepare_cached("INSERT INTO payloads (seq, body, checksum, bound) VALUES (?1, ?2, ?3, 1)")?,
        })
    }
}

/// A request ready to be stored: whatever can be worked out before its turn comes is worked out.
pub(super) struct NewRow {
    request: Arc<Request>,
    id: String,
    /// None: workers work on it.
    definition: Option<Arc<Definition>>,
    ends_at: Option<i64>,
    tags: String,
    checksum: u32,
    payload: String,
    payload_checksum: u32,
    idempotency: Option<Idempotency>,
    by: By,
}

/// Requests that are stored together, or none of them.
pub(super) struct Rows {
    pub(super) rows: Vec<NewRow>,
    pub(super) known: Arc<Known>,
}

impl Work<Vec<(Submission, Learnt)>> for Rows {
    /// Nothing of it is known outside the file before the commit.
    const REPEATS: bool = true;

    fn carry_out(&mut self, connection: &Connection) -> Option<Result<Vec<(Submission, Learnt)>, Fault>> {
        let mut inserts = match Inserts::prepare(connection) {
            Ok(inserts) => inserts,
            Err(error) => return Some(Err(error.into())),
        };
        Some(self.rows.iter().map(|row| row.store(connection, &mut inserts, &self.known)).collect())
    }
}

/// What is learnt from a submission once it is committed.
pub(super) struct Learnt {
    owner: i64,
    timeline: Option<(Arc<Definition>, i64)>,
}

impl Learnt {
    /// Remembers it.
    pub(super) fn keep(self, request: &Request, known: &Known) {
        known.owners.learn(&request.owner, self.owner);
        if let Some((definition, number)) = self.timeline {
            definition.learn(number);
        }
    }
}

impl NewRow {
    pub(super) fn prepare(new: NewRequest, known: &Known) -> Result<Self, StoreError> {
        let NewRequest { request, payload, idempotency, by } = new;
        let unwritable = |error: serde_json::Error| StoreError::Failed(error.into());
        let timeline = request.simulation().map(|simulation| &simulation.timeline);
        let definition =
            timeline.map(|timeline| known.timelines.definition(timeline)).transpose().map_err(unwritable)?;
        let ends_at = ends_at(&request);
        let sum = definition.as_ref().map(|definition| definition.checksum);
        let id = request.id.to_string();
        Ok(Self {
            checksum: checksum(&request, sum, ends_at),
            tags: serde_json::to_string(&request.tags).map_err(unwritable)?,
            payload_checksum: payload_checksum(&id, &payload),
            request: Arc::new(request),
            id,
            definition,
            ends_at,
            payload,
            idempotency,
            by,
        })
    }

    /// About how many bytes it writes.
    pub(super) fn bytes(&self) -> usize {
        ROW_BYTES + self.payload.len() + self.tags.len()
    }

    /// Stores it, unless its key or its alias came before: the key is looked at first.
    fn store(
        &self,
        connection: &Connection,
        inserts: &mut Inserts<'_>,
        known: &Known,
    ) -> Result<(Submission, Learnt), Fault> {
        let owner = known.owners.number(connection, &self.request.owner)?;
        let learnt = |timeline| Learnt { owner, timeline };
        if let Some(key) = &self.idempotency
            && let Some(earlier) = by_key(connection, known, owner, key)?
        {
            return Ok((earlier, learnt(None)));
        }
        if let Some(alias) = &self.request.alias
            && let Some(earlier) = by_alias(connection, known, owner, alias)?
        {
            return Ok((Submission::Replayed(Arc::new(earlier)), learnt(None)));
        }
        let timeline = match &self.definition {
            Some(definition) => Some(definition.number(connection)?),
            None => None,
        };
        let seq = self.insert(connection, inserts, &known.listened, owner, timeline)?;
        if let Some(key) = &self.idempotency {
            connection
                .prepare_cached(
                    "INSERT INTO idempotency (owner, route, key, fingerprint, seq, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![owner, key.route, key.key, key.fingerprint, seq, key_checksum(owner, key, seq)])?;
        }
        let timeline = self.definition.clone().zip(timeline);
        Ok((Submission::Accepted(Arc::clone(&self.request)), learnt(timeline)))
    }

    fn insert(
        &self,
        connection: &Connection,
        inserts: &mut Inserts<'_>,
        listened: &Listened,
        owner: i64,
        timeline: Option<i64>,
    ) -> Result<i64, Fault> {
        let request = &*self.request;
        let (millis, version) = (|at: Option<Timestamp>| at.map(Timestamp::millis), version(request));
        inserts.request.execute(params![
            self.id,
            owner,
            request.kind,
            timeline,
            request.submitted_at.millis(),
            self.ends_at,
            cancelled_at(request),
            request.alias,
            self.tags,
            request.trace_id,
            millis(request.not_before),
            millis(request.deadline),
            skipped(request),
            version.write,
            version.step,
            millis(request.erased_at),
            self.checksum,
        ])?;
        let seq = connection.last_insert_rowid();
        inserts.payload.execute(params![seq, self.payload, self.payload_checksum])?;
        if let Some(work) = request.work() {
            let values = work_rows::values(request, work, owner).map_err(unwritable)?;
            work_rows::write(connection, work_rows::INSERT, seq, values)?;
            event_rows::add(connection, seq, request.id, &[request.submitted_event(&self.by)])?;
        }
        webhooks::submitted(connection, listened, owner, request)?;
        Ok(seq)
    }
}

/// What can not be written as JSON. Nothing of the sort is ever stored.
pub(super) fn unwritable(error: serde_json::Error) -> Fault {
    Fault::Sqlite(rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// The checksum of the payload of the request of that id.
pub(super) fn payload_checksum(id: &str, payload: &str) -> u32 {
    Checksum::default().bytes(id.as_bytes()).bytes(payload.as_bytes()).finish()
}

/// What became of the submission with this key, when there was one.
fn by_key(connection: &Connection, known: &Known, owner: i64, key: &Idempotency) -> Result<Option<Submission>, Fault> {
    let found = connection
        .prepare_cached(
            "SELECT fingerprint, seq, checksum FROM idempotency WHERE owner = ?1 AND route = ?2 AND key = ?3",
        )?
        .query_row(params![owner, key.route, key.key], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, u32>(2)?)))
        .optional()?;
    let Some((fingerprint, seq, sum)) = found else { return Ok(None) };
    let request = read_by_seq(connection, &known.timelines, seq)?.request;
    let first = Idempotency { fingerprint, ..key.clone() };
    if sum != key_checksum(owner, &first, seq) {
        return Err(Fault::Damaged(request.id.to_string()));
    }
    let same = fingerprint == key.fingerprint;
    Ok(Some(if same { Submission::Replayed(Arc::new(request)) } else { Submission::KeyReused }))
}

/// The checksum of the row of a key.
pub(super) fn key_checksum(owner: i64, key: &Idempotency, seq: i64) -> u32 {
    let Idempotency { route, key, fingerprint } = key;
    key_checksum_of(owner, route, key, fingerprint, seq)
}

/// The same, from its columns.
pub(super) fn key_checksum_of(owner: i64, route: &str, key: &str, fingerprint: &[u8], seq: i64) -> u32 {
    Checksum::default()
        .number(owner)
        .bytes(route.as_bytes())
        .bytes(key.as_bytes())
        .bytes(fingerprint)
        .number(seq)
        .finish()
}

fn by_alias(connection: &Connection, known: &Known, owner: i64, alias: &str) -> Result<Option<Request>, Fault> {
    let seq = connection
        .prepare_cached("SELECT seq FROM requests WHERE owner = ?1 AND alias = ?2")?
        .query_row(params![owner, alias], |row| row.get(0))
        .optional()?;
    seq.map(|seq| Ok(read_by_seq(connection, &known.timelines, seq)?.request)).transpose()
}
