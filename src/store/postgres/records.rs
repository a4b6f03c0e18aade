//! The records of the authorization server in the database.

use std::sync::Arc;

use tokio_postgres::Row;

use super::acts::commit;
use super::fault::Fault;
use super::shared::{PATIENCE, Shared, again};
use super::thread::Thread;
use crate::core::BoxFuture;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::ports::records::{Record, RecordChange, RecordKind, Records};

/// The records in a database.
pub(super) struct PostgresRecords {
    pub(super) shared: Arc<Shared>,
    pub(super) thread: Arc<Thread>,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl Records for PostgresRecords {
    fn find<'a>(&'a self, kind: RecordKind, key: &'a str) -> Answer<'a, Option<Record>> {
        let (shared, key) = (Arc::clone(&self.shared), key.to_owned());
        self.thread.read(async move { shared.bounded(PATIENCE, find(&shared, kind, &key)).await })
    }

    fn list<'a>(&'a self, kind: RecordKind, after: Option<&'a str>, limit: usize) -> Answer<'a, Vec<Record>> {
        let (shared, after) = (Arc::clone(&self.shared), after.unwrap_or_default().to_owned());
        self.thread.read(async move { shared.bounded(PATIENCE, list(&shared, kind, &after, limit)).await })
    }

    fn commit(&self, changes: Vec<RecordChange>) -> Answer<'_, bool> {
        let shared = Arc::clone(&self.shared);
        self.thread
            .run(async move { shared.bounded(PATIENCE, async { again!(change_all(&shared, changes.clone())) }).await })
    }

    fn forget(&self, before: Timestamp, most: usize) -> Answer<'_, usize> {
        let shared = Arc::clone(&self.shared);
        self.thread.run(async move { shared.bounded(PATIENCE, forget(&shared, before, most)).await })
    }
}

async fn find(shared: &Shared, kind: RecordKind, key: &str) -> Result<Option<Record>, Fault> {
    let client = shared.session().await?;
    let sql = "SELECT key, version, expires_at, body FROM records WHERE kind = $1 AND key = $2";
    let statement = client.prepare_cached(sql).await?;
    client.query_opt(&statement, &[&kind.name(), &key]).await?.as_ref().map(read).transpose()
}

async fn list(shared: &Shared, kind: RecordKind, after: &str, limit: usize) -> Result<Vec<Record>, Fault> {
    let client = shared.session().await?;
    let sql = "SELECT key, version, expires_at, body FROM records WHERE kind = $1 AND key > $2 ORDER BY key LIMIT $3";
    let statement = client.prepare_cached(sql).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    client.query(&statement, &[&kind.name(), &after, &limit]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Record, Fault> {
    let version: i64 = row.try_get(1)?;
    Ok(Record {
        key: row.try_get(0)?,
        version: u32::try_from(version).unwrap_or(u32::MAX),
        expires_at: row.try_get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
        body: row.try_get(3)?,
    })
}

/// Each change finds its record as it is expected to be, or nothing is changed: who comes second waits for who came first, and finds
/// another version. The order of the keys keeps two from waiting for each other.
async fn change_all(shared: &Shared, mut changes: Vec<RecordChange>) -> Result<bool, Fault> {
    changes.sort_by(|one, other| (one.kind, &one.key).cmp(&(other.kind, &other.key)));
    let mut client = shared.session().await?;
    let transaction = client.transaction().await?;
    for RecordChange { kind, key, expected, body } in changes {
        let expected = expected.map(i64::from);
        let expires_at = body.as_ref().and_then(|(_, expires_at)| *expires_at).map(Timestamp::millis);
        let affected = match (body, expected) {
            (Some((body, _)), None) => {
                let sql = "INSERT INTO records (kind, key, version, expires_at, body) VALUES ($1, $2, 1, $3, $4) ON CONFLICT DO NOTHING";
                let statement = transaction.prepare_cached(sql).await?;
                transaction.execute(&statement, &[&kind.name(), &key, &expires_at, &body]).await?
            }
            (Some((body, _)), Some(expected)) => {
                let sql = "UPDATE records SET version = version + 1, expires_at = $3, body = $4 \
                           WHERE kind = $1 AND key = $2 AND version = $5";
                let statement = transaction.prepare_cached(sql).await?;
                transaction.execute(&statement, &[&kind.name(), &key, &expires_at, &body, &expected]).await?
            }
            (None, Some(expected)) => {
                let sql = "DELETE FROM records WHERE kind = $1 AND key = $2 AND version = $3";
                let statement = transaction.prepare_cached(sql).await?;
                transaction.execute(&statement, &[&kind.name(), &key, &expected]).await?
            }
            (None, None) => {
                let sql = "SELECT FROM records WHERE kind = $1 AND key = $2";
                let statement = transaction.prepare_cached(sql).await?;
                u64::from(transaction.query_opt(&statement, &[&kind.name(), &key]).await?.is_none())
            }
        };
        if affected == 0 {
            return Ok(false);
        }
    }
    commit(transaction).await?;
    Ok(true)
}

async fn forget(shared: &Shared, before: Timestamp, most: usize) -> Result<usize, Fault> {
    let client = shared.session().await?;
    let sql = "DELETE FROM records WHERE (kind, key) IN \
               (SELECT kind, key FROM records WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let statement = client.prepare_cached(sql).await?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let forgotten = client.execute(&statement, &[&before.millis(), &most]).await?;
    Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
}
