//! What the store does for workers: leases in turn among the owners, the ends that time has brought about, and backlogs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::acts::{Changed, Writing};
use super::checksum::Fault;
use super::reads;
use super::rows::read_by_seq;
use crate::core::clock::Timestamp;
use crate::core::ports::requests::{Backlog, Claim, Claimed};
use crate::core::request::{Act, By, Request, Status};

/// So many that have expired, or are damaged, are passed over for one lease at most: whoever gets nothing for that looks again, and the
/// others' turn comes between.
const PASSED_OVER: usize = 256;

/// Whose request of a type was leased last: the next one is another's. Kept in memory, since nothing but an order hangs on it.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<String, i64>>);

impl Turns {
    fn last(&self, kind: &str) -> i64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(kind).copied().unwrap_or(i64::MIN)
    }

    fn served(&self, kind: &str, owner: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(kind.to_owned(), owner);
    }
}

impl Writing<'_> {
    /// One of each type in turn, until there is nothing more.
    pub(super) fn claim(&self, claim: &Claim, turns: &Turns) -> Result<(Claimed, Vec<Changed>), Fault> {
        let (mut claimed, mut changed) = (Claimed::default(), Vec::new());
        let mut kinds: Vec<_> = claim.kinds.iter().collect();
        let mut is_cut_short = false;
        while claimed.leased.len() < claim.most && !kinds.is_empty() {
            let mut left = Vec::with_capacity(kinds.len());
            for (kind, run) in kinds {
                if claimed.leased.len() < claim.most
                    && let Some((lease, payload)) = self.lease_next(claim, (kind, *run), turns, &mut is_cut_short)?
                {
                    claimed.leased.push((Arc::clone(&lease.0), payload));
                    changed.push(lease);
                    left.push((kind, run));
                }
            }
            kinds = claim.kinds.iter().filter(|kind| left.iter().any(|(name, _)| **name == kind.0)).collect();
        }
        for (kind, _) in &claim.kinds {
            let next = if is_cut_short { Some(self.now) } else { self.next_ready_at(kind)? };
            claimed.next_ready_at = claimed.next_ready_at.into_iter().chain(next).min();
        }
        Ok((claimed, changed))
    }

    /// Leases the one that is ready longest, of the owner whose turn it is. What has expired meanwhile is written down and passed over.
    fn lease_next(
        &self,
        claim: &Claim,
        (kind, run): (&str, Duration),
        turns: &Turns,
        is_cut_short: &mut bool,
    ) -> Result<Option<(Changed, String)>, Fault> {
        let mut met = None;
        for _ in 0..PASSED_OVER {
            let Some((owner, seq)) = self.candidate(kind, turns.last(kind))? else { return Ok(None) };
            if met.replace(seq) == Some(seq) {
                tracing::error!(seq, "a request that is said to be ready can not be leased");
                return Ok(None);
            }
            let act = Act::Lease { worker: claim.worker.clone(), lease: claim.lease, run };
            match self.lease(seq, &act, &claim.by) {
                Ok(Some(leased)) => {
                    turns.served(kind, owner);
                    return Ok(Some(leased));
                }
                // It has expired, and is ready no more now that this is written down.
                Ok(None) => {}
                Err(Fault::Damaged(request_id)) => {
                    tracing::error!(request_id, "a damaged record is leased to nobody");
                    self.put_aside(seq)?;
                }
                Err(fault) => return Err(fault),
            }
        }
        *is_cut_short = true;
        Ok(None)
    }

    fn lease(&self, seq: i64, act: &Act, by: &By) -> Result<Option<(Changed, String)>, Fault> {
        let found = read_by_seq(self.connection, self.timelines, seq)?;
        // First the payload: one that is damaged, or gone though its request has not ended, is to use up no attempt.
        let payload = reads::payload(self.connection, found.request.id)?;
        let payload = payload.ok_or_else(|| Fault::Damaged(found.request.id.to_string()))?;
        let (outcome, generation) = self.act(found, act, by)?;
        Ok(outcome.refused.is_none().then_some(((outcome.request, generation), payload)))
    }

    /// Takes a damaged one out of the way of the others.
    fn put_aside(&self, seq: i64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE work SET ready_at = NULL, settles_at = NULL WHERE seq = ?1")?
            .execute([seq])
            .map(drop)
    }

    /// The next to lease: of the first owner after the one served last who has something ready, the one that is ready longest. Goes from
    /// owner to owner by the index, and never over all that is ready.
    fn candidate(&self, kind: &str, served: i64) -> rusqlite::Result<Option<(i64, i64)>> {
        if !self.is_any_ready(kind)? {
            return Ok(None);
        }
        let now = self.now.millis();
        let mut statement = self.connection.prepare_cached(
            "SELECT owner, ready_at, seq FROM work INDEXED BY work_ready WHERE kind = ?1 AND owner > ?2 AND ready_at IS NOT NULL \
             ORDER BY owner, ready_at, id LIMIT 1",
        )?;
        let (mut owner, mut has_wrapped) = (served, served == i64::MIN);
        loop {
            let first: Option<(i64, i64, i64)> = statement
                .query_row(params![kind, owner], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            match first {
                Some((of, ready_at, seq)) if ready_at <= now => return Ok(Some((of, seq))),
                Some((of, ..)) if has_wrapped && of >= served && served != i64::MIN => return Ok(None),
                Some((of, ..)) => owner = of,
                None if has_wrapped => return Ok(None),
                None => (owner, has_wrapped) = (i64::MIN, true),
            }
        }
    }

    fn is_any_ready(&self, kind: &str) -> rusqlite::Result<bool> {
        let sql = "SELECT 1 FROM work INDEXED BY work_open WHERE is_open = 1 AND kind = ?1 AND ready_at <= ?2 LIMIT 1";
        self.connection.prepare_cached(sql)?.exists(params![kind, self.now.millis()])
    }

    fn next_ready_at(&self, kind: &str) -> rusqlite::Result<Option<Timestamp>> {
        let sql =
            "SELECT min(ready_at) FROM work INDEXED BY work_open WHERE is_open = 1 AND kind = ?1 AND ready_at > ?2";
        let at = self.connection.prepare_cached(sql)?.query_row(params![kind, self.now.millis()], |row| row.get(0))?;
        Ok(Option::<i64>::map(at, Timestamp::from_millis))
    }

    /// Writes down at most so many ends; answers those, and when the next is due.
    pub(super) fn settle(&self, most: usize) -> Result<(Vec<Changed>, Option<Timestamp>), Fault> {
        let ends: Vec<(i64, i64)> = self
            .connection
            .prepare_cached(
                "SELECT seq, settles_at FROM work INDEXED BY work_settles WHERE settles_at IS NOT NULL ORDER BY settles_at, seq LIMIT ?1",
            )?
            .query_map([i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1)], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let is_due = |end: &&(i64, i64)| end.1 <= self.now.millis();
        let mut settled = Vec::new();
        let due = ends.iter().take_while(is_due).take(most).count();
        for (seq, _) in &ends[..due] {
            match self.settle_one(*seq) {
                Ok(changed) => settled.push(changed),
                Err(Fault::Damaged(request_id)) => {
                    tracing::error!(request_id, "a damaged record can not be settled");
                    self.put_aside(*seq)?;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok((settled, ends.get(due).map(|(_, at)| Timestamp::from_millis(*at))))
    }

    fn settle_one(&self, seq: i64) -> Result<Changed, Fault> {
        let found = read_by_seq(self.connection, self.timelines, seq)?;
        let (outcome, generation) = self.act(found, &Act::Settle, &By::default())?;
        Ok((outcome.request as Arc<Request>, generation))
    }
}

/// How the types stand that workers work on.
pub(super) fn backlogs(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Backlog>> {
    let empty = |kind| Backlog { kind, ready: 0, waiting: 0, in_flight: 0, oldest_ready: None };
    let mut backlogs: Vec<Backlog> = connection
        .prepare_cached(
            "WITH RECURSIVE kinds (kind) AS (SELECT min(kind) FROM work WHERE kind IS NOT NULL UNION ALL \
             SELECT (SELECT min(w.kind) FROM work AS w WHERE w.kind IS NOT NULL AND w.kind > k.kind) FROM kinds AS k \
             WHERE k.kind IS NOT NULL) SELECT kind FROM kinds WHERE kind IS NOT NULL ORDER BY kind",
        )?
        .query_map([], |row| Ok(empty(row.get(0)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT kind, CASE WHEN at2 <= ?1 THEN status2 WHEN at1 <= ?1 THEN status1 ELSE status0 END AS status, count(*), \
         min(ready_at) FROM work INDEXED BY work_open WHERE is_open = 1 GROUP BY 1, 2",
    )?;
    let mut rows = statement.query([now.millis()])?;
    while let Some(row) = rows.next()? {
        let (kind, status): (Option<String>, String) = (row.get(0)?, row.get(1)?);
        let Some(backlog) = backlogs.iter_mut().find(|backlog| Some(&backlog.kind) == kind.as_ref()) else { continue };
        let count = u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
        match status.parse() {
            Ok(Status::Queued) => {
                backlog.ready = count;
                backlog.oldest_ready = row.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis);
            }
            Ok(Status::Scheduled | Status::Retrying) => backlog.waiting += count,
            Ok(Status::Running) => backlog.in_flight = count,
            _ => {}
        }
    }
    Ok(backlogs)
}
