//! Acts, as the writer carries them out: read the rows, ask the pure function, write what it says.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::checksum::Fault;
use super::recent::{Generation, Recent};
use super::rows::{self, Found};
use super::timelines::Timelines;
use super::webhooks::{self, Listened};
use super::writes::unwritable;
use super::{event_rows, reads, work_rows};
use crate::core::clock::Timestamp;
use crate::core::ports::requests::{Order, Outcome};
use crate::core::request::{Act, By, Output, Request};

/// The writer at work, at one moment.
pub(super) struct Writing<'a> {
    pub(super) connection: &'a Connection,
    pub(super) timelines: &'a Timelines,
    pub(super) listened: &'a Listened,
    pub(super) recent: &'a Recent,
    pub(super) now: Timestamp,
}

/// A request as it stands after the commit, with what allows to keep it in memory then.
pub(super) type Changed = (Arc<Request>, Generation);

impl Writing<'_> {
    /// Carries out an order. `None` when there is no such request, or only its tombstone.
    pub(super) fn carry_out(&self, order: &Order) -> Result<Option<(Outcome, Generation)>, Fault> {
        let Some(found) = reads::found(self.connection, self.timelines, order.target.id)? else { return Ok(None) };
        let is_theirs = order.target.owner.as_ref().is_none_or(|owner| found.request.owner == *owner);
        if !is_theirs || found.request.erased_at.is_some() {
            return Ok(None);
        }
        self.act(found, &order.act, &order.by).map(Some)
    }

    /// Carries out an act on a request that was found.
    pub(super) fn act(&self, found: Found, act: &Act, by: &By) -> Result<(Outcome, Generation), Fault> {
        let generation = self.recent.withdraw(found.request.id);
        let acted = if matches!(act, Act::Redrive) && !self.has_payload(found.seq)? {
            found.request.act_without_payload(by, self.now)
        } else {
            found.request.act(act, by, self.now)
        };
        event_rows::add(self.connection, found.seq, found.request.id, &acted.events)?;
        let Some(written) = acted.written else {
            return Ok((Outcome { request: Arc::new(found.request), refused: acted.refused }, generation));
        };
        self.write(&found, &written)?;
        let change = (&found.request, &written);
        webhooks::acted(self.connection, self.listened, found.owner, change, &acted.events, self.now)?;
        match act {
            Act::Complete { output, .. } if acted.refused.is_none() => self.keep_output(&found, output)?,
            Act::Erase if acted.refused.is_none() => self.forget(found.seq)?,
            _ => {}
        }
        Ok((Outcome { request: Arc::new(written), refused: acted.refused }, generation))
    }

    fn write(&self, found: &Found, written: &Request) -> Result<(), Fault> {
        let before = &found.request;
        if let Some(work) = written.work() {
            let values = work_rows::values(written, work, found.owner).map_err(unwritable)?;
            work_rows::write(self.connection, work_rows::UPDATE, found.seq, values)?;
            let is_same = (&before.alias, &before.tags, before.deadline, before.erased_at)
                == (&written.alias, &written.tags, written.deadline, written.erased_at);
            if is_same {
                return Ok(());
            }
        }
        let (ends_at, version) = (rows::ends_at(written), rows::version(written));
        self.connection
            .prepare_cached(
                "UPDATE requests SET ends_at = ?2, cancelled_at = ?3, alias = ?4, tags = ?5, deadline = ?6, skipped = ?7, \
                 version_write = ?8, version_step = ?9, erased_at = ?10, checksum = ?11 WHERE seq = ?1",
            )?
            .execute(params![
                found.seq,
                ends_at,
                rows::cancelled_at(written),
                written.alias,
                serde_json::to_string(&written.tags).map_err(unwritable)?,
                written.deadline.map(Timestamp::millis),
                rows::skipped(written),
                version.write,
                version.step,
                written.erased_at.map(Timestamp::millis),
                rows::checksum(written, found.definition, ends_at),
            ])?;
        Ok(())
    }

    fn has_payload(&self, seq: i64) -> rusqlite::Result<bool> {
        self.connection.prepare_cached("SELECT 1 FROM payloads WHERE seq = ?1")?.exists([seq])
    }

    fn keep_output(&self, found: &Found, output: &Output) -> rusqlite::Result<()> {
        let sum = rows::output_checksum(&found.request.id.to_string(), output);
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO results (seq, content_type, body, checksum) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![found.seq, output.content_type, output.body, sum])
            .map(drop)
    }

    /// Removes the payload, the result and the key of a request.
    pub(super) fn forget(&self, seq: i64) -> rusqlite::Result<()> {
        self.forget_content(seq)?;
        self.connection.prepare_cached("DELETE FROM idempotency WHERE seq = ?1")?.execute([seq]).map(drop)
    }

    /// Removes the payload and the result of a request.
    pub(super) fn forget_content(&self, seq: i64) -> rusqlite::Result<()> {
        for sql in ["DELETE FROM payloads WHERE seq = ?1", "DELETE FROM results WHERE seq = ?1"] {
            self.connection.prepare_cached(sql)?.execute([seq])?;
        }
        Ok(())
    }
}
