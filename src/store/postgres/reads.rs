//! Finding and listing; and not showing an end that an act under way may yet undo.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{GenericClient, Object};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::document::{json, read_event};
use super::fault::Fault;
use super::rows::{self, COLUMNS, TABLES};
use super::shared::Shared;
use crate::core::clock::Timestamp;
use crate::core::ports::requests::{Filter, Position};
use crate::core::request::{Event, Output, Owner, Request, RequestId};

/// No act is under way longer than this: the server ends what waits for a lock, a statement or its client for half of that.
const LONGEST_ACT: Duration = Duration::from_secs(20);
/// So many rows are looked at at once where a filter asks what no column says.
const CHUNK: i64 = 500;

/// The request of that id, of anybody or of this owner.
pub(super) async fn find(shared: &Shared, owner: Option<&Owner>, id: RequestId) -> Result<Option<Arc<Request>>, Fault> {
    let client = shared.session().await?;
    let id = id.to_string();
    let mut found = super::submit::find(shared, &client, "r.id = $1", &id).await?;
    if wait_for_acts(shared, &client, found.iter()).await? {
        found = super::submit::find(shared, &client, "r.id = $1", &id).await?;
    }
    Ok(found.filter(|request| owner.is_none_or(|owner| request.owner == *owner)))
}

/// Where time alone has just brought about the end of one of these, waits for whoever judged before that and has not committed; then
/// they are to be read again.
async fn wait_for_acts(
    shared: &Shared,
    client: &Object,
    requests: impl Iterator<Item = &Arc<Request>>,
) -> Result<bool, Fault> {
    let now = shared.now();
    let has_just_ended = |request: &&Arc<Request>| {
        let (number, phase) = request.phase_at(now);
        number > 0 && phase.status.is_terminal() && phase.at.plus(LONGEST_ACT) > now
    };
    let ids: Vec<String> = requests.filter(has_just_ended).map(|request| request.id.to_string()).collect();
    if ids.is_empty() {
        return Ok(false);
    }
    let lock = client.prepare_cached("SELECT id FROM requests WHERE id = ANY($1) ORDER BY id FOR SHARE").await?;
    // Nothing is changed that would have to be durable.
    client.batch_execute("BEGIN; SET LOCAL synchronous_commit = off").await?;
    let locked = client.query(&lock, &[&ids]).await;
    client.batch_execute("COMMIT").await?;
    locked?;
    Ok(true)
}

/// A condition, and the values that it names.
#[derive(Default)]
struct Conditions<'a> {
    text: String,
    values: Vec<Box<dyn ToSql + Sync + Send + 'a>>,
}

impl<'a> Conditions<'a> {
    /// One more that has to hold; `?` in it stands for the value.
    fn and(&mut self, condition: &str, value: impl ToSql + Sync + Send + 'a) {
        self.values.push(Box::new(value));
        let number = format!("${}", self.values.len());
        self.text.push_str(if self.text.is_empty() { " WHERE " } else { " AND " });
        self.text.push_str(&condition.replace('?', &number));
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}

/// What of a filter columns say. The stage, and when it last changed, they do not.
fn conditions(owner: Option<i64>, filter: &Filter, now: Timestamp) -> Conditions<'_> {
    let mut all = Conditions::default();
    all.and("r.erased_at IS NULL AND ?", true);
    if let Some(owner) = owner {
        all.and("r.owner = ?", owner);
    }
    if !filter.statuses.is_empty() {
        let digits: Vec<String> = filter.statuses.iter().map(|status| rows::digit(*status).to_string()).collect();
        let bucket = format!("width_bucket({}::bigint, COALESCE(w.ats, r.ats))", now.millis());
        all.and(&format!("substr(COALESCE(w.statuses, r.statuses), 1 + {bucket}, 1) = ANY(?)"), digits);
    }
    let writable = |text: &&String| !text.contains('\0');
    if !filter.kinds.is_empty() {
        all.and("r.kind = ANY(?)", filter.kinds.iter().filter(writable).map(String::as_str).collect::<Vec<_>>());
    }
    if !filter.closed_kinds.is_empty() {
        all.and(
            "r.kind <> ALL(?)",
            filter.closed_kinds.iter().filter(writable).map(String::as_str).collect::<Vec<_>>(),
        );
    }
    for (name, value) in &filter.tags {
        // As JSON has them, one after the other.
        all.and("strpos(r.tags, ?) > 0", format!("{}:{}", json(name), json(value)));
    }
    if let Some(after) = filter.submitted_after {
        all.and("r.submitted_at > ?", after.millis());
    }
    if let Some(before) = filter.submitted_before {
        all.and("r.submitted_at < ?", before.millis());
    }
    if let Some((route, key)) = &filter.idempotency_key {
        // By whole entries of its index: without the owner it would be gone through.
        let (from, owner) = match owner {
            Some(owner) => ("idempotency k", owner.to_string()),
            None => ("owners x CROSS JOIN idempotency k", "x.owner".into()),
        };
        let route = route.replace('\'', "''");
        let with_key = format!("SELECT k.id FROM {from} WHERE k.owner = {owner} AND k.route = '{route}' AND k.key = ?");
        all.and(&format!("r.id = ANY(ARRAY({with_key}))"), key.as_bytes());
    }
    if !filter.ids.is_empty() {
        all.and("r.id = ANY(?)", filter.ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    if filter.leased_types_only {
        all.and("r.timeline IS NULL AND ?", true);
    }
    all
}

/// The requests that the filter lets through, newest first.
pub(super) async fn list(
    shared: &Shared,
    owner: Option<&Owner>,
    filter: &Filter,
    after: Option<Position>,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Arc<Request>>, Fault> {
    let client = shared.session().await?;
    let number = match owner {
        None => None,
        Some(owner) => match shared.names.find_owner(&client, owner).await? {
            None => return Ok(Vec::new()),
            number => number,
        },
    };
    let page = scan(shared, &client, number, filter, after, limit, now).await?;
    if wait_for_acts(shared, &client, page.iter()).await? {
        return scan(shared, &client, number, filter, after, limit, now).await;
    }
    Ok(page)
}

/// How many of the owner's requests have not reached their end, up to so many.
pub(super) async fn count_open(shared: &Shared, owner: &Owner, most: u64, now: Timestamp) -> Result<u64, Fault> {
    let client = shared.session().await?;
    let Some(number) = shared.names.find_owner(&client, owner).await? else { return Ok(0) };
    let count = "SELECT count(*) FROM ( \
                 SELECT 1 FROM requests WHERE owner = $1 AND timeline IS NOT NULL AND ends_at > $2 UNION ALL \
                 SELECT 1 FROM work WHERE owner = $1 AND (ends_at IS NULL OR ends_at > $2) LIMIT $3) open";
    let statement = client.prepare_cached(count).await?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let counted: i64 = client.query_one(&statement, &[&number, &now.millis(), &most]).await?.get(0);
    Ok(counted.unsigned_abs())
}

async fn scan(
    shared: &Shared,
    client: &Object,
    owner: Option<i64>,
    filter: &Filter,
    mut after: Option<Position>,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Arc<Request>>, Fault> {
    let is_in_columns = filter.stage.is_none() && filter.updated_after.is_none();
    let chunk = if is_in_columns { i64::try_from(limit).unwrap_or(CHUNK) } else { CHUNK };
    let mut page = Vec::new();
    while page.len() < limit {
        let mut conditions = conditions(owner, filter, now);
        if let Some(after) = after {
            let place = format!("(r.submitted_at, r.id) < ({}, ?)", after.submitted_at.millis());
            conditions.and(&place, after.id.to_string());
        }
        let order = format!("ORDER BY r.submitted_at DESC, r.id DESC LIMIT {chunk}");
        let select = format!("SELECT {COLUMNS} FROM {TABLES}{} {order}", conditions.text);
        let rows = client.query(&select, &conditions.values()).await?;
        let numbers = rows.iter().filter_map(rows::timeline).collect();
        shared.names.learn(client, numbers).await?;
        page.extend(
            rows.iter().filter_map(|row| whole(shared, row)).filter(|request| filter.lets_through_at(request, now)),
        );
        let last = rows.last().and_then(|row| Some((rows::id(row, 0)?, row.get::<_, i64>(4))));
        let is_more = i64::try_from(rows.len()).is_ok_and(|length| length == chunk);
        let Some((id, at)) = last.filter(|_| is_more) else { break };
        after = Some(Position { submitted_at: Timestamp::from_millis(at), id });
    }
    page.truncate(limit);
    Ok(page)
}

/// The request in a row of a list; a damaged one is left out.
fn whole(shared: &Shared, row: &Row) -> Option<Arc<Request>> {
    rows::read(row, &shared.names.timelines)
        .inspect_err(|fault| tracing::error!(?fault, "a request is left out of a list: its record can not be read"))
        .ok()
}

pub(super) async fn payload(shared: &Shared, id: RequestId) -> Result<Option<String>, Fault> {
    let client = shared.session().await?;
    let statement = client.prepare_cached("SELECT body FROM payloads WHERE id = $1").await?;
    Ok(client.query_opt(&statement, &[&id.to_string()]).await?.map(|row| row.get(0)))
}

pub(super) async fn output(shared: &Shared, id: RequestId) -> Result<Option<Output>, Fault> {
    let client = shared.session().await?;
    let statement = client.prepare_cached("SELECT content_type, body FROM outputs WHERE id = $1").await?;
    let row = client.query_opt(&statement, &[&id.to_string()]).await?;
    Ok(row.map(|row| Output { content_type: row.get(0), body: row.get(1) }))
}

pub(super) async fn events(shared: &Shared, id: RequestId) -> Result<Vec<Event>, Fault> {
    let client = shared.session().await?;
    let statement = client.prepare_cached("SELECT event FROM events WHERE id = $1 ORDER BY seq").await?;
    let rows = client.query(&statement, &[&id.to_string()]).await?;
    rows.iter().map(|row| read_event(row.get(0)).ok_or_else(|| Fault::Damaged(id.to_string()))).collect()
}
