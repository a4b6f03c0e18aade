//! Deliveries in the commit of the change that they tell of.

use std::collections::HashMap;
use std::sync::Arc;

use deadpool_postgres::{GenericClient, Transaction};

use super::rows::{endpoints, execute, write_deliveries};
use crate::core::clock::Timestamp;
use crate::core::request::{Event, Owner, Request};
use crate::core::webhook::{Delivery, Endpoint, following, of_act, of_submission};
use crate::store::postgres::fault::Fault;

/// What an act has made of a request.
pub(in crate::store::postgres) struct Change {
    pub(in crate::store::postgres) before: Arc<Request>,
    pub(in crate::store::postgres) after: Arc<Request>,
    pub(in crate::store::postgres) events: Vec<Event>,
    pub(in crate::store::postgres) now: Timestamp,
}

/// The endpoints of the owners of these requests.
pub(super) async fn listening(
    client: &impl GenericClient,
    requests: impl Iterator<Item = &Request>,
) -> Result<HashMap<Owner, Vec<Endpoint>>, Fault> {
    let ids: Vec<String> = requests.map(|request| request.id.to_string()).collect();
    let condition = "t.owner IN (SELECT r.owner FROM requests r WHERE r.id = ANY($1)) ORDER BY t.id";
    let mut listening: HashMap<Owner, Vec<Endpoint>> = HashMap::new();
    for (_, endpoint) in endpoints(client, condition, &[&ids]).await? {
        listening.entry(endpoint.owner.clone()).or_default().push(endpoint);
    }
    Ok(listening)
}

/// Writes what is told of acts.
pub(in crate::store::postgres) async fn acted(transaction: &Transaction<'_>, changes: &[Change]) -> Result<(), Fault> {
    let is_any = "SELECT EXISTS (SELECT FROM webhook_endpoints)";
    let is_any = transaction.query_one(&transaction.prepare_cached(is_any).await?, &[]).await?;
    if changes.is_empty() || !is_any.get::<_, bool>(0) {
        return Ok(());
    }
    let erased: Vec<String> = changes
        .iter()
        .filter(|change| change.after.erased_at.is_some())
        .map(|change| change.after.id.to_string())
        .collect();
    if !erased.is_empty() {
        execute(transaction, "DELETE FROM webhook_deliveries WHERE request = ANY($1)", &[&erased]).await?;
    }
    let listening = listening(transaction, changes.iter().map(|change| &*change.after)).await?;
    let mut since = since(transaction, changes).await?;
    let mut told: Vec<Delivery> = Vec::new();
    let mut followed: HashMap<String, (Arc<Request>, Timestamp)> = HashMap::new();
    for Change { before, after, events, now } in changes {
        let id = after.id.to_string();
        let endpoints = listening.get(&after.owner).map(Vec::as_slice).unwrap_or_default();
        let from = since.get(&id).copied();
        if from == Some(after.submitted_at) && after.erased_at.is_none() {
            told.extend(of_submission(endpoints, after));
        }
        told.extend(of_act(endpoints, (before, after), events, (from.unwrap_or(*now), *now)));
        if after.simulation().is_some() && (from.is_some() || !endpoints.is_empty()) {
            since.insert(id.clone(), *now);
            followed.insert(id, (Arc::clone(after), *now));
        }
    }
    write_deliveries(transaction, &unrepeated(told), true).await?;
    for (request, now) in followed.values() {
        follow(transaction, request, *now).await?;
    }
    Ok(())
}

/// One statement may write a row once.
pub(super) fn unrepeated(mut told: Vec<Delivery>) -> Vec<Delivery> {
    told.sort_by_key(|delivery| delivery.id);
    told.dedup_by_key(|delivery| delivery.id);
    told
}

async fn since(transaction: &Transaction<'_>, changes: &[Change]) -> Result<HashMap<String, Timestamp>, Fault> {
    let ids: Vec<String> = changes.iter().map(|change| change.after.id.to_string()).collect();
    let select = "SELECT request, since FROM webhook_followed WHERE request = ANY($1) ORDER BY request FOR UPDATE";
    let rows = transaction.query(&transaction.prepare_cached(select).await?, &[&ids]).await?;
    Ok(rows.iter().map(|row| (row.get(0), Timestamp::from_millis(row.get(1)))).collect())
}

/// Follows a timeline from now on, or no more when it has nothing to tell.
pub(super) async fn follow(client: &impl GenericClient, request: &Request, now: Timestamp) -> Result<(), Fault> {
    let id = request.id.to_string();
    match following(request, now) {
        Some(next) => {
            let upsert = "INSERT INTO webhook_followed (request, since, next_at) VALUES ($1, $2, $3) \
                          ON CONFLICT (request) DO UPDATE SET since = $2, next_at = $3";
            execute(client, upsert, &[&id, &now.millis(), &next.millis()]).await?
        }
        None => execute(client, "DELETE FROM webhook_followed WHERE request = $1", &[&id]).await?,
    };
    Ok(())
}
