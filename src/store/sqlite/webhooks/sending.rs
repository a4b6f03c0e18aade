//! What the sender asks for: what there is to do, what is due, and what came of it.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{
    deliveries_or_damaged, delivery, endpoint, endpoints_or_damaged, owner_of, remove_deliveries, write_delivery,
    write_endpoint,
};
use super::told::{follow, listening, tell};
use crate::core::clock::Timestamp;
use crate::core::ports::webhooks::{Addressed, Outlook, Report, Take};
use crate::core::webhook::{DueTo, in_turn, of_passed};
use crate::store::sqlite::Known;
use crate::store::sqlite::checksum::Fault;
use crate::store::sqlite::reads;

pub(super) fn outlook(connection: &Connection) -> Result<Outlook, Fault> {
    let is_used = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM webhook_endpoints)")?
        .query_row([], |row| row.get(0))?;
    let at = |sql: &str| -> rusqlite::Result<Option<Timestamp>> {
        let at: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(at.map(Timestamp::from_millis))
    };
    Ok(Outlook {
        is_used,
        next_stage_at: at("SELECT min(next_at) FROM webhook_followed")?,
        next_due_at: at(
            // The first of each endpoint is found in the index; a join would count all that wait.
            "SELECT min(max(coalesce(resting_until, due_at), due_at)) FROM (SELECT e.resting_until, (SELECT d.due_at FROM \
             webhook_deliveries AS d WHERE d.endpoint = e.id AND d.due_at IS NOT NULL ORDER BY d.due_at LIMIT 1) AS due_at \
             FROM webhook_endpoints AS e WHERE e.is_disabled = 0)",
        )?,
    })
}

pub(super) fn follow_stages(connection: &Connection, known: &Known, most: usize, now: Timestamp) -> Result<(), Fault> {
    let due: Vec<(String, i64)> = connection
        .prepare_cached(
            "SELECT request, since FROM webhook_followed WHERE next_at <= ?1 ORDER BY next_at, request LIMIT ?2",
        )?
        .query_map(params![now.millis(), i64::try_from(most).unwrap_or(i64::MAX)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (id, since) in due {
        let found = match id.parse() {
            Ok(id) => reads::found(connection, &known.timelines, id),
            Err(()) => Ok(None),
        };
        match found {
            Ok(Some(found)) => {
                let endpoints = listening(connection, found.owner)?;
                tell(connection, &of_passed(&endpoints, &found.request, Timestamp::from_millis(since), now))?;
                follow(connection, &found.request, now)?;
            }
            // It is gone, or damaged: nothing can be told of it.
            Ok(None) | Err(Fault::Damaged(_)) => {
                connection.prepare_cached("DELETE FROM webhook_followed WHERE request = ?1")?.execute([id])?;
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

pub(super) fn take(connection: &Connection, take: &Take, now: Timestamp) -> Result<Vec<Addressed>, Fault> {
    let with_due = "t.is_disabled = 0 AND coalesce(t.resting_until, ?1) <= ?1 AND EXISTS (SELECT 1 FROM webhook_deliveries AS d \
                    WHERE d.endpoint = t.id AND d.due_at <= ?1)";
    let mut queues = Vec::new();
    let (with_due, damaged) = endpoints_or_damaged(connection, with_due, [now.millis()])?;
    put_aside(connection, "UPDATE webhook_endpoints SET is_disabled = 1 WHERE id = ?1", &damaged)?;
    for endpoint in with_due {
        let on_their_way = take.on_their_way.get(&endpoint.id).copied().unwrap_or(0);
        let room = i64::try_from(endpoint.room(on_their_way, now)).unwrap_or(0);
        let condition = "t.endpoint = ?1 AND t.due_at <= ?2 ORDER BY t.due_at, t.id LIMIT ?3";
        let due = loop {
            let values = params![endpoint.id.to_string(), now.millis(), room];
            let (due, damaged) = deliveries_or_damaged(connection, condition, values)?;
            if damaged.is_empty() {
                break due;
            }
            let end = format!("UPDATE webhook_deliveries SET due_at = NULL, ended_at = {} WHERE id = ?1", now.millis());
            put_aside(connection, &end, &damaged)?;
        };
        queues.push(DueTo { endpoint, on_their_way, deliveries: due });
    }
    let taken: Vec<_> =
        in_turn(queues, take.most).map(|(delivery, endpoint)| (delivery.taken(now), endpoint)).collect();
    for (delivery, _) in &taken {
        write_delivery(connection, delivery, false)?;
    }
    Ok(taken)
}

/// Sees to it that what is damaged is due no more: nobody else is to wait behind it.
fn put_aside(connection: &Connection, update: &str, damaged: &[String]) -> rusqlite::Result<()> {
    damaged.iter().try_for_each(|id| connection.execute(update, [id]).map(drop))
}

pub(super) fn attempted(connection: &Connection, report: Report, now: Timestamp) -> Result<Option<Addressed>, Fault> {
    let Report { delivery: id, attempt, heard, chance } = report;
    let Some(found) = delivery(connection, id)? else { return Ok(None) };
    let (to, owner) = (endpoint(connection, found.endpoint)?, owner_of(connection, found.endpoint)?);
    let (Some(to), Some(owner)) = (to, owner) else { return Ok(None) };
    let (delivery, endpoint) = (found.attempted(attempt, &heard, chance, now), to.attempted(&heard, now));
    write_delivery(connection, &delivery, false)?;
    write_endpoint(connection, owner, &endpoint)?;
    Ok(Some((delivery, endpoint)))
}

pub(super) fn forget(connection: &Connection, before: Timestamp, most: usize) -> Result<usize, Fault> {
    let orphaned = forget_orphans(connection, most)?;
    if orphaned >= most { Ok(orphaned) } else { Ok(orphaned + forget_old(connection, before, most - orphaned)?) }
}

/// Removes deliveries whose endpoint is gone. Their endpoints are found by leaps through the index.
fn forget_orphans(connection: &Connection, most: usize) -> rusqlite::Result<usize> {
    let orphans: Vec<String> = connection
        .prepare_cached(
            "WITH RECURSIVE told (id) AS (SELECT min(endpoint) FROM webhook_deliveries UNION ALL \
             SELECT (SELECT min(endpoint) FROM webhook_deliveries WHERE endpoint > told.id) FROM told WHERE told.id IS NOT NULL) \
             SELECT id FROM told WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM webhook_endpoints)",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut removed = 0;
    for endpoint in orphans {
        removed += remove_deliveries(connection, &endpoint, most - removed)?;
    }
    Ok(removed)
}

fn forget_old(connection: &Connection, before: Timestamp, most: usize) -> Result<usize, Fault> {
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let ended = connection
        .prepare_cached(
            "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries WHERE ended_at < ?1 LIMIT ?2)",
        )?
        .execute(params![before.millis(), limit])?;
    if ended >= most {
        return Ok(ended);
    }
    let is_any = connection
        .prepare_cached("SELECT 1 FROM webhook_endpoints WHERE is_disabled <> 0 LIMIT 1")?
        .query_row([], |_| Ok(()))
        .optional()?;
    if is_any.is_none() {
        return Ok(ended);
    }
    let pending = connection
        .prepare_cached(
            "DELETE FROM webhook_deliveries WHERE id IN (SELECT d.id FROM webhook_endpoints AS e JOIN webhook_deliveries AS d \
             ON d.endpoint = e.id WHERE e.is_disabled <> 0 AND d.created_at < ?1 LIMIT ?2)",
        )?
        .execute(params![before.millis(), limit - i64::try_from(ended).unwrap_or(0)])?;
    Ok(ended + pending)
}
