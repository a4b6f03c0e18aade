//! Deliveries in the commit of the change that they tell of.

use rusqlite::{Connection, OptionalExtension, params};

use super::Listened;
use super::rows::{endpoints, write_delivery};
use crate::core::clock::Timestamp;
use crate::core::request::{Event, Request};
use crate::core::webhook::{Delivery, Endpoint, following, of_act, of_submission};
use crate::store::sqlite::checksum::Fault;

/// The endpoints of the owner of that number.
pub(super) fn listening(connection: &Connection, owner: i64) -> rusqlite::Result<Vec<Endpoint>> {
    endpoints(connection, "t.owner = ?1 ORDER BY t.id", [owner])
}

/// Writes what is told for the first time.
pub(super) fn tell(connection: &Connection, deliveries: &[Delivery]) -> Result<(), Fault> {
    deliveries.iter().try_for_each(|delivery| write_delivery(connection, delivery, true))
}

/// A request of the owner of that number was submitted.
pub(in crate::store::sqlite) fn submitted(
    connection: &Connection,
    listened: &Listened,
    owner: i64,
    request: &Request,
) -> Result<(), Fault> {
    if !listened.is_so() {
        return Ok(());
    }
    let endpoints = listening(connection, owner)?;
    if endpoints.is_empty() {
        return Ok(());
    }
    tell(connection, &of_submission(&endpoints, request))?;
    Ok(follow(connection, request, request.submitted_at)?)
}

/// An act at `now` has made `after` out of `before`, a request of the owner of that number.
pub(in crate::store::sqlite) fn acted(
    connection: &Connection,
    listened: &Listened,
    owner: i64,
    (before, after): (&Request, &Request),
    events: &[Event],
    now: Timestamp,
) -> Result<(), Fault> {
    if !listened.is_so() {
        return Ok(());
    }
    let id = after.id.to_string();
    if after.erased_at.is_some() {
        connection.prepare_cached("DELETE FROM webhook_deliveries WHERE request = ?1")?.execute([&id])?;
    }
    let endpoints = listening(connection, owner)?;
    let since = connection
        .prepare_cached("SELECT since FROM webhook_followed WHERE request = ?1")?
        .query_row([&id], |row| row.get(0).map(Timestamp::from_millis))
        .optional()?;
    tell(connection, &of_act(&endpoints, (before, after), events, (since.unwrap_or(now), now)))?;
    if !endpoints.is_empty() || since.is_some() {
        follow(connection, after, now)?;
    }
    Ok(())
}

/// Follows a timeline from now on, or no more when it has nothing to tell.
pub(super) fn follow(connection: &Connection, request: &Request, now: Timestamp) -> rusqlite::Result<()> {
    let id = request.id.to_string();
    match following(request, now) {
        Some(next) => connection
            .prepare_cached("INSERT OR REPLACE INTO webhook_followed (request, since, next_at) VALUES (?1, ?2, ?3)")?
            .execute(params![id, now.millis(), next.millis()])?,
        None if request.simulation().is_some() => {
            connection.prepare_cached("DELETE FROM webhook_followed WHERE request = ?1")?.execute([id])?
        }
        None => 0,
    };
    Ok(())
}

/// Follows the timelines of an owner who has begun to listen. When the next stage of each begins is found out on the first look.
pub(super) fn follow_all(connection: &Connection, owner: i64, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO webhook_followed (request, since, next_at) SELECT id, ?2, ?2 FROM requests \
             WHERE owner = ?1 AND timeline IS NOT NULL AND ends_at > ?2 AND cancelled_at IS NULL AND erased_at IS NULL",
        )?
        .execute(params![owner, now.millis()])
        .map(drop)
}
