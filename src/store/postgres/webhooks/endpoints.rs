//! What owners ask for: endpoints, and the log of their deliveries.

use deadpool_postgres::{GenericClient, Transaction};

use super::rows::{
    deliveries, endpoints, execute, limit, lock_delivery, lock_endpoint, remove_endpoint, write_deliveries,
    write_endpoint,
};
use crate::core::ports::webhooks::Addressed;
use crate::core::request::{Owner, RequestId};
use crate::core::webhook::{Change, Delivery, DeliveryId, Endpoint, EndpointId};
use crate::store::postgres::acts::commit;
use crate::store::postgres::fault::Fault;
use crate::store::postgres::shared::Shared;

/// Writes an endpoint that is new here, or belongs to another than before, and follows its owner's timelines.
async fn put(shared: &Shared, client: &impl GenericClient, endpoint: &Endpoint) -> Result<(), Fault> {
    let owner = shared.names.owner(client, &endpoint.owner).await?;
    write_endpoint(client, owner, endpoint).await?;
    let follow = "INSERT INTO webhook_followed (request, since, next_at) SELECT id, $2, $2 FROM requests WHERE owner = $1 \
                  AND timeline IS NOT NULL AND ends_at > $2 AND erased_at IS NULL ON CONFLICT DO NOTHING";
    execute(client, follow, &[&owner, &shared.now().millis()]).await?;
    Ok(())
}

/// Until the commit nobody submits: who has begun to is waited for, and seen, and who begins then sees the endpoint. Otherwise a
/// timeline between the two would be followed by nobody.
async fn hold_submissions(transaction: &Transaction<'_>) -> Result<(), Fault> {
    Ok(transaction.batch_execute("LOCK TABLE requests IN SHARE MODE").await?)
}

pub(super) async fn configure(shared: &Shared, configured: Vec<Endpoint>) -> Result<(), Fault> {
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    // Gateways that start at once do this one after another.
    transaction.batch_execute("LOCK TABLE webhook_endpoints IN SHARE ROW EXCLUSIVE MODE").await?;
    hold_submissions(&transaction).await?;
    let there = endpoints(&transaction, "t.name IS NOT NULL", &[]).await?;
    for (_, gone) in there.iter().filter(|(_, there)| !configured.iter().any(|endpoint| endpoint.name == there.name)) {
        remove_endpoint(&transaction, gone.id).await?;
    }
    for endpoint in configured {
        let before = there.iter().find(|(_, there)| there.name == endpoint.name);
        let endpoint = before.map_or_else(|| endpoint.clone(), |(_, before)| endpoint.clone().in_place_of(before));
        put(shared, &transaction, &endpoint).await?;
    }
    commit(transaction).await
}

pub(super) async fn add(shared: &Shared, endpoint: Endpoint, most: usize) -> Result<bool, Fault> {
    let mut client = shared.session().await?;
    let owner = shared.names.owner(&client, &endpoint.owner).await?;
    let transaction = client.transaction().await?;
    hold_submissions(&transaction).await?;
    execute(&transaction, "SELECT owner FROM owners WHERE owner = $1 FOR UPDATE", &[&owner]).await?;
    if endpoints(&transaction, "t.owner = $1", &[&owner]).await?.len() >= most {
        return Ok(false);
    }
    put(shared, &transaction, &endpoint).await?;
    commit(transaction).await?;
    Ok(true)
}

pub(super) async fn of_owner(shared: &Shared, owner: &Owner) -> Result<Vec<Endpoint>, Fault> {
    let client = shared.session().await?;
    let Some(number) = shared.names.find_owner(&client, owner).await? else { return Ok(Vec::new()) };
    let found = endpoints(&client, "t.owner = $1 ORDER BY t.id", &[&number]).await?;
    Ok(found.into_iter().map(|(_, endpoint)| endpoint).collect())
}

pub(super) async fn change(
    shared: &Shared,
    owner: &Owner,
    id: EndpointId,
    change: &Change,
) -> Result<Option<Endpoint>, Fault> {
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    let known = lock_endpoint(&transaction, id).await?.filter(|(_, endpoint)| endpoint.owner == *owner);
    let Some((number, known)) = known else { return Ok(None) };
    let changed = known.changed(change, shared.now());
    write_endpoint(&transaction, number, &changed).await?;
    commit(transaction).await?;
    Ok(Some(changed))
}

pub(super) async fn remove(shared: &Shared, owner: &Owner, id: EndpointId) -> Result<bool, Fault> {
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    let is_theirs = lock_endpoint(&transaction, id).await?.is_some_and(|(_, endpoint)| endpoint.owner == *owner);
    if is_theirs {
        remove_endpoint(&transaction, id).await?;
        commit(transaction).await?;
    }
    Ok(is_theirs)
}

pub(super) async fn deliver(shared: &Shared, delivery: Delivery) -> Result<(), Fault> {
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    wake(&transaction, delivery.endpoint).await?;
    write_deliveries(&transaction, &[delivery], true).await?;
    commit(transaction).await
}

async fn wake(client: &impl GenericClient, id: EndpointId) -> Result<(), Fault> {
    match lock_endpoint(client, id).await? {
        Some((owner, endpoint)) => write_endpoint(client, owner, &endpoint.awake()).await,
        None => Ok(()),
    }
}

pub(super) async fn log(
    shared: &Shared,
    id: EndpointId,
    after: Option<DeliveryId>,
    most: usize,
) -> Result<Vec<Delivery>, Fault> {
    // Every id comes before this.
    let before = after.map_or_else(|| "n".to_owned(), |after| after.to_string());
    let condition = "t.endpoint = $1 AND t.id < $2 ORDER BY t.id DESC LIMIT $3";
    deliveries(&shared.session().await?, condition, &[&id.to_string(), &before, &limit(most)]).await
}

pub(super) async fn about(shared: &Shared, request: RequestId, most: usize) -> Result<Vec<Addressed>, Fault> {
    let client = shared.session().await?;
    let condition = "t.request = $1 ORDER BY t.id LIMIT $2";
    let found = deliveries(&client, condition, &[&request.to_string(), &limit(most)]).await?;
    let ids: Vec<String> = found.iter().map(|delivery| delivery.endpoint.to_string()).collect();
    let to = endpoints(&client, "t.id = ANY($1)", &[&ids]).await?;
    let addressed = found.into_iter().filter_map(|delivery| {
        let (_, endpoint) = to.iter().find(|(_, endpoint)| endpoint.id == delivery.endpoint)?;
        Some((delivery, endpoint.clone()))
    });
    Ok(addressed.collect())
}

pub(super) async fn replay(shared: &Shared, of: EndpointId, id: DeliveryId) -> Result<Option<Delivery>, Fault> {
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    // In the order in which what came of an attempt is written, too.
    wake(&transaction, of).await?;
    let found = lock_delivery(&transaction, id).await?.filter(|delivery| delivery.endpoint == of);
    let Some(found) = found else { return Ok(None) };
    let replayed = found.replayed(shared.now());
    write_deliveries(&transaction, std::slice::from_ref(&replayed), false).await?;
    commit(transaction).await?;
    Ok(Some(replayed))
}
