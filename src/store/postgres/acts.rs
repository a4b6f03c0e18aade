//! Acts: lock, read, judge with the pure function, write; all in one transaction.

use std::sync::Arc;

use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::error::SqlState;

use super::fault::Fault;
use super::ledger::Ledger;
use super::rows::{self, COLUMNS, TABLES};
use super::shared::{Shared, again};
use crate::core::ports::requests::{Order, Outcome};
use crate::core::request::Request;

/// What every act takes first, in one order, and what keeps others from these requests until the commit.
const LOCK: &str = "SELECT id FROM requests WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";

/// Carries out acts in one commit.
pub(super) async fn act_all(shared: &Shared, orders: &[Order]) -> Result<Vec<Option<Outcome>>, Fault> {
    let mut ids: Vec<String> = orders.iter().map(|order| order.target.id.to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    let began = shared.clock.monotonic();
    let done = again!(attempt(shared, &ids, orders));
    shared.count(&done, orders.len(), began);
    let (outcomes, ledger) = done?;
    shared.news.changed(ledger.changed());
    Ok(outcomes)
}

async fn attempt(shared: &Shared, ids: &[String], orders: &[Order]) -> Result<(Vec<Option<Outcome>>, Ledger), Fault> {
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    let lock = transaction.prepare_cached(LOCK).await?;
    transaction.query(&lock, &[&ids]).await?;
    let mut ledger = Ledger::new(read(shared, &transaction, ids).await?);
    ledger.look_for_payloads(&transaction, orders).await?;
    // With the locks held: no other act comes between the judgement and the commit.
    let now = shared.now();
    let outcomes: Vec<_> = orders.iter().map(|order| ledger.act(order, now)).collect();
    ledger.write(&transaction).await?;
    commit(transaction).await?;
    Ok((outcomes, ledger))
}

/// The requests of these names that there are, as they stand now.
pub(super) async fn read(
    shared: &Shared,
    client: &impl GenericClient,
    ids: &[String],
) -> Result<Vec<Arc<Request>>, Fault> {
    let select = format!("SELECT {COLUMNS} FROM {TABLES} WHERE r.id = ANY($1)");
    let rows = client.query(&client.prepare_cached(&select).await?, &[&ids]).await?;
    shared.read(client, &rows).await
}

/// The same, of those that can be read. The others are put aside, so that they are in nobody's way: nobody leases them, and their ends
/// are not written down.
pub(super) async fn read_whole(
    shared: &Shared,
    transaction: &Transaction<'_>,
    ids: &[String],
) -> Result<Vec<Arc<Request>>, Fault> {
    let select = format!("SELECT {COLUMNS} FROM {TABLES} WHERE r.id = ANY($1)");
    let found = transaction.query(&transaction.prepare_cached(&select).await?, &[&ids]).await?;
    shared.names.learn(transaction, found.iter().filter_map(rows::timeline).collect()).await?;
    let (mut whole, mut damaged) = (Vec::new(), Vec::new());
    for row in &found {
        match rows::read(row, &shared.names.timelines) {
            Ok(request) => whole.push(request),
            Err(fault) => {
                tracing::error!(?fault, "a damaged record is put aside: it is leased to nobody");
                damaged.push(row.get::<_, String>(0));
            }
        }
    }
    if !damaged.is_empty() {
        let update = "UPDATE work SET ready_at = NULL, ends_at = NULL WHERE id = ANY($1)";
        transaction.execute(update, &[&damaged]).await?;
    }
    Ok(whole)
}

/// Commits. What an error leaves is unknown, and is not tried again, unless the server itself says that it has undone it.
pub(super) async fn commit(transaction: Transaction<'_>) -> Result<(), Fault> {
    transaction.commit().await.map_err(|error| match error.code() {
        Some(code) if *code == SqlState::T_R_SERIALIZATION_FAILURE => Fault::Conflict,
        Some(code) if *code == SqlState::DISK_FULL => Fault::Full,
        _ => Fault::Failed(super::fault::told(&error)),
    })
}
