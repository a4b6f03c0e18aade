//! Opens the file: who may, with which settings, and how safely it is written.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::log::LeftLog;
use super::{Trouble, migrate};

/// The first release without the bug that corrupts a file when its write-ahead log is reset (3.7.0 to 3.51.2).
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long to wait for a stranger, such as a `sqlite3` shell, who holds the file locked.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than the different statements there are, filters included.
const STATEMENTS: usize = 256;

/// Claims the file for this process until the answer is dropped. `remedy` is what to do when another has it.
///
/// The claim is on a file beside it: whoever closes any handle on the database itself drops the locks that SQLite has on it.
pub(super) fn claim(path: &Path, remedy: &str) -> Result<File, Trouble> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let lock = private().create(true).truncate(false).open(beside(path, ".lock"))?;
    match crate::lock::lock(&lock) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Trouble::new("another Anteroom is using it", remedy));
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    match private().create_new(true).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(lock),
    }
}

/// Payloads are nobody else's business: only this user reads the files that are made. SQLite gives its log the same mode.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens the one connection that writes, and brings the schema up to date.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, Trouble> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        let problem = format!("SQLite {} can damage it", rusqlite::version());
        return Err(Trouble::new(problem, "Build Anteroom with SQLite 3.51.3 or later"));
    }
    let left = LeftLog::look(&beside(path, "-wal"))?;
    let mut connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    // Before the first setting that changes the file: somebody else's must stay as it is.
    let version = migrate::version(&connection)?;
    if version == 0 {
        // They can be chosen only once, and choosing writes. Large pages hold several payloads each, and cost fewer calls for a batch.
        connection.pragma_update(None, "page_size", 8192)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        let problem = format!("its file system allows no write-ahead log (journal mode \"{mode}\")");
        return Err(Trouble::new(problem, "Put it on a local disk"));
    }
    // FULL: with NORMAL, the last commits are gone after a power failure.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // The writer runs the checkpoints, so that it sees their errors.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // A page enters the log only in the commit, and once: the commit mark is the last thing written (see the writer).
    connection.pragma_update(None, "cache_spill", false)?;
    tune(&connection, 4096)?;
    left.compare(&connection)?;
    // Not while tables are built anew.
    connection.pragma_update(None, "foreign_keys", false)?;
    migrate::migrate(&mut connection, version)?;
    // A row that names no other is a bug: looked for at each write in tests, and by the check of the store.
    connection.pragma_update(None, "foreign_keys", cfg!(debug_assertions))?;
    Ok(connection)
}

/// Opens a connection that checks the file: it can recover the log, and changes nothing else.
pub(super) fn open_to_check(path: &Path) -> Result<Connection, Trouble> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", true)?;
    tune(&connection, 4096)?;
    Ok(connection)
}

/// Opens a connection that reads.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, Trouble> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "query_only", true)?;
    tune(&connection, 1024)?;
    Ok(connection)
}

/// The process is to stay small: the operating system caches the file anyway, so SQLite's own cache is a few MiB.
fn tune(connection: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans do not depend on the values that are bound: else SQLite, weighing its partial indexes anew, parses on every call.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "mmap_size", 0)
}
