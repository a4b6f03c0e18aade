//! Submissions: those of many callers in one statement, and with it in one commit.

use std::sync::Arc;

use deadpool_postgres::{GenericClient, Object};

use super::document::write_event;
use super::fault::Fault;
use super::rows::{self, COLUMNS, TABLES, Written};
use super::shared::Shared;
use crate::core::ports::requests::{Idempotency, NewRequest, Submission};
use crate::core::request::{Owner, Request};

/// A submission, ready to be sent.
pub(super) struct Prepared {
    request: Arc<Request>,
    written: Written,
    event: Option<String>,
    payload: String,
    idempotency: Option<Idempotency>,
}

impl From<NewRequest> for Prepared {
    fn from(new: NewRequest) -> Self {
        let NewRequest { request, payload, idempotency, by } = new;
        let event = request.work().map(|_| write_event(&request.submitted_event(&by)));
        Self { written: rows::write(&request), request: Arc::new(request), event, payload, idempotency }
    }
}

impl Prepared {
    /// How much of a commit it takes.
    pub(super) fn bytes(&self) -> usize {
        self.payload.len() + self.written.document.len() + self.written.tags.len() + 256
    }

    pub(super) fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// Unique names are taken in one order by everybody, so that no two commits wait for each other.
    fn place(&self) -> (Option<&str>, Option<&str>) {
        (self.idempotency.as_ref().map(|sent| sent.key.as_str()), self.request.alias.as_deref())
    }
}

/// Stores what can be stored, and answers the ids of that: one statement, which is one commit.
///
/// A key or an alias that is there keeps its request from being stored; one that another commit is about to take is waited for.
const STORE: &str = "WITH new AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::bytea[], $16::bytea[], $17::text[])
    AS new (owner, id, kind, submitted_at, timeline, alias, tags, doc, ats, statuses, ends_at, ready_at, event, route, key,
        fingerprint, payload)
), keyed AS (
    INSERT INTO idempotency (owner, route, key, fingerprint, id)
    SELECT owner, route, key, fingerprint, id FROM new WHERE key IS NOT NULL AND (alias IS NULL OR NOT EXISTS (
        SELECT FROM requests r WHERE r.owner = new.owner AND r.alias = new.alias))
    ON CONFLICT DO NOTHING RETURNING id
), stored AS (
    INSERT INTO requests (id, owner, kind, submitted_at, timeline, alias, tags, doc, ats, statuses, ends_at, bytes)
    SELECT id, owner, kind, submitted_at, timeline, alias, tags, doc, ats::bigint[], statuses,
        CASE WHEN timeline IS NOT NULL THEN ends_at END, octet_length(payload)
    FROM new WHERE key IS NULL OR id IN (SELECT id FROM keyed)
    ON CONFLICT (owner, alias) WHERE alias IS NOT NULL DO NOTHING RETURNING id
), paid AS (
    INSERT INTO payloads (id, body) SELECT id, payload FROM new JOIN stored USING (id)
), worked AS (
    INSERT INTO work (id, kind, owner, ready_at, ends_at, doc, ats, statuses)
    SELECT id, kind, owner, ready_at, ends_at, doc, ats::bigint[], statuses FROM new JOIN stored USING (id)
    WHERE timeline IS NULL
), told AS (
    INSERT INTO events (id, event) SELECT id, event FROM new JOIN stored USING (id) WHERE event IS NOT NULL
), followed AS (
    INSERT INTO webhook_followed (request, since, next_at) SELECT id, submitted_at, submitted_at FROM new JOIN stored USING (id)
    WHERE EXISTS (SELECT FROM webhook_endpoints e WHERE e.owner = new.owner)
)
SELECT id FROM stored";

/// Stores submissions; each has an outcome of its own, in the same order, or a fault of its own once others are stored. An error is all
/// of theirs, and nothing was stored.
pub(super) async fn submit(shared: &Shared, all: &[Prepared]) -> Result<Vec<Result<Submission, Fault>>, Fault> {
    let client = shared.session().await?;
    let mut outcomes: Vec<Option<Result<Submission, Fault>>> = vec![None; all.len()];
    let mut open: Vec<usize> = (0..all.len()).collect();
    open.sort_by(|a, b| all[*a].place().cmp(&all[*b].place()));
    let mut rest = Fault::Busy;
    for _ in 0..super::shared::TRIES {
        let waiting: Vec<&Prepared> = open.iter().map(|index| &all[*index]).collect();
        let began = shared.clock.monotonic();
        let stored = store(shared, &client, &waiting).await;
        shared.count(&stored, waiting.len(), began);
        let mut stored = match stored {
            Ok(stored) => stored,
            // It was undone whole.
            Err(Fault::Conflict) => continue,
            Err(fault) if open.len() == all.len() => return Err(fault),
            Err(fault) => {
                rest = fault;
                break;
            }
        };
        for index in std::mem::take(&mut open) {
            let Prepared { request, written, .. } = &all[index];
            outcomes[index] = if stored.remove(&written.id) {
                Some(Ok(Submission::Accepted(Arc::clone(request))))
            } else {
                earlier(shared, &client, &all[index]).await.transpose()
            };
            if outcomes[index].is_none() {
                open.push(index);
            }
        }
        if open.is_empty() {
            break;
        }
    }
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(rest.clone()))).collect())
}

async fn store(
    shared: &Shared,
    client: &Object,
    new: &[&Prepared],
) -> Result<std::collections::HashSet<String>, Fault> {
    let (mut owners, mut timelines) = (Vec::new(), Vec::new());
    for one in new {
        owners.push(shared.names.owner(client, &one.request.owner).await?);
        timelines.push(shared.names.timeline(client, &one.request).await?);
    }
    let column = |of: fn(&Prepared) -> &str| new.iter().map(|one| of(one)).collect::<Vec<&str>>();
    let number = |of: fn(&Prepared) -> Option<i64>| new.iter().map(|one| of(one)).collect::<Vec<_>>();
    let sent = |of: fn(&Idempotency) -> &[u8]| {
        new.iter().map(|one| one.idempotency.as_ref().map(of)).collect::<Vec<Option<&[u8]>>>()
    };
    let statement = client.prepare_cached(STORE).await?;
    let rows = client
        .query(
            &statement,
            &[
                &owners,
                &column(|one| &one.written.id),
                &column(|one| &one.request.kind),
                &number(|one| Some(one.request.submitted_at.millis())),
                &timelines,
                &new.iter().map(|one| one.written.alias.as_deref()).collect::<Vec<_>>(),
                &column(|one| &one.written.tags),
                &column(|one| &one.written.document),
                &column(|one| &one.written.ats),
                &column(|one| &one.written.statuses),
                &number(|one| one.written.ends_at),
                &number(|one| one.written.ready_at),
                &new.iter().map(|one| one.event.as_deref()).collect::<Vec<_>>(),
                &new.iter().map(|one| one.idempotency.as_ref().map(|sent| sent.route)).collect::<Vec<_>>(),
                &sent(|sent| sent.key.as_bytes()),
                &sent(|sent| &sent.fingerprint),
                &column(|one| &one.payload),
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// What kept a submission from being stored: the same one before. None: it is gone meanwhile.
async fn earlier(shared: &Shared, client: &Object, new: &Prepared) -> Result<Option<Submission>, Fault> {
    let owner = &new.request.owner;
    if let Some(sent) = &new.idempotency {
        let number = shared.names.owner(client, owner).await?;
        let select = "SELECT k.fingerprint, k.id, r.id IS NOT NULL FROM idempotency k LEFT JOIN requests r ON r.id = k.id \
                      WHERE k.owner = $1 AND k.route = $2 AND k.key = $3";
        let statement = client.prepare_cached(select).await?;
        let row = client.query_opt(&statement, &[&number, &sent.route, &sent.key.as_bytes()]).await?;
        if let Some(row) = row {
            let (fingerprint, id): (Vec<u8>, String) = (row.get(0), row.get(1));
            if row.get(2) {
                let same = fingerprint == sent.fingerprint;
                let found = if same { find(shared, client, "r.id = $1", &id).await? } else { None };
                return Ok(Some(found.map_or(Submission::KeyReused, Submission::Replayed)));
            }
            // Its request was never stored: another of the same alias came first.
            client.execute("DELETE FROM idempotency WHERE id = $1", &[&id]).await?;
        }
    }
    let Some(alias) = &new.request.alias else { return Ok(None) };
    Ok(find_by_alias(shared, client, owner, alias).await?.map(Submission::Replayed))
}

pub(super) async fn find_by_alias(
    shared: &Shared,
    client: &Object,
    owner: &Owner,
    alias: &str,
) -> Result<Option<Arc<Request>>, Fault> {
    let Some(number) = shared.names.find_owner(client, owner).await? else { return Ok(None) };
    let select = format!("SELECT {COLUMNS} FROM {TABLES} WHERE r.owner = $1 AND r.alias = $2");
    let row = client.query_opt(&client.prepare_cached(&select).await?, &[&number, &alias.as_bytes()]).await?;
    Ok(shared.read(client, row.as_slice()).await?.pop())
}

/// The request that one condition on one value finds.
pub(super) async fn find(
    shared: &Shared,
    client: &Object,
    condition: &str,
    value: &str,
) -> Result<Option<Arc<Request>>, Fault> {
    let select = format!("SELECT {COLUMNS} FROM {TABLES} WHERE {condition}");
    let row = client.query_opt(&client.prepare_cached(&select).await?, &[&value]).await?;
    Ok(shared.read(client, row.as_slice()).await?.pop())
}
