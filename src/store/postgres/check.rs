//! Looks at every record of a database, and tells which can not be read, or lack what belongs to them.

use serde::de::IgnoredAny;
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::document::read_event;
use super::migrate::Trouble;
use super::names::Names;
use super::place::Place;
use super::rows::{self, COLUMNS, TABLES};
use crate::core::ports::records::RecordKind;

/// So many requests are read at once.
const CHUNK: usize = 500;

/// What belongs together, and a sentence for what lacks the rest.
const STRAYS: [(&str, &str); 4] = [
    (
        "SELECT w.id FROM work w LEFT JOIN requests r ON r.id = w.id WHERE r.id IS NULL",
        "is to be worked on, and is not there",
    ),
    (
        "SELECT k.id FROM idempotency k LEFT JOIN requests r ON r.id = k.id WHERE r.id IS NULL",
        "has a key, and is not there",
    ),
    (
        "SELECT r.id FROM requests r LEFT JOIN payloads p ON p.id = r.id WHERE r.has_content AND p.id IS NULL",
        "should have a payload, and has none",
    ),
    (
        "SELECT r.id FROM requests r LEFT JOIN work w ON w.id = r.id \
         WHERE r.timeline IS NULL AND r.ends_at IS NULL AND w.id IS NULL",
        "has not ended, and is not among those to be worked on",
    ),
];

/// A session with a database that a gateway has used; makes nothing.
pub(super) async fn find(place: &Place, tls: &MakeRustlsConnect) -> Result<Client, Trouble> {
    let (client, connection) = place.migrating.connect(tls.clone()).await?;
    tokio::spawn(connection);
    if client.query_one("SELECT to_regclass('requests') IS NOT NULL", &[]).await?.get(0) {
        return Ok(client);
    }
    let problem = "has no table of requests: no gateway has used this database yet";
    Err(Trouble::new(problem, "Check store.url, or start Anteroom, which makes its tables"))
}

/// Reads everything, also while gateways run. Answers a sentence for each finding.
pub(super) async fn check(place: &Place, tls: &MakeRustlsConnect) -> Result<Vec<String>, Trouble> {
    let client = find(place, tls).await?;
    let mut findings = Vec::new();
    let (names, mut after) = (Names::new(), String::new());
    let select = format!("SELECT {COLUMNS} FROM {TABLES} WHERE r.id > $1 ORDER BY r.id LIMIT {CHUNK}");
    loop {
        let page = client.query(&select, &[&after]).await?;
        for row in client.query("SELECT timeline, definition FROM timelines", &[]).await? {
            names.timelines.learn_definition(row.get(0), row.get(1));
        }
        let damaged = page.iter().filter(|row| rows::read(row, &names.timelines).is_err());
        findings.extend(damaged.map(|row| format!("request {} can not be read", row.get::<_, &str>(0))));
        let Some(last) = page.last() else { break };
        after = last.get(0);
    }
    for (select, problem) in STRAYS {
        let strays = client.query(select, &[]).await?;
        findings.extend(strays.iter().map(|row| format!("request {} {problem}", row.get::<_, &str>(0))));
    }
    let (mut id, mut seq) = (String::new(), 0_i64);
    let select = format!("SELECT id, seq, event FROM events WHERE (id, seq) > ($1, $2) ORDER BY id, seq LIMIT {CHUNK}");
    loop {
        let page = client.query(&select, &[&id, &seq]).await?;
        let damaged = page.iter().filter(|row| read_event(row.get(2)).is_none());
        findings.extend(damaged.map(|row| format!("an event of request {} can not be read", row.get::<_, &str>(0))));
        let Some(last) = page.last() else { break };
        (id, seq) = (last.get(0), last.get(1));
    }
    records(&client, &mut findings).await?;
    Ok(findings)
}

/// Every record of the authorization server. Its kind alone is told: a key may be what a person is known by.
async fn records(client: &Client, findings: &mut Vec<String>) -> Result<(), Trouble> {
    let (mut kind, mut key) = (String::new(), String::new());
    let select = format!(
        "SELECT kind, key, version, body FROM records WHERE (kind, key) > ($1, $2) ORDER BY kind, key LIMIT {CHUNK}"
    );
    loop {
        let page = client.query(&select, &[&kind, &key]).await?;
        for row in &page {
            let (version, body): (i64, &str) = (row.get(2), row.get(3));
            let is_whole = u32::try_from(version).is_ok_and(|version| version > 0)
                && serde_json::from_str::<IgnoredAny>(body).is_ok();
            match RecordKind::named(row.get(0)) {
                Some(_) if is_whole => {}
                Some(kind) => {
                    findings.push(format!("a record of a {} of the authorization server can not be read", kind.name()));
                }
                None => findings.push("a record of the authorization server is of no kind that is known".into()),
            }
        }
        let Some(last) = page.last() else { return Ok(()) };
        (kind, key) = (last.get(0), last.get(1));
    }
}
