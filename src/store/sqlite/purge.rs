//! What is kept too long goes, a small batch at a time.

use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, params};

use super::acts::Writing;
use super::checksum::Fault;
use super::rows::{Found, read_by_seq};
use crate::core::clock::Timestamp;
use crate::core::ports::requests::{Purged, Retention};

/// The most payloads and results that are removed at once.
const PAYLOADS: usize = 500;
/// The most bytes of them: the pages they lay on are written again.
const BYTES: i64 = 4 << 20;
/// So many free pages stay, for the next requests.
const SPARE_PAGES: i64 = 1024;
/// So many are given back to the file system at once.
const VACUUM_PAGES: i64 = 512;

/// The payloads and results of all that has ended before this are gone.
pub(super) struct Forgotten(Mutex<i64>);

impl Forgotten {
    /// The end before which there is nothing to remove.
    pub(super) fn before(&self) -> i64 {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be told once the commit is done.
    pub(super) fn learn(&self, before: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = before;
    }
}

impl Default for Forgotten {
    fn default() -> Self {
        Self(Mutex::new(i64::MIN))
    }
}

/// One that has ended.
struct Ended {
    seq: i64,
    at: Timestamp,
    /// Of its payload and its result.
    bytes: Option<i64>,
}

impl Writing<'_> {
    /// Removes what is kept too long, at most so many requests. Takes and answers the end before which nothing has a payload any more.
    pub(super) fn purge(&self, retention: Retention, most: usize, forgotten: i64) -> Result<(Purged, i64), Fault> {
        let mut purged = Purged::default();
        let too_many = match retention.most_requests {
            Some(allowed) => count_above(self.connection, allowed)?,
            None => 0,
        };
        let mut bytes = 0;
        for (number, ended) in (0..).zip(self.ended(i64::MIN, self.now, most.saturating_add(1))?) {
            let is_old = ended.at.plus(retention.request) <= self.now;
            let goes = is_old || number < too_many || self.is_too_large(retention.most_bytes)?;
            if !goes {
                break;
            }
            if purged.requests >= most || bytes > BYTES {
                purged.more = true;
                break;
            }
            bytes += ended.bytes.unwrap_or(0);
            purged.requests += usize::from(self.remove(&ended)?);
        }
        let (payloads, rest, forgotten) = self.forget_payloads(retention, forgotten)?;
        (purged.payloads, purged.more) = (payloads, purged.more || rest);
        if !purged.more {
            give_back(self.connection)?;
        }
        Ok((purged, forgotten))
    }

    /// Those that have ended in that time, in the order of their ends.
    fn ended(&self, from: i64, until: Timestamp, most: usize) -> rusqlite::Result<Vec<Ended>> {
        let columns = "ends_at, e.id, e.seq, octet_length(p.body) + coalesce(length(s.body), 0), length(s.body)";
        let tables = "LEFT JOIN payloads AS p ON p.seq = e.seq LEFT JOIN results AS s ON s.seq = e.seq";
        let part = |table: &str, index: &str| {
            format!(
                "SELECT * FROM (SELECT e.{columns} FROM {table} AS e INDEXED BY {index} {tables} \
                 WHERE e.ends_at IS NOT NULL AND e.ends_at >= ?1 AND e.ends_at <= ?2 ORDER BY e.ends_at, e.id LIMIT ?3)"
            )
        };
        let sql = format!(
            "{} UNION ALL {} ORDER BY 1, 2 LIMIT ?3",
            part("requests", "requests_by_end"),
            part("work", "work_ends")
        );
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(&sql)?
            .query_map(params![from, until.millis(), limit], |row| {
                let bytes: Option<i64> = row.get(3)?;
                Ok(Ended { seq: row.get(2)?, at: Timestamp::from_millis(row.get(0)?), bytes: bytes.or(row.get(4)?) })
            })?
            .collect()
    }

    /// The request, when it is whole: a damaged row may name a false end, and is kept for whoever mends it.
    fn whole(&self, ended: &Ended) -> Result<Option<Found>, Fault> {
        match read_by_seq(self.connection, self.timelines, ended.seq) {
            Ok(found) => Ok(Some(found)),
            Err(Fault::Damaged(request_id)) => {
                tracing::warn!(request_id, "a damaged record is not purged");
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    fn remove(&self, ended: &Ended) -> Result<bool, Fault> {
        let Some(found) = self.whole(ended)? else { return Ok(false) };
        self.recent.withdraw(found.request.id);
        self.forget(ended.seq)?;
        for sql in [
            "DELETE FROM events WHERE seq = ?1",
            "DELETE FROM work WHERE seq = ?1",
            "DELETE FROM requests WHERE seq = ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([ended.seq])?;
        }
        Ok(true)
    }

    /// Removes payloads and results. Begins where the last time has left off, unless the clock, or what is configured, went back.
    /// Answers how many, whether there are more, and where to begin the next time.
    fn forget_payloads(&self, retention: Retention, forgotten: i64) -> Result<(usize, bool, i64), Fault> {
        let millis = i64::try_from(retention.payload.as_millis()).unwrap_or(i64::MAX);
        let until = self.now.plus_millis(millis.saturating_neg());
        let mut from = if forgotten > until.millis() { i64::MIN } else { forgotten };
        let (mut removed, mut bytes, mut is_more) = (0, 0, false);
        // Those that are met again at the time where the last batch ended, with nothing left to remove, do not count.
        let mut met = PAYLOADS;
        loop {
            let ended = self.ended(from, until, met)?;
            let is_all = ended.len() < met;
            for ended in &ended {
                let Some(length) = ended.bytes else { continue };
                if removed >= PAYLOADS || bytes > BYTES {
                    is_more = true;
                    break;
                }
                let Some(found) = self.whole(ended)? else { continue };
                self.recent.withdraw(found.request.id);
                self.forget_content(ended.seq)?;
                bytes += length;
                removed += 1;
            }
            let last = ended.last().map_or(i64::MIN, |ended| ended.at.millis());
            if is_more || is_all {
                return Ok((removed, is_more, if is_more { from } else { until.millis() }));
            }
            (from, met) = if last > from { (last, PAYLOADS) } else { (from, met.saturating_mul(2)) };
        }
    }

    /// Whether the file, without its free pages, is larger than it may be.
    fn is_too_large(&self, allowed: Option<u64>) -> rusqlite::Result<bool> {
        let Some(allowed) = allowed else { return Ok(false) };
        let used = pragma(self.connection, "page_count")? - pragma(self.connection, "freelist_count")?;
        let bytes = used.saturating_mul(pragma(self.connection, "page_size")?);
        Ok(u64::try_from(bytes).unwrap_or(0) > allowed)
    }
}

/// How many requests there are more than allowed. Counting them all takes long: it is left out when no number is that high.
fn count_above(connection: &Connection, allowed: u64) -> rusqlite::Result<u64> {
    let one = |sql: &str| {
        let number: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok::<_, rusqlite::Error>(u64::try_from(number).unwrap_or(0))
    };
    if one("SELECT coalesce(max(seq), 0) FROM requests")? <= allowed {
        return Ok(0);
    }
    Ok(one("SELECT count(*) FROM requests")?.saturating_sub(allowed))
}

/// Gives free pages back to the file system, a few at a time, when there are many.
fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    if pragma(connection, "freelist_count")? <= SPARE_PAGES {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(&format!("PRAGMA {name}"))?.query_row([], |row| row.get(0))
}
