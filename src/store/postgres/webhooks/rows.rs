//! How endpoints and deliveries lie in their rows: as JSON, beside copies of what is searched by.

use deadpool_postgres::GenericClient;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::types::ToSql;

use crate::core::clock::Timestamp;
use crate::core::webhook::{Delivery, DeliveryId, Endpoint, EndpointId};
use crate::store::postgres::fault::Fault;

/// Values for a statement.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Carries out a statement; answers how many rows it was about.
pub(super) async fn execute(client: &impl GenericClient, statement: &str, values: Values<'_>) -> Result<u64, Fault> {
    let statement = client.prepare_cached(statement).await?;
    Ok(client.execute(&statement, values).await?)
}

fn json(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Failed(error.to_string()))
}

/// A limit as the server takes it.
pub(super) fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// Writes an endpoint, new or changed.
pub(super) async fn write_endpoint(client: &impl GenericClient, owner: i64, endpoint: &Endpoint) -> Result<(), Fault> {
    let upsert = "INSERT INTO webhook_endpoints (id, owner, name, is_disabled, resting_until, body) \
                  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET owner = $2, name = $3, is_disabled = $4, \
                  resting_until = $5, body = $6";
    let (id, resting_until) = (endpoint.id.to_string(), endpoint.resting_until.map(Timestamp::millis));
    let is_disabled = endpoint.disabled.is_some();
    execute(client, upsert, &[&id, &owner, &endpoint.name, &is_disabled, &resting_until, &json(endpoint)?]).await?;
    Ok(())
}

/// Writes deliveries; new ones only where there are none of their names.
pub(super) async fn write_deliveries(
    client: &impl GenericClient,
    deliveries: &[Delivery],
    are_new: bool,
) -> Result<(), Fault> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let conflict = if are_new {
        "DO NOTHING"
    } else {
        "(id) DO UPDATE SET due_at = excluded.due_at, ended_at = excluded.ended_at, body = excluded.body"
    };
    let insert = format!(
        "INSERT INTO webhook_deliveries (id, endpoint, request, created_at, due_at, ended_at, body) SELECT * FROM \
         unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[]) ON CONFLICT {conflict}"
    );
    let text = |of: fn(&Delivery) -> String| deliveries.iter().map(of).collect::<Vec<_>>();
    let millis = |of: fn(&Delivery) -> Option<Timestamp>| {
        deliveries.iter().map(|delivery| of(delivery).map(Timestamp::millis)).collect::<Vec<_>>()
    };
    let bodies = deliveries.iter().map(json).collect::<Result<Vec<_>, Fault>>()?;
    let requests: Vec<_> =
        deliveries.iter().map(|delivery| delivery.request.map(|request| request.to_string())).collect();
    let values: Values<'_> = &[
        &text(|delivery| delivery.id.to_string()),
        &text(|delivery| delivery.endpoint.to_string()),
        &requests,
        &millis(|delivery| Some(delivery.created_at)),
        &millis(|delivery| delivery.due_at),
        &millis(|delivery| delivery.ended_at),
        &bodies,
    ];
    execute(client, &insert, values).await?;
    Ok(())
}

/// What the rows have that this `WHERE …` leads to, with the numbers of owners where they have them. A damaged one is left out, and
/// logged: the others are told all the same.
async fn select<T: DeserializeOwned>(
    client: &impl GenericClient,
    from: &str,
    condition: &str,
    values: Values<'_>,
) -> Result<Vec<(i64, T)>, Fault> {
    let select = format!("SELECT {from} WHERE {condition}");
    let rows = client.query(&client.prepare_cached(&select).await?, values).await?;
    let read = rows.iter().filter_map(|row| {
        let (id, owner, body): (&str, i64, &str) = (row.get(0), row.get(1), row.get(2));
        let value = serde_json::from_str(body).ok();
        if value.is_none() {
            tracing::error!(id, "a damaged record of a webhook is left out");
        }
        Some((owner, value?))
    });
    Ok(read.collect())
}

/// The endpoints that this condition on `t` leads to, with the numbers of their owners.
pub(super) async fn endpoints(
    client: &impl GenericClient,
    condition: &str,
    values: Values<'_>,
) -> Result<Vec<(i64, Endpoint)>, Fault> {
    select(client, "t.id, t.owner, t.body FROM webhook_endpoints t", condition, values).await
}

/// The deliveries that this condition on `t` leads to.
pub(super) async fn deliveries(
    client: &impl GenericClient,
    condition: &str,
    values: Values<'_>,
) -> Result<Vec<Delivery>, Fault> {
    let found = select(client, "t.id, 0::bigint, t.body FROM webhook_deliveries t", condition, values).await?;
    Ok(found.into_iter().map(|(_, delivery)| delivery).collect())
}

/// The endpoint of that id, which nobody else changes until the commit.
pub(super) async fn lock_endpoint(
    client: &impl GenericClient,
    id: EndpointId,
) -> Result<Option<(i64, Endpoint)>, Fault> {
    Ok(endpoints(client, "t.id = $1 FOR UPDATE", &[&id.to_string()]).await?.pop())
}

/// The delivery of that id, which nobody else changes until the commit.
pub(super) async fn lock_delivery(client: &impl GenericClient, id: DeliveryId) -> Result<Option<Delivery>, Fault> {
    Ok(deliveries(client, "t.id = $1 FOR UPDATE", &[&id.to_string()]).await?.pop())
}

/// Removes an endpoint with its deliveries.
pub(super) async fn remove_endpoint(client: &impl GenericClient, id: EndpointId) -> Result<(), Fault> {
    let id = id.to_string();
    execute(client, "DELETE FROM webhook_endpoints WHERE id = $1", &[&id]).await?;
    execute(client, "DELETE FROM webhook_deliveries WHERE endpoint = $1", &[&id]).await?;
    Ok(())
}
