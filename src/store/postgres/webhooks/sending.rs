//! What the sender asks for: what there is to do, what is due, and what came of it.

use std::sync::Arc;

use deadpool_postgres::GenericClient;

use super::rows::{
    deliveries, endpoints, execute, limit, lock_delivery, lock_endpoint, write_deliveries, write_endpoint,
};
use super::told::{follow, listening, unrepeated};
use crate::core::clock::Timestamp;
use crate::core::ports::webhooks::{Addressed, Outlook, Report, Take};
use crate::core::request::Request;
use crate::core::webhook::{DueTo, in_turn, of_passed, of_submission};
use crate::store::postgres::acts::{commit, read};
use crate::store::postgres::fault::Fault;
use crate::store::postgres::shared::Shared;

pub(super) async fn outlook(shared: &Shared) -> Result<Outlook, Fault> {
    let client = shared.session().await?;
    let select = "SELECT EXISTS (SELECT FROM webhook_endpoints), (SELECT min(next_at) FROM webhook_followed), \
                  (SELECT min(greatest(e.resting_until, d.due_at)) FROM webhook_endpoints e CROSS JOIN LATERAL \
                  (SELECT min(due_at) AS due_at FROM webhook_deliveries WHERE endpoint = e.id AND due_at IS NOT NULL) d \
                  WHERE NOT e.is_disabled AND d.due_at IS NOT NULL)";
    let row = client.query_one(&client.prepare_cached(select).await?, &[]).await?;
    let at = |column: usize| row.get::<_, Option<i64>>(column).map(Timestamp::from_millis);
    Ok(Outlook { is_used: row.get(0), next_stage_at: at(1), next_due_at: at(2) })
}

pub(super) async fn follow_stages(shared: &Shared, most: usize) -> Result<(), Fault> {
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    // Whoever acts on one of them holds its row, and tells of it himself.
    let due = "SELECT f.request, f.since FROM webhook_followed f JOIN requests r ON r.id = f.request WHERE f.next_at <= $1 \
               ORDER BY f.next_at, f.request LIMIT $2 FOR NO KEY UPDATE OF r SKIP LOCKED";
    let due = transaction.prepare_cached(due).await?;
    let due = transaction.query(&due, &[&shared.now().millis(), &limit(most)]).await?;
    let gone = "DELETE FROM webhook_followed f WHERE f.next_at <= $1 AND NOT EXISTS (SELECT FROM requests r WHERE r.id = f.request)";
    execute(&transaction, gone, &[&shared.now().millis()]).await?;
    let ids: Vec<String> = due.iter().map(|row| row.get(0)).collect();
    let requests = readable(shared, &transaction, &ids).await?;
    // As it stands now that the requests are held.
    let since = "SELECT request, since FROM webhook_followed WHERE request = ANY($1) ORDER BY request FOR UPDATE";
    let since = transaction.query(&transaction.prepare_cached(since).await?, &[&ids]).await?;
    let since: std::collections::HashMap<String, i64> = since.iter().map(|row| (row.get(0), row.get(1))).collect();
    let (listening, now) = (listening(&transaction, requests.iter().map(|request| &**request)).await?, shared.now());
    let mut told = Vec::new();
    for request in &requests {
        let Some(since) = since.get(&request.id.to_string()).copied().map(Timestamp::from_millis) else { continue };
        let endpoints = listening.get(&request.owner).map(Vec::as_slice).unwrap_or_default();
        if since == request.submitted_at && request.erased_at.is_none() {
            told.extend(of_submission(endpoints, request));
        }
        told.extend(of_passed(endpoints, request, since, now));
        follow(&transaction, request, now).await?;
    }
    write_deliveries(&transaction, &unrepeated(told), true).await?;
    commit(transaction).await
}

/// The requests of these names. A damaged one is followed no more: nothing can be told of it, and the others are not to wait for it.
async fn readable(shared: &Shared, client: &impl GenericClient, ids: &[String]) -> Result<Vec<Arc<Request>>, Fault> {
    let all = read(shared, client, ids).await;
    let Err(Fault::Damaged(_)) = all else { return all };
    let mut readable = Vec::with_capacity(ids.len());
    for id in ids {
        match read(shared, client, std::slice::from_ref(id)).await {
            Err(Fault::Damaged(_)) => {
                tracing::error!(request_id = id, "webhooks tell nothing of a damaged record");
                execute(client, "DELETE FROM webhook_followed WHERE request = $1", &[id]).await?;
            }
            one => readable.extend(one?),
        }
    }
    Ok(readable)
}

pub(super) async fn take(shared: &Shared, take: &Take) -> Result<Vec<Addressed>, Fault> {
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    let now = shared.now();
    let with_due = "NOT t.is_disabled AND coalesce(t.resting_until, $1) <= $1 AND EXISTS (SELECT FROM webhook_deliveries d \
                    WHERE d.endpoint = t.id AND d.due_at <= $1)";
    let mut queues = Vec::new();
    for (_, endpoint) in endpoints(&transaction, with_due, &[&now.millis()]).await? {
        let on_their_way = take.on_their_way.get(&endpoint.id).copied().unwrap_or(0);
        let room = limit(endpoint.room(on_their_way, now));
        let condition = "t.endpoint = $1 AND t.due_at <= $2 ORDER BY t.due_at, t.id LIMIT $3 FOR UPDATE SKIP LOCKED";
        let due = deliveries(&transaction, condition, &[&endpoint.id.to_string(), &now.millis(), &room]).await?;
        queues.push(DueTo { endpoint, on_their_way, deliveries: due });
    }
    let taken: Vec<_> = in_turn(queues, take.most).map(|(delivery, to)| (delivery.taken(now), to)).collect();
    let written: Vec<_> = taken.iter().map(|(delivery, _)| delivery.clone()).collect();
    write_deliveries(&transaction, &written, false).await?;
    commit(transaction).await?;
    Ok(taken)
}

pub(super) async fn attempted(shared: &Shared, report: Report) -> Result<Option<Addressed>, Fault> {
    let Report { delivery: id, attempt, heard, chance } = report;
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    let of = deliveries(&transaction, "t.id = $1", &[&id.to_string()]).await?.pop();
    let Some(of) = of else { return Ok(None) };
    let Some((owner, to)) = lock_endpoint(&transaction, of.endpoint).await? else { return Ok(None) };
    let Some(found) = lock_delivery(&transaction, id).await? else { return Ok(None) };
    let now = shared.now();
    let (delivery, endpoint) = (found.attempted(attempt, &heard, chance, now), to.attempted(&heard, now));
    write_deliveries(&transaction, std::slice::from_ref(&delivery), false).await?;
    write_endpoint(&transaction, owner, &endpoint).await?;
    commit(transaction).await?;
    Ok(Some((delivery, endpoint)))
}

pub(super) async fn forget(shared: &Shared, before: Timestamp, most: usize) -> Result<usize, Fault> {
    let delete = "DELETE FROM webhook_deliveries WHERE id IN (SELECT d.id FROM webhook_deliveries d LEFT JOIN webhook_endpoints e \
                  ON e.id = d.endpoint WHERE d.ended_at < $1 OR d.created_at < $1 AND (e.id IS NULL OR e.is_disabled) \
                  LIMIT $2 FOR UPDATE OF d SKIP LOCKED)";
    let client = shared.session().await?;
    let forgotten = execute(&client, delete, &[&before.millis(), &limit(most)]).await?;
    Ok(usize::try_from(forgotten).unwrap_or(most))
}
