//! Brings the tables to this program's version, one gateway at a time, and refuses a server that does not keep what it promises.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::told;
use super::place::Place;
use super::shared::Known;
use crate::core::clock::Clock;

refinery::embed_migrations!("src/store/migrations/postgres");

/// The oldest version of PostgreSQL that will do.
const OLDEST: i32 = 140_000;
/// The lock that a gateway takes while it migrates.
const LOCK: i64 = 0x616e_7465_726f_6f6d;

/// Why the database can not be used, and what to do about it.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Trouble {
    pub(super) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let problem = format!("can not be used: {}", told(&error));
        let Some(code) = error.code() else {
            let remedy = "Check that it runs, and its address in store.url; for TLS see store.ca_file and sslmode";
            return Self::new(problem, remedy);
        };
        let remedy = if [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(code) {
            "Check the user in store.url and the password, there or in store.password"
        } else if *code == SqlState::INVALID_CATALOG_NAME {
            "Create it with \"createdb\", or name another in store.url"
        } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
            "Make the user the owner of the database"
        } else {
            "The log of the server may say more"
        };
        Self::new(problem, remedy)
    }
}

/// Migrates, and checks what no migration can mend.
pub(super) async fn prepare(
    place: &Place,
    tls: &MakeRustlsConnect,
    clock: &dyn Clock,
    known: &Known,
) -> Result<(), Trouble> {
    let (mut client, connection) = place.migrating.connect(tls.clone()).await?;
    tokio::spawn(connection);
    check(&client).await?;
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    let migrated = migrations::runner().run_async(&mut client).await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
    migrated.map_err(|error| {
        let problem = format!("its tables can not be brought to this version: {}", told(&error));
        Trouble::new(
            problem,
            "Use the Anteroom that they were made with, or a later one, and a user who may create tables",
        )
    })?;
    let (client, connection) = place.serving.connect(tls.clone()).await?;
    tokio::spawn(connection);
    if setting(&client, "synchronous_commit").await? != "on" {
        let remedy =
            "Let the pooler between pass the startup parameter \"options\" on, or connect to the server itself";
        return Err(Trouble::new(
            "does not take synchronous_commit=on, without which nothing accepted is safe",
            remedy,
        ));
    }
    Ok(super::link::look(&client, clock, known).await?)
}

async fn check(client: &Client) -> Result<(), Trouble> {
    let version = setting(client, "server_version_num").await?;
    if version.parse().unwrap_or(0) < OLDEST {
        let problem = format!("is PostgreSQL {}", setting(client, "server_version").await?);
        return Err(Trouble::new(problem, "Use PostgreSQL 14 or later"));
    }
    let encoding = setting(client, "server_encoding").await?;
    if encoding != "UTF8" {
        let remedy = "Create the database with ENCODING 'UTF8'";
        return Err(Trouble::new(format!("has the encoding {encoding}"), remedy));
    }
    if client.query_one("SELECT pg_is_in_recovery()", &[]).await?.get(0) {
        return Err(Trouble::new("is a standby, which can not be written", "Name the primary in store.url"));
    }
    for name in ["fsync", "full_page_writes"] {
        if setting(client, name).await? != "on" {
            tracing::warn!("{name} is off at the database: when its machine fails, accepted requests can be lost");
        }
    }
    Ok(())
}

async fn setting(client: &Client, name: &str) -> Result<String, Error> {
    Ok(client.query_one("SELECT current_setting($1)", &[&name]).await?.get(0))
}
