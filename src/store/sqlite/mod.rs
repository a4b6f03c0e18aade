//! The default store: one SQLite file, one thread that writes, two that read.
//!
//! A write goes through [`writer`], which commits what is waiting together and answers after the commit; a read goes through
//! [`recent`] or [`reader`] and sees every commit that was answered before it began. How requests lie in the file stands in
//! [`rows`], [`work_rows`] and [`event_rows`]; what is asked of them in [`writes`], [`acts`], [`claims`], [`purge`], [`reads`]
//! and [`list`].

mod acts;
mod check;
mod checksum;
mod claims;
mod connection;
mod event_rows;
mod failure;
mod job;
mod job_queue;
mod list;
mod log;
mod migrate;
mod owners;
mod purge;
mod reader;
mod reads;
mod recent;
mod records;
mod requests;
mod rows;
mod timelines;
mod webhooks;
mod work_rows;
mod writer;
mod writes;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use crate::core::BoxFuture;
use crate::core::clock::Clock;
use crate::core::error::Misconfiguration;
use crate::core::ports::records::Records;
use crate::core::ports::requests::Requests;
use crate::core::ports::webhooks::Webhooks;
use crate::core::ports::{Store, StoreDescription};
use crate::telemetry::metrics::StoreMetrics;

use rusqlite::ErrorCode;

use failure::Failure;
use owners::Owners;
use requests::SqliteRequests;
use timelines::Timelines;
use webhooks::Listened;
use writer::Meter;

/// Opens the file at `place`, and makes it when there is none.
pub(super) fn open(
    place: &str,
    data_dir: &Path,
    clock: Arc<dyn Clock>,
    metrics: StoreMetrics,
) -> Result<Arc<dyn Store>, Misconfiguration> {
    let path = path(place, data_dir)?;
    start(&path, clock, metrics).map_err(|trouble| trouble.at(&path))
}

/// Checks the file at `place`, which no gateway may have open, and changes nothing. Answers what is wrong with it.
pub(super) fn check(place: &str, data_dir: &Path) -> Result<Vec<String>, Misconfiguration> {
    let path = path(place, data_dir)?;
    check::check(&path).map_err(|trouble| trouble.at(&path))
}

/// Refuses a place where there is no file; makes none.
pub(super) fn find(place: &str, data_dir: &Path) -> Result<(), Misconfiguration> {
    let path = path(place, data_dir)?;
    check::find(&path).map_err(|trouble| trouble.at(&path))
}

fn path(place: &str, data_dir: &Path) -> Result<PathBuf, Misconfiguration> {
    // "sqlite://PATH" is how other programs write it.
    let place = place.strip_prefix("//").unwrap_or(place);
    if place.is_empty() || place.starts_with(':') {
        let remedy = "Write it as \"sqlite:PATH\", or \"memory:\" for a store that forgets";
        return Err(super::mistake("the URL names no file", remedy));
    }
    Ok(data_dir.join(place))
}

/// Why the file can not be opened, and what to do about it.
#[derive(Debug)]
struct Trouble {
    problem: String,
    remedy: String,
}

impl Trouble {
    fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }

    fn at(self, path: &Path) -> Misconfiguration {
        super::mistake(format!("{}: {}", path.display(), self.problem), self.remedy)
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        let problem = format!("SQLite can not open it: {error}");
        let remedy = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "Make space on its disk",
            Some(ErrorCode::DatabaseCorrupt) => {
                "Restore it from a backup, or recover it with \"sqlite3 FILE .recover\""
            }
            _ => "Check that it is an Anteroom database, and that it and its directory can be written",
        };
        Self::new(problem, remedy)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        let problem = format!("it can not be opened: {error}");
        Self::new(problem, "Check that the directory exists, can be written, and lies on a local disk with space left")
    }
}

fn start(path: &Path, clock: Arc<dyn Clock>, metrics: StoreMetrics) -> Result<Arc<dyn Store>, Trouble> {
    let lock = Arc::new(connection::claim(path, "Stop the other one, or give this one its own server.data_dir")?);
    let connection = connection::open_to_write(path)?;
    let reading = connection::open_to_read(path)?;
    let (timelines, listened) = (Timelines::load(&reading)?, Listened::load(&reading)?);
    drop(reading);
    let known = Arc::new(Known { timelines, owners: Owners::default(), listened });
    let failure = Arc::new(Failure::default());
    let judging = Arc::new(RwLock::new(()));
    let reads = reader::start(path, &lock, &judging)?;
    let meter = Meter { clock: Arc::clone(&clock), metrics };
    let writes = writer::start(connection, lock, Arc::clone(&failure), judging, meter)?;
    let requests = Arc::new(SqliteRequests::new(writes, reads, known, Arc::clone(&failure), clock));
    Ok(Arc::new(Sqlite { requests, failure }))
}

/// What is known of the file, and is kept in memory.
struct Known {
    timelines: Timelines,
    owners: Owners,
    listened: Listened,
}

struct Sqlite {
    requests: Arc<SqliteRequests>,
    failure: Arc<Failure>,
}

impl Store for Sqlite {
    fn requests(&self) -> Arc<dyn Requests> {
        Arc::clone(&self.requests) as Arc<dyn Requests>
    }

    fn webhooks(&self) -> Arc<dyn Webhooks> {
        Arc::clone(&self.requests) as Arc<dyn Webhooks>
    }

    fn records(&self) -> Arc<dyn Records> {
        Arc::clone(&self.requests) as Arc<dyn Records>
    }

    fn describe(&self) -> StoreDescription {
        StoreDescription { scheme: "sqlite", durability: "each commit is synced to the disk before it is answered" }
    }

    fn is_ready(&self) -> bool {
        self.failure.reason().is_none() && self.requests.is_open()
    }

    fn failure(&self) -> BoxFuture<'static, String> {
        self.failure.declared()
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.requests.close()
    }
}
