//! What owners ask for: endpoints, and the log of their deliveries.

use rusqlite::{Connection, params};

use super::rows::{
    deliveries, delivery, endpoint, endpoints, owner_of, remove_deliveries, remove_endpoint, write_delivery,
    write_endpoint,
};
use super::told::{follow_all, listening, tell};
use crate::core::clock::Timestamp;
use crate::core::ports::webhooks::Addressed;
use crate::core::request::{Owner, RequestId};
use crate::core::webhook::{Change, Delivery, DeliveryId, Endpoint, EndpointId};
use crate::store::sqlite::Known;
use crate::store::sqlite::checksum::Fault;
use crate::store::sqlite::owners;

/// Writes an endpoint that is new here, or belongs to another than before; answers the number of its owner.
fn put(connection: &Connection, known: &Known, endpoint: &Endpoint, now: Timestamp) -> Result<(), Fault> {
    known.listened.begin();
    let owner = known.owners.number(connection, &endpoint.owner)?;
    write_endpoint(connection, owner, endpoint)?;
    Ok(follow_all(connection, owner, now)?)
}

pub(super) fn configure(
    connection: &Connection,
    known: &Known,
    configured: Vec<Endpoint>,
    now: Timestamp,
) -> Result<(), Fault> {
    let there = endpoints(connection, "t.name IS NOT NULL", [])?;
    for gone in there.iter().filter(|there| !configured.iter().any(|endpoint| endpoint.name == there.name)) {
        remove_endpoint(connection, gone.id)?;
        // Nobody is served yet who would have to wait.
        remove_deliveries(connection, &gone.id.to_string(), usize::MAX)?;
    }
    for endpoint in configured {
        let before = there.iter().find(|there| there.name == endpoint.name);
        let endpoint = before.map_or_else(|| endpoint.clone(), |before| endpoint.clone().in_place_of(before));
        put(connection, known, &endpoint, now)?;
    }
    Ok(())
}

pub(super) fn add(
    connection: &Connection,
    known: &Known,
    endpoint: &Endpoint,
    most: usize,
    now: Timestamp,
) -> Result<bool, Fault> {
    let owner = known.owners.number(connection, &endpoint.owner)?;
    if listening(connection, owner)?.len() >= most {
        return Ok(false);
    }
    put(connection, known, endpoint, now)?;
    Ok(true)
}

pub(super) fn of_owner(connection: &Connection, owner: &Owner) -> Result<Vec<Endpoint>, Fault> {
    let Some(number) = owners::find(connection, owner)? else { return Ok(Vec::new()) };
    Ok(listening(connection, number)?)
}

pub(super) fn change(
    connection: &Connection,
    owner: &Owner,
    id: EndpointId,
    change: &Change,
    now: Timestamp,
) -> Result<Option<Endpoint>, Fault> {
    let known = endpoint(connection, id)?.filter(|endpoint| endpoint.owner == *owner);
    let (Some(known), Some(number)) = (known, owner_of(connection, id)?) else { return Ok(None) };
    let changed = known.changed(change, now);
    write_endpoint(connection, number, &changed)?;
    Ok(Some(changed))
}

pub(super) fn remove(connection: &Connection, owner: &Owner, id: EndpointId) -> Result<bool, Fault> {
    let is_theirs = endpoint(connection, id)?.is_some_and(|endpoint| endpoint.owner == *owner);
    if is_theirs {
        remove_endpoint(connection, id)?;
    }
    Ok(is_theirs)
}

pub(super) fn deliver(connection: &Connection, delivery: &Delivery) -> Result<(), Fault> {
    wake(connection, delivery.endpoint)?;
    tell(connection, std::slice::from_ref(delivery))
}

fn wake(connection: &Connection, id: EndpointId) -> Result<(), Fault> {
    match (endpoint(connection, id)?, owner_of(connection, id)?) {
        (Some(endpoint), Some(owner)) => write_endpoint(connection, owner, &endpoint.awake()),
        _ => Ok(()),
    }
}

pub(super) fn log(
    connection: &Connection,
    id: EndpointId,
    after: Option<DeliveryId>,
    limit: usize,
) -> Result<Vec<Delivery>, Fault> {
    // Every id comes before this.
    let before = after.map_or_else(|| "n".to_owned(), |after| after.to_string());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let condition = "t.endpoint = ?1 AND t.id < ?2 ORDER BY t.id DESC LIMIT ?3";
    Ok(deliveries(connection, condition, params![id.to_string(), before, limit])?)
}

pub(super) fn about(connection: &Connection, request: RequestId, limit: usize) -> Result<Vec<Addressed>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = deliveries(connection, "t.request = ?1 ORDER BY t.id LIMIT ?2", params![request.to_string(), limit])?;
    let mut addressed = Vec::with_capacity(found.len());
    for delivery in found {
        addressed.extend(endpoint(connection, delivery.endpoint)?.map(|endpoint| (delivery, endpoint)));
    }
    Ok(addressed)
}

pub(super) fn replay(
    connection: &Connection,
    of: EndpointId,
    id: DeliveryId,
    now: Timestamp,
) -> Result<Option<Delivery>, Fault> {
    let Some(found) = delivery(connection, id)?.filter(|delivery| delivery.endpoint == of) else { return Ok(None) };
    let replayed = found.replayed(now);
    write_delivery(connection, &replayed, false)?;
    wake(connection, of)?;
    Ok(Some(replayed))
}
