//! A yardstick of `scripts/bench`: rows like the gateway's own, by nothing but rusqlite, into a database that the gateway has made.
//!
//! It copies the newest request in the database named by the first argument, with its payload, under new ids: as many to a transaction as
//! the third argument says, by one thread, with the settings of the gateway's writer, for the seconds that the second says. It prints how
//! many a second became durable. Checksums are copied as well, so the gateway must not use the file afterwards.
#![expect(clippy::disallowed_methods, reason = "what is measured is time, and no test sets it")]

use std::io::Write;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Pages in the log at which they are moved to the database, as in the gateway's writer.
const CHECKPOINT_PAGES: i64 = 3000;

/// A row to be written again and again, and the statement that does.
struct Template {
    columns: Vec<String>,
    values: Vec<Value>,
    insert: String,
}

impl Template {
    /// The newest row of a table.
    fn newest(connection: &Connection, table: &str) -> Outcome<Self> {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY seq DESC LIMIT 1"))?;
        let columns: Vec<String> = statement.column_names().map(String::from).collect();
        let values = statement.query_one([], |row| (0..columns.len()).map(|column| row.get(column)).collect())?;
        let places = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO {table} ({}) VALUES ({places})", columns.join(", "));
        Ok(Self { columns, values, insert })
    }

    fn value(&mut self, column: &str) -> Outcome<&mut Value> {
        let place = self.columns.iter().position(|name| name == column);
        Ok(&mut self.values[place.ok_or_else(|| format!("there is no column {column}"))?])
    }

    fn write(&self, connection: &Connection) -> Outcome<()> {
        connection.prepare_cached(&self.insert)?.execute(params_from_iter(&self.values))?;
        Ok(())
    }
}

/// The settings of `src/store/sqlite/connection.rs` that are not kept in the file.
fn open(path: &str) -> Outcome<Connection> {
    let connection = Connection::open(path)?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(format!("the journal mode is {mode}").into());
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "cache_spill", false)?;
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(connection)
}

/// Moves the log into the database when it has grown long, as the gateway's writer does after a commit.
fn checkpoint(connection: &Connection) -> Outcome<()> {
    let pages: i64 = connection
        .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
        .query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))?;
    if pages >= CHECKPOINT_PAGES {
        connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |_| Ok(()))?;
    }
    Ok(())
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(path), Some(seconds), Some(batch)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: raw_sqlite DATABASE SECONDS BATCH; scripts/bench gives them".into());
    };
    let (time, batch) = (Duration::from_secs_f64(seconds.parse()?), batch.parse::<i64>()?);
    let connection = open(&path)?;
    let (mut request, mut payload) =
        (Template::newest(&connection, "requests")?, Template::newest(&connection, "payloads")?);
    let Value::Text(newest) = request.value("id")?.clone() else { return Err("the id is no text".into()) };
    let Value::Integer(first) = *request.value("seq")? else { return Err("the seq is no number".into()) };
    // Ids grow with time, as the gateway's do. They begin behind those of an earlier run.
    let prefix = &newest[..newest.len() - 12];
    let (began, mut seq) = (Instant::now(), first);
    while began.elapsed() < time {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for _ in 0..batch {
            seq += 1;
            *request.value("seq")? = Value::Integer(seq);
            *request.value("id")? = Value::Text(format!("{prefix}{seq:012}"));
            *payload.value("seq")? = Value::Integer(seq);
            request.write(&connection)?;
            payload.write(&connection)?;
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        checkpoint(&connection)?;
    }
    let milliseconds = i64::try_from(began.elapsed().as_millis())?;
    writeln!(std::io::stdout(), "{}", (seq - first) * 1000 / milliseconds.max(1))?;
    Ok(())
}
