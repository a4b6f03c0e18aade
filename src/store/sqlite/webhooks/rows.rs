//! How endpoints and deliveries lie in their rows: as JSON with a checksum, beside copies of what is searched by.

use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use serde::de::DeserializeOwned;

use crate::core::clock::Timestamp;
use crate::core::webhook::{Delivery, DeliveryId, Endpoint, EndpointId};
use crate::store::sqlite::checksum::{Checksum, Fault};
use crate::store::sqlite::writes::unwritable;

fn checksum(id: &str, body: &str) -> u32 {
    Checksum::default().bytes(id.as_bytes()).bytes(body.as_bytes()).finish()
}

/// Writes an endpoint, new or changed.
pub(super) fn write_endpoint(connection: &Connection, owner: i64, endpoint: &Endpoint) -> Result<(), Fault> {
    let (id, body) = (endpoint.id.to_string(), serde_json::to_string(endpoint).map_err(unwritable)?);
    connection
        .prepare_cached(
            "INSERT INTO webhook_endpoints (id, owner, name, is_disabled, resting_until, body, checksum) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET owner = ?2, name = ?3, is_disabled = ?4, \
             resting_until = ?5, body = ?6, checksum = ?7",
        )?
        .execute(params![
            id,
            owner,
            endpoint.name,
            endpoint.disabled.is_some(),
            endpoint.resting_until.map(Timestamp::millis),
            body,
            checksum(&id, &body),
        ])?;
    Ok(())
}

/// Writes a delivery; a new one only when there is none of its name.
pub(super) fn write_delivery(connection: &Connection, delivery: &Delivery, is_new: bool) -> Result<(), Fault> {
    let (id, body) = (delivery.id.to_string(), serde_json::to_string(delivery).map_err(unwritable)?);
    let sql = if is_new {
        "INSERT INTO webhook_deliveries (id, endpoint, request, created_at, due_at, ended_at, body, checksum) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING"
    } else {
        "UPDATE webhook_deliveries SET endpoint = ?2, request = ?3, created_at = ?4, due_at = ?5, ended_at = ?6, body = ?7, \
         checksum = ?8 WHERE id = ?1"
    };
    connection.prepare_cached(sql)?.execute(params![
        id,
        delivery.endpoint.to_string(),
        delivery.request.map(|request| request.to_string()),
        delivery.created_at.millis(),
        delivery.due_at.map(Timestamp::millis),
        delivery.ended_at.map(Timestamp::millis),
        body,
        checksum(&id, &body),
    ])?;
    Ok(())
}

/// What was read, and the ids of what is damaged.
type Found<T> = (Vec<T>, Vec<String>);

/// Reads `id, body, checksum`; the id alone when that is damaged, which is logged: the others are told all the same.
fn read<T: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<Result<T, String>> {
    let (id, body, sum): (String, String, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let value = (sum == checksum(&id, &body)).then(|| serde_json::from_str(&body).ok()).flatten();
    if value.is_none() {
        tracing::error!(id, "a damaged record of a webhook is left out");
    }
    Ok(value.ok_or(id))
}

/// What the rows have that this `WHERE …` leads to.
fn select<T: DeserializeOwned>(
    connection: &Connection,
    table: &str,
    condition: &str,
    values: impl Params,
) -> rusqlite::Result<Found<T>> {
    let sql = format!("SELECT t.id, t.body, t.checksum FROM {table} AS t WHERE {condition}");
    let mut statement = connection.prepare_cached(&sql)?;
    let (mut whole, mut damaged) = Found::default();
    for read in statement.query_map(values, read)? {
        match read? {
            Ok(value) => whole.push(value),
            Err(id) => damaged.push(id),
        }
    }
    Ok((whole, damaged))
}

/// The endpoints that this condition on `t` leads to.
pub(super) fn endpoints(
    connection: &Connection,
    condition: &str,
    values: impl Params,
) -> rusqlite::Result<Vec<Endpoint>> {
    Ok(endpoints_or_damaged(connection, condition, values)?.0)
}

/// The same, and the ids of those that are damaged.
pub(super) fn endpoints_or_damaged(
    connection: &Connection,
    condition: &str,
    values: impl Params,
) -> rusqlite::Result<Found<Endpoint>> {
    select(connection, "webhook_endpoints", condition, values)
}

/// The deliveries that this condition on `t` leads to.
pub(super) fn deliveries(
    connection: &Connection,
    condition: &str,
    values: impl Params,
) -> rusqlite::Result<Vec<Delivery>> {
    Ok(deliveries_or_damaged(connection, condition, values)?.0)
}

/// The same, and the ids of those that are damaged.
pub(super) fn deliveries_or_damaged(
    connection: &Connection,
    condition: &str,
    values: impl Params,
) -> rusqlite::Result<Found<Delivery>> {
    select(connection, "webhook_deliveries", condition, values)
}

/// The endpoint of that id.
pub(super) fn endpoint(connection: &Connection, id: EndpointId) -> rusqlite::Result<Option<Endpoint>> {
    Ok(endpoints(connection, "t.id = ?1", [id.to_string()])?.pop())
}

/// The delivery of that id.
pub(super) fn delivery(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<Delivery>> {
    Ok(deliveries(connection, "t.id = ?1", [id.to_string()])?.pop())
}

/// The number of the owner of an endpoint.
pub(super) fn owner_of(connection: &Connection, id: EndpointId) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT owner FROM webhook_endpoints WHERE id = ?1")?;
    statement.query_row([id.to_string()], |row| row.get(0)).optional()
}

/// Removes an endpoint. Its deliveries are seen by nobody from then on, and [go after it](remove_deliveries).
pub(super) fn remove_endpoint(connection: &Connection, id: EndpointId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM webhook_endpoints WHERE id = ?1")?.execute([id.to_string()]).map(drop)
}

/// Removes deliveries to that endpoint, at most so many; answers how many.
pub(super) fn remove_deliveries(connection: &Connection, endpoint: &str, most: usize) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries WHERE endpoint = ?1 LIMIT ?2)",
        )?
        .execute(params![endpoint, i64::try_from(most).unwrap_or(i64::MAX)])
}
