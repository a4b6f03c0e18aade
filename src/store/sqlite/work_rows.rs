//! How the state of a request that workers work on lies in its row: what was written last, and what follows from it by time, which
//! is what the store searches by.

use rusqlite::types::{Type, Value};
use rusqlite::{Connection, Row, params_from_iter};

use super::checksum::{Checksum, over};
use crate::core::clock::Timestamp;
use crate::core::request::{Request, Status, Version, Work, WorkState};

/// The columns that the checksum covers, as a query names them, in the order of [`values`].
pub(super) const COLUMNS: &str = "w.id, w.kind, w.owner, w.submitted_at, w.state, w.since, w.until, w.run_until, w.epoch, \
     w.attempt, w.most_attempts, w.started_at, w.cancel_requested_at, w.progress, w.error, w.worker, w.version_write, \
     w.version_step, w.status0, w.at1, w.status1, w.at2, w.status2, w.ready_at, w.ends_at, w.settles_at, w.is_open";

/// How many they are.
pub(super) const WIDTH: usize = 27;

/// The row of a request, ready to be written.
pub(super) fn values(request: &Request, work: &Work, owner: i64) -> serde_json::Result<[Value; WIDTH]> {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::millis).into();
    let json = |text: Option<serde_json::Result<String>>| text.transpose().map(Value::from);
    let (state, until, run_until) = match work.state {
        WorkState::Waiting { until } => ("waiting", Some(until), None),
        WorkState::Running { lease_until, run_until } => ("running", Some(lease_until), Some(run_until)),
        WorkState::Ended(status) => (status.name(), None, None),
    };
    let is_open = !matches!(work.state, WorkState::Ended(_));
    let phase = |number| request.phase(number);
    let status = |number| phase(number).map(|phase| phase.status.name().to_owned()).into();
    let begins = |number| millis(phase(number).map(|phase| phase.at));
    let ends_at = request.ends_at();
    Ok([
        request.id.to_string().into(),
        request.erased_at.is_none().then(|| request.kind.clone()).into(),
        owner.into(),
        request.submitted_at.millis().into(),
        state.to_owned().into(),
        work.since.millis().into(),
        millis(until),
        millis(run_until),
        work.epoch.into(),
        work.attempt.into(),
        work.most_attempts.into(),
        millis(work.started_at),
        millis(work.cancel_requested_at),
        json(work.progress.as_ref().map(serde_json::to_string))?,
        json(work.error.as_ref().map(serde_json::to_string))?,
        json(work.worker.as_ref().map(serde_json::to_string))?,
        request.version.write.into(),
        request.version.step.into(),
        status(0),
        begins(1),
        status(1),
        begins(2),
        status(2),
        millis(request.ready_at()),
        millis(ends_at),
        millis(ends_at.filter(|_| is_open)),
        is_open.into(),
    ])
}

/// Writes the row of that number, new or again.
pub(super) fn write(
    connection: &Connection,
    sql: &'static str,
    seq: i64,
    values: [Value; WIDTH],
) -> rusqlite::Result<()> {
    let sum = values.iter().fold(Checksum::default(), |sum, value| sum.value(value.into())).finish();
    let parameters = values.into_iter().chain([sum.into(), seq.into()]);
    connection.prepare_cached(sql)?.execute(params_from_iter(parameters)).map(drop)
}

/// Puts a new row in.
pub(super) const INSERT: &str = "INSERT INTO work (id, kind, owner, submitted_at, state, since, until, run_until, epoch, attempt, \
     most_attempts, started_at, cancel_requested_at, progress, error, worker, version_write, version_step, status0, at1, status1, \
     at2, status2, ready_at, ends_at, settles_at, is_open, checksum, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
     ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)";

/// Writes a row again.
pub(super) const UPDATE: &str = "UPDATE work SET id = ?1, kind = ?2, owner = ?3, submitted_at = ?4, state = ?5, since = ?6, \
     until = ?7, run_until = ?8, epoch = ?9, attempt = ?10, most_attempts = ?11, started_at = ?12, cancel_requested_at = ?13, \
     progress = ?14, error = ?15, worker = ?16, version_write = ?17, version_step = ?18, status0 = ?19, at1 = ?20, status1 = ?21, \
     at2 = ?22, status2 = ?23, ready_at = ?24, ends_at = ?25, settles_at = ?26, is_open = ?27, checksum = ?28 WHERE seq = ?29";

/// Reads what stands in the columns from `first` on; none when it is not as it was written, or belongs to another request.
pub(super) fn read(row: &Row<'_>, first: usize, id: &str) -> rusqlite::Result<Option<(Work, Version)>> {
    let sum = over(Checksum::default(), row, first..first + WIDTH)?.finish();
    if row.get::<_, Option<String>>(first)?.as_deref() != Some(id) || row.get::<_, u32>(first + WIDTH)? != sum {
        return Ok(None);
    }
    parse(row, first).map(Some)
}

fn parse(row: &Row<'_>, first: usize) -> rusqlite::Result<(Work, Version)> {
    let at = |column: usize| row.get::<_, i64>(first + column).map(Timestamp::from_millis);
    let at_times = |column: usize| row.get::<_, Option<i64>>(first + column).map(|at| at.map(Timestamp::from_millis));
    let state: String = row.get(first + 4)?;
    let state = match state.as_str() {
        "waiting" => WorkState::Waiting { until: at(6)? },
        "running" => WorkState::Running { lease_until: at(6)?, run_until: at(7)? },
        ended => WorkState::Ended(ended.parse::<Status>().map_err(|()| unreadable(first + 4, "state"))?),
    };
    let work = Work {
        state,
        since: at(5)?,
        epoch: row.get(first + 8)?,
        attempt: row.get(first + 9)?,
        most_attempts: row.get(first + 10)?,
        started_at: at_times(11)?,
        cancel_requested_at: at_times(12)?,
        progress: json(row, first + 13, "progress")?,
        error: json(row, first + 14, "error")?,
        worker: json(row, first + 15, "worker")?,
        result: None,
    };
    Ok((work, Version { write: row.get(first + 16)?, step: row.get(first + 17)? }))
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize, name: &str) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|_| unreadable(column, name))).transpose()
}

/// A text that does not say what it should.
pub(super) fn unreadable(column: usize, name: &str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, name.into(), Type::Text)
}
