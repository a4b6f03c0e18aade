//! The requests that a transaction has locked, what becomes of them, and what is to be written of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use deadpool_postgres::{GenericClient, Transaction};

use super::document::write_event;
use super::fault::Fault;
use super::rows::{self, Written, is_open};
use super::webhooks::{self, Change};
use crate::core::clock::Timestamp;
use crate::core::ports::requests::{Order, Outcome};
use crate::core::request::{Act, Output, Request, RequestId};

/// What a transaction holds and does.
pub(super) struct Ledger {
    requests: HashMap<RequestId, Entry>,
    written: BTreeSet<RequestId>,
    events: Vec<(String, String)>,
    outputs: Vec<(String, Output)>,
    erased: Vec<String>,
    changes: Vec<Change>,
    /// Those of which the payload is kept, where that matters.
    with_payload: BTreeSet<RequestId>,
}

struct Entry {
    request: Arc<Request>,
    /// Whether it had a row in `work` before.
    was_open: bool,
}

impl Ledger {
    pub(super) fn new(requests: Vec<Arc<Request>>) -> Self {
        let entry = |request: Arc<Request>| (request.id, Entry { was_open: is_open(&request), request });
        Self {
            requests: requests.into_iter().map(entry).collect(),
            written: BTreeSet::new(),
            events: Vec::new(),
            outputs: Vec::new(),
            erased: Vec::new(),
            changes: Vec::new(),
            with_payload: BTreeSet::new(),
        }
    }

    /// Looks which of those that are to be tried again have their payload.
    pub(super) async fn look_for_payloads(
        &mut self,
        transaction: &Transaction<'_>,
        orders: &[Order],
    ) -> Result<(), Fault> {
        let redriven = orders.iter().filter(|order| matches!(order.act, Act::Redrive));
        let ids: Vec<_> = redriven.map(|order| order.target.id.to_string()).collect();
        if !ids.is_empty() {
            let select = transaction.prepare_cached("SELECT id FROM payloads WHERE id = ANY($1)").await?;
            let rows = transaction.query(&select, &[&ids]).await?;
            self.with_payload = rows.iter().filter_map(|row| rows::id(row, 0)).collect();
        }
        Ok(())
    }

    /// The requests that are other than before.
    pub(super) fn changed(&self) -> impl Iterator<Item = &Arc<Request>> {
        self.written.iter().filter_map(|id| self.requests.get(id)).map(|entry| &entry.request)
    }

    /// Carries out an act at `now`; none when there is no such request.
    pub(super) fn act(&mut self, order: &Order, now: Timestamp) -> Option<Outcome> {
        let entry = self.requests.get_mut(&order.target.id)?;
        let is_theirs = order.target.owner.as_ref().is_none_or(|owner| *owner == entry.request.owner);
        if !is_theirs || entry.request.erased_at.is_some() {
            return None;
        }
        let acted = if matches!(order.act, Act::Redrive) && !self.with_payload.contains(&order.target.id) {
            entry.request.act_without_payload(&order.by, now)
        } else {
            entry.request.act(&order.act, &order.by, now)
        };
        let id = entry.request.id.to_string();
        self.events.extend(acted.events.iter().map(|event| (id.clone(), write_event(event))));
        if let Some(written) = acted.written {
            let before = std::mem::replace(&mut entry.request, Arc::new(written));
            let after = Arc::clone(&entry.request);
            self.changes.push(Change { before, after, events: acted.events, now });
            self.written.insert(entry.request.id);
            match &order.act {
                Act::Complete { output, .. } if acted.refused.is_none() => self.outputs.push((id, output.clone())),
                Act::Erase if acted.refused.is_none() => self.erased.push(id),
                _ => {}
            }
        }
        Some(Outcome { request: Arc::clone(&entry.request), refused: acted.refused })
    }

    /// Writes what there is to write.
    pub(super) async fn write(&self, transaction: &Transaction<'_>) -> Result<(), Fault> {
        let entries: Vec<_> = self.written.iter().filter_map(|id| self.requests.get(id)).collect();
        let (open, ended): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| is_open(&entry.request));
        let whole = entries.iter().filter(|entry| !entry.was_open || !is_open(&entry.request));
        write_whole(transaction, whole.map(|entry| &*entry.request).collect()).await?;
        write_work(transaction, open.iter().map(|entry| &*entry.request).collect()).await?;
        let left: Vec<_> =
            ended.iter().filter(|entry| entry.was_open).map(|entry| entry.request.id.to_string()).collect();
        if !left.is_empty() {
            execute(transaction, "DELETE FROM work WHERE id = ANY($1)", &[&left]).await?;
        }
        if !self.events.is_empty() {
            let (ids, events): (Vec<&str>, Vec<&str>) =
                self.events.iter().map(|(id, event)| (id.as_str(), event.as_str())).unzip();
            let insert = "INSERT INTO events (id, event) SELECT * FROM unnest($1::text[], $2::text[])";
            execute(transaction, insert, &[&ids, &events]).await?;
        }
        for (id, output) in &self.outputs {
            let insert = "WITH kept AS (INSERT INTO outputs (id, content_type, body) VALUES ($1, $2, $3) \
                          ON CONFLICT DO NOTHING RETURNING id) \
                          UPDATE requests SET bytes = bytes + octet_length($3::bytea) WHERE id = (SELECT id FROM kept)";
            execute(transaction, insert, &[id, &output.content_type, &output.body]).await?;
        }
        if !self.erased.is_empty() {
            forget(transaction, &self.erased, &["payloads", "outputs", "idempotency"]).await?;
        }
        webhooks::acted(transaction, &self.changes).await
    }
}

/// Removes what tables have of these requests.
pub(super) async fn forget(transaction: &Transaction<'_>, ids: &[String], tables: &[&str]) -> Result<(), Fault> {
    for table in tables {
        execute(transaction, &format!("DELETE FROM {table} WHERE id = ANY($1)"), &[&ids]).await?;
    }
    Ok(())
}

/// Writes the rows of requests that pass by themselves, that have ended, or that begin anew.
async fn write_whole(transaction: &Transaction<'_>, requests: Vec<&Request>) -> Result<(), Fault> {
    if requests.is_empty() {
        return Ok(());
    }
    let written: Vec<Written> = requests.iter().map(|request| rows::write(request)).collect();
    let text = |of: fn(&Written) -> &str| written.iter().map(of).collect::<Vec<&str>>();
    // What is open ends where "work" says.
    let ends_at: Vec<Option<i64>> =
        requests.iter().zip(&written).map(|(request, written)| written.ends_at.filter(|_| !is_open(request))).collect();
    let update = "UPDATE requests r SET alias = new.alias, tags = new.tags, doc = new.doc, ats = new.ats::bigint[], \
                  statuses = new.statuses, ends_at = new.ends_at, erased_at = new.erased_at, \
                  has_content = r.has_content AND new.erased_at IS NULL, \
                  bytes = CASE WHEN new.erased_at IS NULL THEN r.bytes ELSE 0 END \
                  FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[]) \
                  AS new (id, alias, tags, doc, ats, statuses, ends_at, erased_at) WHERE r.id = new.id";
    execute(
        transaction,
        update,
        &[
            &text(|row| &row.id),
            &written.iter().map(|row| row.alias.as_deref()).collect::<Vec<_>>(),
            &text(|row| &row.tags),
            &text(|row| &row.document),
            &text(|row| &row.ats),
            &text(|row| &row.statuses),
            &ends_at,
            &written.iter().map(|row| row.erased_at).collect::<Vec<_>>(),
        ],
    )
    .await
}

/// Writes the rows of requests that workers have yet to finish.
async fn write_work(transaction: &Transaction<'_>, requests: Vec<&Request>) -> Result<(), Fault> {
    if requests.is_empty() {
        return Ok(());
    }
    let written: Vec<Written> = requests.iter().map(|request| rows::write(request)).collect();
    let text = |of: fn(&Written) -> &str| written.iter().map(of).collect::<Vec<&str>>();
    let upsert = "INSERT INTO work (id, kind, owner, ready_at, ends_at, doc, ats, statuses) \
                  SELECT new.id, r.kind, r.owner, new.ready_at, new.ends_at, new.doc, new.ats::bigint[], new.statuses \
                  FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[]) \
                  AS new (id, ready_at, ends_at, doc, ats, statuses) JOIN requests r ON r.id = new.id \
                  ON CONFLICT (id) DO UPDATE SET ready_at = excluded.ready_at, ends_at = excluded.ends_at, \
                  doc = excluded.doc, ats = excluded.ats, statuses = excluded.statuses";
    execute(
        transaction,
        upsert,
        &[
            &text(|row| &row.id),
            &written.iter().map(|row| row.ready_at).collect::<Vec<_>>(),
            &written.iter().map(|row| row.ends_at).collect::<Vec<_>>(),
            &text(|row| &row.document),
            &text(|row| &row.ats),
            &text(|row| &row.statuses),
        ],
    )
    .await
}

async fn execute(
    transaction: &Transaction<'_>,
    statement: &str,
    values: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<(), Fault> {
    let statement = transaction.prepare_cached(statement).await?;
    transaction.execute(&statement, values).await?;
    Ok(())
}
