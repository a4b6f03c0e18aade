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
/// So many requests are looked at for that in one commit.
const LOOKED_AT: usize = 1000;
/// The most bytes of them: the pages they lay on are written again.
const BYTES: i64 = 4 << 20;
/// So many free pages stay, for the next requests.
const SPARE_PAGES: i64 = 1024;
/// So many are given back to the file system at once.
const VACUUM_PAGES: i64 = 512;

/// A place among those that have ended: when, and the number of the row, since many may end at one time.
pub(super) type Place = (i64, i64);

/// Before all that have ended.
const BEGINNING: Place = (i64::MIN, i64::MIN);

/// The payloads and results of all that has ended up to this place are gone.
pub(super) struct Forgotten(Mutex<Place>);

impl Forgotten {
    /// The place up to which there is nothing to remove.
    pub(super) fn up_to(&self) -> Place {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be told once the commit is done.
    pub(super) fn learn(&self, up_to: Place) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = up_to;
    }
}

impl Default for Forgotten {
    fn default() -> Self {
        Self(Mutex::new(BEGINNING))
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
    /// Removes what is kept too long, at most so many requests. Takes and answers the place up to which nothing has a payload any more.
    pub(super) fn purge(&self, retention: Retention, most: usize, forgotten: Place) -> Result<(Purged, Place), Fault> {
        let mut purged = Purged::default();
        let too_many = match retention.most_requests {
            Some(allowed) => count_above(self.connection, allowed)?,
            None => 0,
        };
        let mut bytes = 0;
        for (number, ended) in (0..).zip(self.ended(BEGINNING, self.now, most.saturating_add(1))?) {
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

    /// Those that have ended after that place until then, in the order of their ends.
    fn ended(&self, after: Place, until: Timestamp, most: usize) -> rusqlite::Result<Vec<Ended>> {
        let columns = "ends_at, e.seq, octet_length(p.body) + coalesce(length(s.body), 0), length(s.body)";
        let tables = "LEFT JOIN payloads AS p ON p.seq = e.seq LEFT JOIN results AS s ON s.seq = e.seq";
        let part = |table: &str, index: &str| {
            format!(
                "SELECT * FROM (SELECT e.{columns} FROM {table} AS e INDEXED BY {index} {tables} \
                 WHERE e.ends_at IS NOT NULL AND e.ends_at >= ?1 AND e.ends_at <= ?2 AND (e.ends_at > ?1 OR e.seq > ?4) \
                 ORDER BY e.ends_at, e.seq LIMIT ?3)"
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
            .query_map(params![after.0, until.millis(), limit, after.1], |row| {
                let bytes: Option<i64> = row.get(2)?;
                Ok(Ended { seq: row.get(1)?, at: Timestamp::from_millis(row.get(0)?), bytes: bytes.or(row.get(3)?) })
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
    /// Answers how many, whether there may be more, and where to begin the next time.
    fn forget_payloads(&self, retention: Retention, forgotten: Place) -> Result<(usize, bool, Place), Fault> {
        let millis = i64::try_from(retention.payload.as_millis()).unwrap_or(i64::MAX);
        let until = self.now.plus_millis(millis.saturating_neg());
        let mut place = if forgotten.0 > until.millis() { BEGINNING } else { forgotten };
        let (mut removed, mut bytes) = (0, 0);
        let ended = self.ended(place, until, LOOKED_AT)?;
        for ended in &ended {
            if let Some(length) = ended.bytes {
                if removed >= PAYLOADS || bytes > BYTES {
                    return Ok((removed, true, place));
                }
                if let Some(found) = self.whole(ended)? {
                    self.recent.withdraw(found.request.id);
                    self.forget_content(ended.seq)?;
                    bytes += length;
                    removed += 1;
                }
            }
            place = (ended.at.millis(), ended.seq);
        }
        let is_more = ended.len() == LOOKED_AT;
        Ok((removed, is_more, if is_more { place } else { (until.millis(), i64::MIN) }))
    }

    /// Whether the file, without its free pages, is larger than it may be.
    fn is_too_large(&self, allowed: Option<u64>) -> rusqlite::Result<bool> {
        let Some(allowed) = allowed else { return Ok(false) };
        let used = pragma(self.connection, "page_count")? - pragma(self.connection, "freelist_count")?;
        let bytes = used.saturating_mul(pragma(self.connection, "page_size")?);
        Ok(u64::try_from(bytes).unwrap_or(0) > allowed)
    }
}

/// How many requests there are more than allowed. Counting them all takes long: it is left out when their numbers do not reach that
/// far, and those that go first have the lowest.
fn count_above(connection: &Connection, allowed: u64) -> rusqlite::Result<u64> {
    let one = |sql: &str| {
        let number: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok::<_, rusqlite::Error>(u64::try_from(number).unwrap_or(0))
    };
    let span = "SELECT coalesce((SELECT max(seq) FROM requests) - (SELECT min(seq) FROM requests) + 1, 0)";
    if one(span)? <= allowed {
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
