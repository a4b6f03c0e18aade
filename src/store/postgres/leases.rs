//! Leases, ends and backlogs: what the store does for workers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};

use deadpool_postgres::{GenericClient, Transaction};

use super::acts::{commit, read_whole};
use super::fault::Fault;
use super::ledger::Ledger;
use super::rows;
use super::shared::{Shared, again};
use crate::core::clock::Timestamp;
use crate::core::ports::requests::{Backlog, Claim, Claimed, Order, Settled, Target};
use crate::core::request::{Act, By, Request, RequestId, Status};

/// The requests of a type that are ready: of each owner the one that is ready longest before the next, and the owners in turn, from
/// the one after `$3` on. Those that others are about to lease are passed over. $1 type, $2 time, $4 how many, $5 how many to look at.
const CANDIDATES: &str = "WITH RECURSIVE later (owner, place) AS (
    (SELECT owner, 1 FROM work WHERE kind = $1::text AND ready_at <= $2::bigint AND (ends_at IS NULL OR ends_at > $2) AND owner > $3::bigint
        ORDER BY owner LIMIT 1)
    UNION ALL
    SELECT (SELECT w.owner FROM work w WHERE w.kind = $1 AND w.ready_at <= $2 AND (w.ends_at IS NULL OR w.ends_at > $2)
        AND w.owner > later.owner ORDER BY w.owner LIMIT 1), place + 1
    FROM later WHERE later.owner IS NOT NULL AND place < $5::bigint
), sooner (owner, place) AS (
    (SELECT owner, 1 FROM work WHERE kind = $1 AND ready_at <= $2 AND (ends_at IS NULL OR ends_at > $2) AND owner <= $3
        ORDER BY owner LIMIT 1)
    UNION ALL
    SELECT (SELECT w.owner FROM work w WHERE w.kind = $1 AND w.ready_at <= $2 AND (w.ends_at IS NULL OR w.ends_at > $2)
        AND w.owner > sooner.owner AND w.owner <= $3 ORDER BY w.owner LIMIT 1), place + 1
    FROM sooner WHERE sooner.owner IS NOT NULL AND place < $5
), turns AS (
    SELECT owner, place FROM later WHERE owner IS NOT NULL
    UNION ALL SELECT owner, place + 1000000 FROM sooner WHERE owner IS NOT NULL
), candidates AS (
    SELECT of_owner.id, of_owner.rank, turns.place FROM turns CROSS JOIN LATERAL (
        SELECT w.id, row_number() OVER (ORDER BY w.ready_at, w.id) AS rank FROM work w
        WHERE w.kind = $1 AND w.owner = turns.owner AND w.ready_at <= $2 AND (w.ends_at IS NULL OR w.ends_at > $2)
        ORDER BY w.ready_at, w.id LIMIT $5) of_owner
), best AS (
    SELECT ARRAY(SELECT id FROM candidates ORDER BY rank, place LIMIT $5) AS ids
)
SELECT r.id, r.owner FROM requests r WHERE r.id = ANY((SELECT ids FROM best)::text[])
ORDER BY array_position((SELECT ids FROM best), r.id) LIMIT $4::bigint FOR NO KEY UPDATE OF r SKIP LOCKED";

/// So many more than are asked for are looked at, since other claims may be about to lease the first.
const SLACK: usize = 64;

/// Leases requests that are ready, in one commit; nothing is held while the worker works.
pub(super) async fn claim(shared: &Shared, claim: &Claim) -> Result<Claimed, Fault> {
    let began = shared.clock.monotonic();
    let done = again!(try_to_claim(shared, claim));
    shared.count(&done, 1, began);
    let (claimed, chosen, ledger) = done?;
    let mut turns = shared.turns.lock().unwrap_or_else(PoisonError::into_inner);
    turns.extend(chosen.into_iter().map(|chosen| (chosen.kind, chosen.owner)));
    drop(turns);
    shared.news.changed(ledger.changed());
    Ok(claimed)
}

async fn try_to_claim(shared: &Shared, claim: &Claim) -> Result<(Claimed, Vec<Chosen>, Ledger), Fault> {
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    let chosen = choose(shared, &transaction, claim).await?;
    let ids: Vec<String> = chosen.iter().map(|chosen| chosen.id.to_string()).collect();
    let mut ledger = Ledger::new(read_whole(shared, &transaction, &ids).await?);
    let mut payloads = payloads(&transaction, &ids).await?;
    let now = shared.now();
    let mut leased = Vec::new();
    for Chosen { id, run, .. } in &chosen {
        let act = Act::Lease { worker: claim.worker.clone(), lease: claim.lease, run: *run };
        let order = Order { target: Target { owner: None, id: *id }, act, by: claim.by.clone() };
        // One that changed before it was locked is no longer ready.
        if let Some(outcome) = ledger.act(&order, now).filter(|outcome| outcome.refused.is_none()) {
            leased.push((outcome.request, payloads.remove(id).unwrap_or_default()));
        }
    }
    ledger.write(&transaction).await?;
    let kinds: Vec<&str> = claim.kinds.iter().map(|(kind, _)| kind.as_str()).collect();
    let next = "SELECT min(ready_at) FROM work WHERE kind = ANY($1) AND ready_at > $2";
    let next = transaction.query_one(&transaction.prepare_cached(next).await?, &[&kinds, &now.millis()]).await?;
    commit(transaction).await?;
    // All that was chosen could not be leased: there may be others.
    let in_vain = leased.is_empty() && !chosen.is_empty();
    let next_ready_at = if in_vain { Some(now) } else { next.get::<_, Option<i64>>(0).map(Timestamp::from_millis) };
    Ok((Claimed { leased, next_ready_at }, chosen, ledger))
}

/// A request that is to be leased.
struct Chosen {
    id: RequestId,
    kind: String,
    owner: i64,
    run: std::time::Duration,
}

/// Locks requests that are ready: one of each type in turn, until there is nothing more.
async fn choose(shared: &Shared, transaction: &Transaction<'_>, claim: &Claim) -> Result<Vec<Chosen>, Fault> {
    let statement = transaction.prepare_cached(CANDIDATES).await?;
    let now = shared.now().millis();
    let most = i64::try_from(claim.most).unwrap_or(i64::MAX);
    let looked_at = i64::try_from(claim.most.saturating_add(SLACK)).unwrap_or(i64::MAX);
    let mut kinds = Vec::new();
    for (kind, run) in &claim.kinds {
        let served = shared.turns.lock().unwrap_or_else(PoisonError::into_inner).get(kind).copied().unwrap_or(0);
        let rows = transaction.query(&statement, &[kind, &now, &served, &most, &looked_at]).await?;
        let ready = rows
            .iter()
            .filter_map(|row| Some(Chosen { id: rows::id(row, 0)?, kind: kind.clone(), owner: row.get(1), run: *run }));
        kinds.push(ready.collect::<VecDeque<_>>());
    }
    let mut chosen = Vec::new();
    while chosen.len() < claim.most && kinds.iter().any(|kind| !kind.is_empty()) {
        chosen.extend(kinds.iter_mut().filter_map(VecDeque::pop_front));
    }
    chosen.truncate(claim.most);
    Ok(chosen)
}

async fn payloads(client: &impl GenericClient, ids: &[String]) -> Result<BTreeMap<RequestId, String>, Fault> {
    let statement = client.prepare_cached("SELECT id, body FROM payloads WHERE id = ANY($1)").await?;
    let rows = client.query(&statement, &[&ids]).await?;
    Ok(rows.iter().filter_map(|row| Some((rows::id(row, 0)?, row.get(1)))).collect())
}

/// Writes down the ends that time has brought about.
pub(super) async fn settle(shared: &Shared, most: usize) -> Result<Settled, Fault> {
    let (settled, next, ledger) = again!(try_to_settle(shared, most))?;
    shared.news.changed(ledger.changed());
    Ok((settled, next))
}

async fn try_to_settle(shared: &Shared, most: usize) -> Result<(Vec<Arc<Request>>, Option<Timestamp>, Ledger), Fault> {
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    let due = "SELECT r.id FROM work w JOIN requests r ON r.id = w.id WHERE w.ends_at <= $1 \
               ORDER BY w.ends_at, w.id LIMIT $2 FOR NO KEY UPDATE OF r SKIP LOCKED";
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = transaction.query(&transaction.prepare_cached(due).await?, &[&shared.now().millis(), &limit]).await?;
    let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let mut ledger = Ledger::new(read_whole(shared, &transaction, &ids).await?);
    let order = |id| Order { target: Target { owner: None, id }, act: Act::Settle, by: By::default() };
    let now = shared.now();
    let settled = ids.iter().filter_map(|id| Some(ledger.act(&order(id.parse().ok()?), now)?.request)).collect();
    ledger.write(&transaction).await?;
    let next = transaction.query_one("SELECT min(ends_at) FROM work", &[]).await?;
    commit(transaction).await?;
    Ok((settled, next.get::<_, Option<i64>>(0).map(Timestamp::from_millis), ledger))
}

/// How the types stand that workers work on.
pub(super) async fn backlogs(shared: &Shared) -> Result<Vec<Backlog>, Fault> {
    let client = shared.session().await?;
    let select = "SELECT kind, substr(statuses, 1 + width_bucket($1::bigint, ats), 1) AS status, count(*), min(ready_at) \
                  FROM work GROUP BY kind, status";
    let rows = client.query(&client.prepare_cached(select).await?, &[&shared.now().millis()]).await?;
    let mut backlogs = BTreeMap::new();
    for row in rows {
        let (kind, count): (String, i64) = (row.get(0), row.get(2));
        let count = u64::try_from(count).unwrap_or(0);
        let empty = Backlog { kind: kind.clone(), ready: 0, waiting: 0, in_flight: 0, oldest_ready: None };
        let backlog = backlogs.entry(kind).or_insert(empty);
        match rows::status(row.get(1)) {
            Some(Status::Queued) => {
                backlog.ready = count;
                backlog.oldest_ready = row.get::<_, Option<i64>>(3).map(Timestamp::from_millis);
            }
            Some(Status::Scheduled | Status::Retrying) => backlog.waiting += count,
            Some(Status::Running) => backlog.in_flight = count,
            _ => {}
        }
    }
    Ok(backlogs.into_values().collect())
}
