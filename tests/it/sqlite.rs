//! The SQLite store: what it opens and what it refuses, what it keeps, how it closes, and files that earlier versions wrote.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anteroom::core::clock::SetClock;
use anteroom::core::error::{Misconfiguration, StoreError};
use anteroom::core::ports::requests::{NewRequest, Order, Submission};
use anteroom::core::request::{By, Event, EventKind, Owner, Request, RequestId, Tags, history};
use anteroom::store::StoreSettings;
use anteroom::telemetry::metrics::Metrics;
use futures_util::FutureExt;
use futures_util::future::join_all;
use rusqlite::Connection;

use crate::stores::{
    Opened, START, cancel, cancelled, failing, id, idempotency, keyed, new, on_timeline, open, owner, request,
};

const URL: &str = "sqlite:anteroom.db";

fn refusal(url: &str, directory: &Path) -> Misconfiguration {
    let clock = Arc::new(SetClock::at(START));
    anteroom::store::open(
        &StoreSettings { url: url.into(), ..Default::default() },
        directory,
        clock,
        Metrics::new().store(),
    )
    .err()
    .unwrap()
}

fn assert_refused(refusal: &Misconfiguration, problem: &str, remedy: &str) {
    assert_eq!(
        (refusal.key.as_str(), refusal.problem.as_str(), refusal.remedy.as_str()),
        ("store.url", problem, remedy)
    );
}

#[test]
fn the_default_is_a_file_in_the_data_directory() {
    assert_eq!(StoreSettings::default(), StoreSettings { url: URL.into(), ..Default::default() });
    assert_eq!(serde_json::from_str::<StoreSettings>("{}").unwrap(), StoreSettings::default());
    assert!(serde_json::from_str::<StoreSettings>(r#"{ "path": "x" }"#).is_err());
}

#[test]
fn a_url_that_names_no_store_is_refused_without_repeating_it() {
    let directory = tempfile::tempdir().unwrap();
    let forms = "Write it as \"memory:\" or \"sqlite:PATH\" or \"postgres://USER@HOST/DATABASE\"";
    assert_refused(&refusal("mysql://user:secret@host/db", directory.path()), "there is no store \"mysql:\"", forms);
    assert_refused(&refusal("anteroom.db", directory.path()), "the URL has no scheme", forms);
    let remedy = "Write it as \"sqlite:PATH\", or \"memory:\" for a store that forgets";
    for url in ["sqlite:", "sqlite://", "sqlite::memory:"] {
        assert_refused(&refusal(url, directory.path()), "the URL names no file", remedy);
    }
    let refused = refusal("memory:requests", directory.path());
    assert_refused(&refused, "the store in memory has no place", "Write it as \"memory:\"");
}

#[tokio::test]
async fn a_path_may_be_nested_absolute_or_written_as_a_url() {
    let directory = tempfile::tempdir().unwrap();
    let absolute = directory.path().join("c.db");
    for (url, made) in [
        ("sqlite:new/folder/a.db".to_owned(), "new/folder/a.db"),
        ("sqlite://b.db".to_owned(), "b.db"),
        (format!("sqlite://{}", absolute.display()), "c.db"),
    ] {
        let store = open(&url, directory.path(), Arc::new(SetClock::at(START)));
        assert_eq!(fs::metadata(directory.path().join(made)).unwrap().permissions().mode() & 0o777, 0o600, "{url}");
        store.close().await;
    }
}

#[tokio::test]
async fn only_its_user_reads_the_log() {
    let on = Opened::new(URL);
    on.submit(new(request(&owner("anna"), START, 1))).await;
    for name in ["anteroom.db-wal", "anteroom.db-shm", "anteroom.db.lock"] {
        assert_eq!(fs::metadata(on.directory.path().join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_file_in_use_is_refused() {
    let on = Opened::new(URL);
    let path = on.directory.path().join("anteroom.db");
    let problem = format!("{}: another Anteroom is using it", path.display());
    let remedy = "Stop the other one, or give this one its own server.data_dir";
    assert_refused(&refusal(URL, on.directory.path()), &problem, remedy);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let on = Opened::new(URL);
    let path = on.directory.path().join("anteroom.db");
    on.store.close().await;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();
    let problem = format!("{}: its schema has version 99, and this Anteroom knows versions up to 4", path.display());
    let remedy = "Run the Anteroom that wrote it or a later one, or restore the backup from before";
    assert_refused(&refusal(URL, on.directory.path()), &problem, remedy);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_not_its_own_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("anteroom.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE requests (id)").unwrap();
    let before = fs::read(&path).unwrap();
    let problem = format!("{}: it is another program's database", path.display());
    assert_refused(&refusal(URL, directory.path()), &problem, "Name a file that does not exist yet");
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::write(&path, "not a database, and long enough to be looked at".repeat(100)).unwrap();
    let problem = format!("{}: SQLite can not open it: file is not a database", path.display());
    let remedy = "Check that it is an Anteroom database, and that it and its directory can be written";
    assert_refused(&refusal(URL, directory.path()), &problem, remedy);
}

#[tokio::test]
async fn closing_stores_what_was_handed_in_and_takes_no_more() {
    let on = Opened::new(URL);
    let (anna, requests) = (owner("anna"), on.requests());
    let mut submitted = join_all((0..600).map(|number| requests.submit(new(request(&anna, START, number)))));
    assert!((&mut submitted).now_or_never().is_none(), "600 requests take more than one commit");
    on.store.close().await;
    for answer in submitted.await {
        assert!(matches!(answer, Ok(Submission::Accepted(_))), "{answer:?}");
    }
    assert!(!on.store.is_ready());
    let late = requests.submit(new(request(&anna, START, 600))).await;
    assert!(matches!(late, Err(StoreError::Failed(_))), "{late:?}");
    assert!(!on.directory.path().join("anteroom.db-wal").exists());
    let on = on.reopened().await;
    assert_eq!(on.all(&anna).await.len(), 600);
}

#[test]
fn a_store_that_is_dropped_ends_its_threads() {
    let Opened { store, directory, .. } = Opened::new(URL);
    drop(store);
    // Waits until the last thread has let go of it.
    OpenOptions::new().write(true).open(directory.path().join("anteroom.db.lock")).unwrap().lock().unwrap();
}

/// What the fixture holds: each request with its payload and its key.
fn kept() -> Vec<NewRequest> {
    let (anna, bob) = (owner("anna"), Owner { issuer: "https://other.example".into(), subject: "bob|'😀".into() });
    let at = |millis| START.plus_millis(millis);
    let tags = Tags::from([("Größe".into(), "\u{0}\"😀".into()), (String::new(), String::new())]);
    let aliased = |request: Request, alias: &str| Request { alias: Some(alias.into()), ..request };
    vec![
        keyed(request(&anna, at(0), 1), "key-1", 1),
        keyed(aliased(request(&anna, at(0), 2), "QR-0001"), "key-2", 2),
        new(Request { kind: "demo-fail".into(), ..on_timeline(failing(), request(&anna, at(1), 3)) }),
        keyed(Request { tags, ..aliased(request(&bob, at(2), 4), "QR-0001") }, "key-1", 4),
        NewRequest { payload: format!("{{\"text\":\"{}\"}}", "é".repeat(5000)), ..new(request(&bob, at(-5), 5)) },
        new(aliased(request(&anna, at(3), 6), "")),
    ]
}

/// The one of them that is cancelled, and when.
const CANCELLED: (u64, i64) = (3, 4_000);

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/store-v{version}.db"))
}

/// Fills a store with what the fixture holds. To write the fixture anew, before the schema that it shows is released:
/// `ANTEROOM_WRITE_FIXTURES=1 cargo test --test it store_fixture`. Afterwards it stays as it is, and the next schema gets its own.
#[tokio::test]
async fn store_fixture_is_what_this_version_writes() {
    let on = Opened::new(URL);
    for new in kept() {
        assert!(matches!(on.submit(new).await, Submission::Accepted(_)));
    }
    let (number, millis) = CANCELLED;
    on.clock.set(START.plus_millis(millis));
    let by = By { actor: Some("anna".into()), trace_id: None };
    let order = Order { by, ..cancel(&owner("anna"), id(START.plus_millis(1), number)) };
    let outcome = on.requests().act_all(vec![order]).await.unwrap().remove(0).unwrap();
    assert_eq!(outcome.refused, None);
    on.store.close().await;
    let written = on.directory.path().join("anteroom.db");
    if std::env::var_os("ANTEROOM_WRITE_FIXTURES").is_some() {
        fs::copy(&written, fixture(2)).unwrap();
    }
    assert_kept(&written).await;
}

#[tokio::test]
async fn store_fixtures_of_all_versions_read_back_whole() {
    for version in [1, 2] {
        assert_kept(&fixture(version)).await;
    }
}

/// Opens a copy of the file and finds all that was kept in it.
async fn assert_kept(file: &Path) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("anteroom.db");
    fs::write(&path, fs::read(file).unwrap()).unwrap();
    let store = open(URL, directory.path(), Arc::new(SetClock::at(START)));
    let requests = store.requests();
    let mut payloads = Vec::new();
    for NewRequest { request, payload, idempotency: key, by } in kept() {
        let is_cancelled = request.id == id(START.plus_millis(1), CANCELLED.0);
        let at = START.plus_millis(CANCELLED.1);
        let kept = Arc::new(if is_cancelled { cancelled(at, request) } else { request });
        let events: Vec<_> = kinds(&history(&kept, &requests.events(kept.id).await.unwrap(), at));
        let last = if is_cancelled { EventKind::Cancelled } else { EventKind::Submitted };
        assert_eq!(events, if is_cancelled { vec![EventKind::Submitted, last] } else { vec![last] });
        assert_eq!(requests.payload(kept.id).await.unwrap().as_ref(), Some(&payload));
        assert_eq!(requests.find(&kept.owner, kept.id).await.unwrap(), Some(Arc::clone(&kept)));
        if let Some(alias) = &kept.alias {
            assert_eq!(requests.find_by_alias(&kept.owner, alias).await.unwrap(), Some(Arc::clone(&kept)));
        }
        if key.is_some() {
            let again = NewRequest { request: (*kept).clone(), payload: payload.clone(), idempotency: key, by };
            assert_eq!(requests.submit(again).await.unwrap(), Submission::Replayed(Arc::clone(&kept)));
        }
        payloads.push((kept.id, payload));
    }
    let other = NewRequest { idempotency: Some(idempotency("key-1", 9)), ..new(request(&owner("anna"), START, 9)) };
    assert_eq!(requests.submit(other).await.unwrap(), Submission::KeyReused);
    store.close().await;
    assert_eq!(stored_payloads(&path), payloads);
}

fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

fn stored_payloads(path: &Path) -> Vec<(RequestId, String)> {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT id, body FROM requests JOIN payloads USING (seq) ORDER BY seq";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?.parse().unwrap(), row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}
