//! What is kept too long goes, in small batches.

use deadpool_postgres::{GenericClient, Transaction};

use super::acts::{commit, read_whole};
use super::fault::Fault;
use super::ledger::forget;
use super::rows;
use super::shared::{Shared, again};
use crate::core::clock::Timestamp;
use crate::core::ports::requests::{Purged, Retention};
use crate::core::request::Request;

/// All that belongs to a request besides its own row.
const PARTS: [&str; 5] = ["payloads", "outputs", "events", "idempotency", "work"];

/// What the texts take at the server. Adding up all of them takes long: it is left out while they take less than they may.
const SIZE: &str = "SELECT pg_total_relation_size('payloads') + pg_total_relation_size('outputs')";

/// What has ended by `$1`; also by time alone, which is not written down yet.
macro_rules! ended {
    () => {
        "(SELECT id, ends_at, bytes, has_content FROM requests WHERE ends_at <= $1 UNION ALL \
         SELECT w.id, w.ends_at, r.bytes, r.has_content FROM work w JOIN requests r ON r.id = w.id WHERE w.ends_at <= $1) ended"
    };
}

/// Removes what is kept too long, at most so many requests, and payloads of as many.
pub(super) async fn purge(shared: &Shared, retention: Retention, most: usize) -> Result<Purged, Fault> {
    again!(attempt(shared, retention, most))
}

async fn attempt(shared: &Shared, retention: Retention, most: usize) -> Result<Purged, Fault> {
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    let now = shared.now();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let beyond = beyond_limits(&transaction, retention, now).await?;
    let old = before(now, retention.request);
    // One more than go at once, to know whether there are more.
    let select = concat!(
        "SELECT id FROM (SELECT id, ends_at, row_number() OVER (ORDER BY ends_at, id) AS rank FROM ",
        ended!(),
        " ORDER BY ends_at, id LIMIT $4) ranked WHERE ends_at <= $2 OR rank <= $3 ORDER BY rank"
    );
    let statement = transaction.prepare_cached(select).await?;
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&now.millis(), &old, &beyond, &most.saturating_add(1)];
    let ids = transaction.query(&statement, &values).await?.iter().map(|row| row.get(0)).collect();
    let (ids, is_more) = cut(ids, most);
    let ids = lock(&transaction, &ids, now).await?;
    forget(&transaction, &ids, &PARTS).await?;
    forget(&transaction, &ids, &["requests"]).await?;
    let contents = contents(&transaction, before(now, retention.payload), most.saturating_add(1)).await?;
    let (contents, are_more) = cut(contents, most);
    let contents = lock(&transaction, &contents, now).await?;
    forget_contents(shared, &transaction, &contents).await?;
    commit(transaction).await?;
    Ok(Purged { requests: ids.len(), payloads: contents.len(), more: is_more || are_more })
}

/// As many as may be, and whether there were more.
fn cut(mut ids: Vec<String>, most: i64) -> (Vec<String>, bool) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let is_more = ids.len() > most;
    ids.truncate(most);
    (ids, is_more)
}

fn before(now: Timestamp, kept: std::time::Duration) -> i64 {
    now.plus_millis(-i64::try_from(kept.as_millis()).unwrap_or(i64::MAX)).millis()
}

/// How many requests are more than there may be, or hold more than may be held.
async fn beyond_limits(transaction: &Transaction<'_>, retention: Retention, now: Timestamp) -> Result<i64, Fault> {
    let limit = |limit: Option<u64>| limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut beyond = 0;
    if let Some(most) = limit(retention.most_requests) {
        let count: i64 = transaction.query_one("SELECT count(*) FROM requests", &[]).await?.get(0);
        beyond = beyond.max(count.saturating_sub(most));
    }
    if let Some(most) = limit(retention.most_bytes)
        && transaction.query_one(SIZE, &[]).await?.get::<_, i64>(0) > most
    {
        let sum = transaction.query_one("SELECT COALESCE(sum(bytes), 0)::bigint FROM requests", &[]).await?;
        let excess = sum.get::<_, i64>(0).saturating_sub(most);
        if excess > 0 {
            let select = concat!(
                "SELECT count(*) FROM (SELECT sum(bytes) OVER (ORDER BY ends_at, id) - bytes AS freed FROM ",
                ended!(),
                " ORDER BY ends_at, id LIMIT 10000) gone WHERE freed < $2::bigint"
            );
            beyond = beyond.max(transaction.query_one(select, &[&now.millis(), &excess]).await?.get(0));
        }
    }
    Ok(beyond)
}

/// Locks requests, and answers those that have not begun anew meanwhile.
async fn lock(transaction: &Transaction<'_>, ids: &[String], now: Timestamp) -> Result<Vec<String>, Fault> {
    let lock = "SELECT id FROM requests WHERE id = ANY($1) ORDER BY id FOR UPDATE";
    transaction.query(&transaction.prepare_cached(lock).await?, &[&ids]).await?;
    let select = concat!("SELECT id FROM ", ended!(), " WHERE id = ANY($2)");
    let rows = transaction.query(&transaction.prepare_cached(select).await?, &[&now.millis(), &ids]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Those that have ended so long ago, and of which there is yet a payload or a result.
async fn contents(transaction: &Transaction<'_>, ended: i64, most: i64) -> Result<Vec<String>, Fault> {
    let select = concat!("SELECT id FROM ", ended!(), " WHERE has_content ORDER BY ends_at, id LIMIT $2");
    let rows = transaction.query(&transaction.prepare_cached(select).await?, &[&ended, &most]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Removes payloads and results of requests that are kept, and what their views show of the results.
async fn forget_contents(shared: &Shared, transaction: &Transaction<'_>, ids: &[String]) -> Result<(), Fault> {
    forget(transaction, ids, &["payloads", "outputs"]).await?;
    let (mut names, mut documents) = (Vec::new(), Vec::new());
    for request in read_whole(shared, transaction, ids).await? {
        let mut request = Request::clone(&request);
        request.forget_result();
        let written = rows::write(&request);
        names.push(written.id);
        documents.push(written.document);
    }
    let update = "UPDATE requests r SET doc = COALESCE(new.doc, r.doc), has_content = false, bytes = 0 \
                  FROM unnest($3::text[]) AS gone (id) LEFT JOIN unnest($1::text[], $2::text[]) AS new (id, doc) \
                  ON new.id = gone.id WHERE r.id = gone.id";
    transaction.execute(&transaction.prepare_cached(update).await?, &[&names, &documents, &ids]).await?;
    Ok(())
}
