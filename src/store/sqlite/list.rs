//! A page of requests: several queries, each of which goes along an index, merged by submission time.
//!
//! A status is no column of a request on a timeline: time changes it. There it is a stretch of submission times per timeline; the
//! few that were cancelled or moved in time have indexes of their own. Where workers work on a request, its row tells which
//! statuses follow one another, and when. Whatever a query lets through is judged again by the filter itself.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, Rows, params, params_from_iter};

use super::checksum::Fault;
use super::owners;
use super::rows::{SELECT, SELECT_WORK, read, select};
use super::timelines::Timelines;
use crate::core::clock::Timestamp;
use crate::core::ports::requests::{Filter, Position};
use crate::core::request::{Owner, Request, Status};

/// Whose requests, which, from where on, how many, when.
pub(super) struct Wanted {
    pub(super) owner: Option<Owner>,
    pub(super) filter: Filter,
    pub(super) after: Option<Position>,
    pub(super) limit: usize,
    pub(super) now: Timestamp,
}

/// The page.
pub(super) fn list(
    connection: &Connection,
    timelines: &Timelines,
    wanted: &Wanted,
) -> Result<Vec<Arc<Request>>, Fault> {
    let number = match &wanted.owner {
        None => None,
        Some(owner) => match owners::find(connection, owner)? {
            None => return Ok(Vec::new()),
            number => number,
        },
    };
    let queries = queries(connection, timelines, wanted, number)?;
    let mut statements =
        queries.iter().map(|query| connection.prepare_cached(&query.sql())).collect::<rusqlite::Result<Vec<_>>>()?;
    let rows = statements
        .iter_mut()
        .zip(queries)
        .map(|(statement, query)| statement.query(params_from_iter(query.parameters)))
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut heads: Vec<_> = rows.into_iter().map(|rows| Head { rows, first: None }).collect();
    for head in &mut heads {
        head.advance(connection, timelines, wanted)?;
    }
    let mut page = Vec::new();
    while page.len() < wanted.limit {
        let newest = heads.iter_mut().filter(|head| head.first.is_some()).max_by_key(|head| head.place());
        let Some(newest) = newest else { break };
        page.extend(newest.first.take());
        newest.advance(connection, timelines, wanted)?;
    }
    Ok(page)
}

/// How many of the owner's requests have not reached their end, up to so many. Those whose stages begin where the timeline says are
/// among the last that it has submitted, since timelines end; of the others the indexes are narrower.
pub(super) fn count_open(
    connection: &Connection,
    timelines: &Timelines,
    owner: &Owner,
    most: u64,
    now: Timestamp,
) -> Result<u64, Fault> {
    let Some(number) = owners::find(connection, owner)? else { return Ok(0) };
    let open = Status::ALL.into_iter().filter(|status| !status.is_terminal());
    let open: Vec<String> = open.map(|status| status.name().to_owned()).collect();
    let submitted_after = now.plus_millis(-longest(connection, timelines)?).millis();
    let sql = format!(
        "SELECT count(*) FROM (
             SELECT 1 FROM requests AS r INDEXED BY requests_by_time
             WHERE r.owner = ?1 AND r.submitted_at > ?2 AND r.ends_at > ?3 AND NOT {MOVED}
             UNION ALL
             SELECT 1 FROM requests AS r INDEXED BY requests_moved
             WHERE r.owner = ?1 AND r.ends_at > ?3 AND r.timeline IS NOT NULL AND {MOVED}
             UNION ALL
             SELECT 1 FROM work AS w INDEXED BY work_by_owner
             WHERE w.owner = ?1 AND w.status0 IN (SELECT value FROM json_each(?4)) AND (w.ends_at IS NULL OR w.ends_at > ?3)
             LIMIT ?5)"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let counted: i64 = connection
        .prepare_cached(&sql)?
        .query_row(params![number, submitted_after, now.millis(), json(&open), most], |row| row.get(0))?;
    Ok(counted.unsigned_abs())
}

/// How long the longest timeline takes, in milliseconds.
fn longest(connection: &Connection, timelines: &Timelines) -> rusqlite::Result<i64> {
    let mut longest = 0;
    for number in Timelines::numbers(connection)? {
        let stored = timelines.get(connection, number)?;
        let last = stored.and_then(|stored| stored.timeline.stages().last().map(|stage| stage.after_millis));
        longest = longest.max(last.unwrap_or(0));
    }
    Ok(longest)
}

/// What is left of the answer to one query, with the first request of it.
struct Head<'a> {
    rows: Rows<'a>,
    first: Option<Arc<Request>>,
}

impl Head<'_> {
    fn place(&self) -> Option<(Timestamp, crate::core::request::RequestId)> {
        self.first.as_ref().map(|request| (request.submitted_at, request.id))
    }

    /// Goes on to the next that the filter lets through. Damaged ones are left out.
    fn advance(&mut self, connection: &Connection, timelines: &Timelines, wanted: &Wanted) -> Result<(), Fault> {
        while let Some(row) = self.rows.next()? {
            match read(row, connection, timelines) {
                Ok(found) if wanted.filter.lets_through_at(&found.request, wanted.now) => {
                    self.first = Some(Arc::new(found.request));
                    break;
                }
                Ok(_) => {}
                Err(Fault::Damaged(request_id)) => {
                    tracing::error!(request_id, "a damaged record was left out of a list");
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}

/// The queries whose answers together are all that is wanted, each request in one of them.
fn queries(
    connection: &Connection,
    timelines: &Timelines,
    wanted: &Wanted,
    owner: Option<i64>,
) -> rusqlite::Result<Vec<Query>> {
    let filter = &wanted.filter;
    let from = |select: String, table: &'static str| Query::restricted(select, table, wanted, owner);
    let all = || from(SELECT.clone(), "r");
    if !filter.ids.is_empty() || filter.idempotency_key.is_some() {
        // With the plus no index has the order or the owner: else SQLite would go through all of the owner's for the sake of the order.
        return Ok(vec![
            from(select("requests AS r CROSS JOIN owners AS o ON o.owner = r.owner"), "+r").named(filter, owner),
        ]);
    }
    if filter.statuses.is_empty() {
        return Ok(vec![all().and(if filter.leased_types_only { "r.timeline IS NULL" } else { "TRUE" }, [])]);
    }
    let mut queries = Vec::new();
    if !filter.leased_types_only {
        let stretches = stretches(connection, timelines, &filter.statuses, wanted.now)?;
        if !stretches.is_empty() {
            queries.push(all().within(&stretches));
        }
        if filter.statuses.contains(&Status::Cancelled) {
            queries.push(all().and("r.cancelled_at IS NOT NULL", []));
        }
        queries.push(all().and(&format!("r.timeline IS NOT NULL AND {MOVED} AND r.cancelled_at IS NULL"), []));
    }
    let worked_on = || from(SELECT_WORK.clone(), "v");
    let now = || Value::from(wanted.now.millis());
    for status in &filter.statuses {
        let status = || Value::from(status.name().to_owned());
        queries.push(worked_on().and("v.status0 = ? AND (v.at1 IS NULL OR v.at1 > ?)", [status(), now()]));
        let later = "v.status1 IS NOT NULL AND ((v.status1 = ? AND v.at1 <= ? AND (v.at2 IS NULL OR v.at2 > ?)) \
                     OR (v.status2 = ? AND v.at2 <= ?))";
        queries.push(worked_on().and(later, [status(), now(), now(), status(), now()]));
    }
    Ok(queries)
}

/// Those whose stages begin at other times than the submission and the timeline tell; as the index on them says it.
const MOVED: &str = "(r.not_before IS NOT NULL OR r.deadline IS NOT NULL OR r.skipped <> 0)";

/// A stretch of submission times in which the requests of one timeline have a status that is asked for.
struct Stretch {
    timeline: i64,
    after: i64,
    until: i64,
}

fn stretches(
    connection: &Connection,
    timelines: &Timelines,
    statuses: &[Status],
    now: Timestamp,
) -> rusqlite::Result<Vec<Stretch>> {
    let mut stretches = Vec::new();
    for timeline in Timelines::numbers(connection)? {
        // A damaged timeline has only damaged requests, and they are left out.
        let Some(stored) = timelines.get(connection, timeline)? else { continue };
        let within = statuses.iter().flat_map(|status| stored.timeline.submitted_within(*status, now));
        stretches.extend(within.map(|within| Stretch {
            timeline,
            after: within.after.map_or(i64::MIN, Timestamp::millis),
            until: within.until.map_or(i64::MAX, Timestamp::millis),
        }));
    }
    Ok(stretches)
}

/// A query that grows by its conditions. Its parameters are bound in the order of the question marks.
struct Query {
    select: String,
    /// The table that has the order.
    table: &'static str,
    conditions: Vec<String>,
    parameters: Vec<Value>,
}

impl Query {
    /// All conditions but those on the status and on names.
    fn restricted(select: String, table: &'static str, wanted: &Wanted, owner: Option<i64>) -> Self {
        let Wanted { filter, after, .. } = wanted;
        let mut query = Self { select, table, conditions: Vec::new(), parameters: Vec::new() };
        if let Some(owner) = owner {
            query = query.and(&format!("{table}.owner = ?"), [owner.into()]);
        }
        if let Some(Position { submitted_at, id }) = after {
            let place = format!("({table}.submitted_at, {table}.id) < (?, ?)");
            query = query.and(&place, [submitted_at.millis().into(), id.to_string().into()]);
        }
        if let Some(after) = filter.submitted_after {
            query = query.and(&format!("{table}.submitted_at > ?"), [after.millis().into()]);
        }
        if let Some(before) = filter.submitted_before {
            query = query.and(&format!("{table}.submitted_at < ?"), [before.millis().into()]);
        }
        if !filter.kinds.is_empty() {
            query = query.and("r.kind IN (SELECT value FROM json_each(?))", [json(&filter.kinds)]);
        }
        if !filter.closed_kinds.is_empty() {
            query = query.and("r.kind NOT IN (SELECT value FROM json_each(?))", [json(&filter.closed_kinds)]);
        }
        for (name, value) in &filter.tags {
            // As it stands in the text, which has each label between quotes that a label has only escaped.
            let label = format!("{}:{}", serde_json::json!(name), serde_json::json!(value));
            query = query.and("instr(r.tags, ?) > 0", [label.into()]);
        }
        if let Some(after) = filter.updated_after {
            // Nothing changes after its end.
            query = query.and("(r.ends_at IS NULL OR r.ends_at > ?)", [after.millis().into()]);
        }
        query
    }

    fn and<const N: usize>(mut self, condition: &str, parameters: [Value; N]) -> Self {
        self.conditions.push(condition.to_owned());
        self.parameters.extend(parameters);
        self
    }

    /// Only those of these ids, and of this key.
    fn named(mut self, filter: &Filter, owner: Option<i64>) -> Self {
        if !filter.ids.is_empty() {
            let ids: Vec<_> = filter.ids.iter().map(ToString::to_string).collect();
            self = self.and("r.id IN (SELECT value FROM json_each(?))", [json(&ids)]);
        }
        let Some((route, key)) = &filter.idempotency_key else { return self };
        let parameters = [Value::from((*route).to_owned()), key.clone().into()];
        let keyed = "i.route = ? AND i.key = ?";
        match owner {
            Some(owner) => self.and(
                &format!("r.seq IN (SELECT i.seq FROM idempotency AS i WHERE {keyed} AND i.owner = ?)"),
                { let [route, key] = parameters; [route, key, owner.into()] },
            ),
            None => self.and(
                &format!("r.seq IN (SELECT i.seq FROM owners AS x CROSS JOIN idempotency AS i ON i.owner = x.owner WHERE {keyed})"),
                parameters,
            ),
        }
    }

    /// Only those in the stretches: a table, since a chain of ORs has a greatest length; and before it the time that they span together,
    /// which lets the index leave out the rest.
    fn within(self, stretches: &[Stretch]) -> Self {
        let first = stretches.iter().map(|stretch| stretch.after).min().unwrap_or(i64::MAX);
        let last = stretches.iter().map(|stretch| stretch.until).max().unwrap_or(i64::MIN);
        let plain = format!("r.cancelled_at IS NULL AND NOT {MOVED} AND r.submitted_at > ? AND r.submitted_at <= ?");
        let table = vec!["(?, ?, ?)"; stretches.len()].join(", ");
        let each = format!(
            "EXISTS (SELECT 1 FROM (VALUES {table}) AS s WHERE s.column1 = r.timeline AND r.submitted_at > s.column2 \
             AND r.submitted_at <= s.column3)"
        );
        let mut query = self.and(&plain, [first.into(), last.into()]).and(&each, []);
        let fields = stretches.iter().flat_map(|stretch| [stretch.timeline, stretch.after, stretch.until]);
        query.parameters.extend(fields.map(Value::from));
        query
    }

    /// No `LIMIT`: what is damaged, or not let through in the end, does not count.
    fn sql(&self) -> String {
        let Self { select, table, conditions, .. } = self;
        let conditions = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
        format!("{select} WHERE {conditions} ORDER BY {table}.submitted_at DESC, {table}.id DESC")
    }
}

fn json(texts: &[String]) -> Value {
    serde_json::json!(texts).to_string().into()
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, params_from_iter};

    use super::{Timelines, Wanted, queries};
    use crate::core::clock::Timestamp;
    use crate::core::ports::requests::Filter;
    use crate::store::sqlite::migrate;

    fn plan(filter: Filter, owner: Option<i64>) -> String {
        let mut connection = Connection::open_in_memory().expect("a database");
        migrate::migrate(&mut connection, 0).expect("the tables");
        let wanted = Wanted { owner: None, filter, after: None, limit: 50, now: Timestamp::from_millis(0) };
        let queries = queries(&connection, &Timelines::default(), &wanted, owner).expect("queries");
        let [query] = &queries[..] else { panic!("{} queries", queries.len()) };
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql())).expect("a statement");
        let steps = statement.query_map(params_from_iter(&query.parameters), |row| row.get::<_, String>(3));
        steps.expect("a plan").collect::<Result<Vec<_>, _>>().expect("steps").join("\n")
    }

    #[test]
    fn those_that_are_named_are_looked_up_and_not_looked_for() {
        let id = "req_01JD9W3W7QX5T4N0V6K8B2C1DE".parse().expect("an id");
        for owner in [None, Some(1)] {
            let by_id = plan(Filter { ids: vec![id], ..Filter::default() }, owner);
            assert!(by_id.contains("SEARCH r USING INDEX sqlite_autoindex_requests_1 (id=?)"), "{by_id}");
            let key = Some(("POST /v1/requests", "order 4711".to_owned()));
            let by_key = plan(Filter { idempotency_key: key, ..Filter::default() }, owner);
            assert!(by_key.contains("SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"), "{by_key}");
        }
    }
}
