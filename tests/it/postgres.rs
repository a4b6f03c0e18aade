//! The store in PostgreSQL: how it is named, what it refuses to work with, and how its tables come about.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anteroom::app::SystemClock;
use anteroom::core::BoxFuture;
use anteroom::core::clock::{Clock, SetClock, Timestamp};
use anteroom::core::error::StoreError;
use anteroom::core::ports::Store;
use anteroom::core::ports::requests::{Filter, Submission};
use anteroom::store::{self, StoreSettings};
use anteroom::telemetry::metrics::Metrics;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::gateway::Gateway;
use crate::patience::until;
use crate::postgres_server::{PASSWORD, Server, USER};
use crate::stores::{START, new, owner, request};

fn open(settings: &StoreSettings) -> Result<Arc<dyn Store>, String> {
    let clock = Arc::new(SetClock::at(START));
    store::open(settings, Path::new("data"), clock, Metrics::new().store()).map_err(|mistake| mistake.to_string())
}

fn at(url: impl Into<String>) -> StoreSettings {
    StoreSettings { url: url.into(), ..StoreSettings::default() }
}

fn refusal(settings: &StoreSettings) -> String {
    open(settings).err().expect("a refusal")
}

#[test]
fn a_url_that_can_not_be_used_is_told_without_repeating_it() {
    let form = "Write it as \"postgres://USER@HOST/DATABASE\", special characters as %XX";
    let ssl = "Write sslmode=require, which also checks the certificate and the name, or sslmode=disable";
    let no_url = format!("store.url: the URL is not one of PostgreSQL. {form}");
    let parts = format!("store.url: the URL must name a user, a host and a database. {form}");
    let no_mode = format!("store.url: there is no such sslmode in the URL. {ssl}");
    let cases = [
        ("postgres:", &no_url),
        ("postgres:s3cret", &no_url),
        ("postgres://u:s3cret@h/d?conect_timeout=1", &no_url),
        ("postgres://u:s3cret@h:port/d", &no_url),
        ("postgres://", &parts),
        ("postgres://h/d", &parts),
        ("postgres://u:s3cret@h", &parts),
        ("postgres://u:s3cret@h/d?sslmode=prefer", &no_mode),
    ];
    for (url, expected) in cases {
        assert_eq!(store::judge(&at(url)).unwrap_err().to_string(), *expected, "{url}");
    }
    for url in [
        "postgres://u@h/d",
        "postgres://u:p@h:1,i:2/d?sslmode=verify-full",
        "postgres://u@%2Ftmp/d",
        "postgresql://u@h/d",
    ] {
        assert_eq!(store::judge(&at(url)), Ok(()), "{url}");
    }
}

#[test]
fn keys_that_contradict_each_other_are_told() {
    let ca_file = || Some("ca.pem".into());
    let password = || Some("env:NO_SUCH_VARIABLE".parse().unwrap());
    let cases = [
        (
            StoreSettings { ca_file: ca_file(), ..at("postgres://u@localhost/d") },
            "store.ca_file: the connection is not encrypted. Add sslmode=require to store.url, or leave store.ca_file out",
        ),
        (
            StoreSettings { ca_file: ca_file(), ..at("memory:") },
            "store.ca_file: the store in store.url is no database on a server. Leave it out, or name a database in store.url",
        ),
        (
            StoreSettings { password: password(), ..at("postgres://u:p@localhost/d") },
            "store.password: there is one in store.url as well. Remove one of them",
        ),
        (
            StoreSettings { password: password(), ..at("postgres://u@localhost/d") },
            "store.password: the environment variable NO_SUCH_VARIABLE is not set, or is not text. \
             Name a file or a variable that holds the password",
        ),
        (
            StoreSettings { pool_size: 0, ..at("postgres://u@localhost/d") },
            "store.pool_size: is 0. Leave it out, or write how many sessions there may be",
        ),
    ];
    for (settings, expected) in cases {
        assert_eq!(store::judge(&settings).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_password_in_the_url_is_never_shown() {
    let cases = [
        ("sqlite:anteroom.db", "sqlite:anteroom.db"),
        ("postgres://u:s3cret@h/d", "postgres://u@h/d"),
        ("postgres://u:s3@cret@h/d?sslmode=disable", "postgres://u@h/d?sslmode=disable"),
        ("postgres:///d?password=s3cret&user=u", "postgres:///d?user=u"),
    ];
    for (url, shown) in cases {
        assert_eq!(at(url).shown_url(), shown);
        let written = serde_json::to_value(at(url)).unwrap();
        assert_eq!(written["url"], shown);
    }
}

#[test]
fn a_server_that_refuses_is_told_with_a_remedy() {
    let server = Server::shared();
    let url = server.database();
    let database = url.rsplit('/').next().unwrap();
    let wrong = url.replace("s3cret", "guess");
    let check = "Check the user in store.url and the password, there or in store.password";
    let told = refusal(&at(&wrong));
    let begin = format!("store.url: the database \"{database}\" at 127.0.0.1 can not be used: ");
    assert!(told.starts_with(&begin) && told.ends_with(check) && !told.contains("guess"), "{told}");
    let told = refusal(&at(server.url("nothing")));
    assert!(told.contains("database \"nothing\" does not exist. Create it with \"createdb\""), "{told}");
    let nobody = refusal(&at("postgres://u@127.0.0.1:1/d"));
    assert!(
        nobody.ends_with("Check that it runs, and its address in store.url; for TLS see store.ca_file and sslmode"),
        "{nobody}"
    );
    server.sql(&url, "CREATE DATABASE narrow ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
    let narrow = "store.url: the database \"narrow\" at 127.0.0.1 has the encoding SQL_ASCII. Create the database with ENCODING 'UTF8'";
    assert_eq!(refusal(&at(server.url("narrow"))), narrow);
}

#[tokio::test]
async fn the_password_may_be_in_a_file() {
    let url = Server::shared().database();
    let database = url.split('@').nth(1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
    let password = Some("file:password".parse().unwrap());
    let base = folder.path().into();
    let store = open(&StoreSettings { password, base, ..at(format!("postgresql://{USER}@{database}")) }).unwrap();
    assert!(store.is_ready());
    store.close().await;
}

#[tokio::test]
async fn the_store_says_whether_the_server_syncs() {
    let synced = "each commit is synced by the server before it is answered";
    let not = "a commit outlives this process, and may be lost when the server's machine fails: fsync or full_page_writes is off there";
    let store = open(&at(Server::shared().database())).unwrap();
    assert_eq!(store.describe().durability, not);
    store.close().await;
    let server = Server::new(&[]);
    let url = server.database();
    let store = open(&at(&url)).unwrap();
    assert_eq!(store.describe().durability, synced);
    server.sql(&url, "ALTER SYSTEM SET fsync = off");
    server.sql(&url, "SELECT pg_reload_conf()");
    until(|| store.describe().durability == not).await;
    store.close().await;
}

#[tokio::test]
async fn gateways_that_start_together_make_the_tables_once() {
    let url = Server::shared().database();
    let opening: Vec<_> = (0..4)
        .map(|_| {
            let settings = at(&url);
            std::thread::spawn(move || open(&settings).map_err(|told| panic!("{told}")).unwrap())
        })
        .collect();
    let stores: Vec<_> = opening.into_iter().map(|thread| thread.join().unwrap()).collect();
    for (number, store) in (0..).zip(&stores) {
        let sent = request(&owner("anna"), START, number);
        let submitted = store.requests().submit(new(sent.clone())).await.unwrap();
        assert_eq!(submitted, Submission::Accepted(Arc::new(sent)));
    }
    assert_eq!(Server::shared().sql(&url, "SELECT count(*) FROM requests"), "4\n");
    // One that a later program has made is not touched.
    let later = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES (1000, 'later', '2026-11-22T06:12:03Z', '1')";
    Server::shared().sql(&url, later);
    let told = refusal(&at(&url));
    assert!(told.contains("its tables can not be brought to this version"), "{told}");
}

#[test]
fn gateways_that_share_a_store_need_a_common_secret() {
    let toml = "[store]\nurl = \"postgres://u@localhost/d\"\n";
    let mistakes: Vec<_> = Gateway::refusal(toml).iter().map(ToString::to_string).collect();
    let expected = "issuer.secrets: is empty, and gateways that share a store must believe each other's tokens. \
                    Give every gateway the same secret of 32 bytes or more, as \"file:PATH\" or \"env:NAME\", or set issuer.algorithm = \"ES256\"";
    assert_eq!(mistakes, [expected]);
}

/// A certificate of this CA for that name, with its key.
fn certificate(ca: &Issuer<'_, KeyPair>, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let signed = CertificateParams::new(vec![name.into()]).unwrap().signed_by(&key, ca).unwrap();
    (signed.pem(), key.serialize_pem())
}

fn authority() -> (String, Issuer<'static, KeyPair>) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    (ca.self_signed(&key).unwrap().pem(), Issuer::new(ca, key))
}

#[tokio::test]
async fn a_server_is_believed_with_a_certificate_for_its_name_from_the_named_ca() {
    let (ca, issuer) = authority();
    let (other_ca, _) = authority();
    let server = Server::prepared(&["ssl=on", "fsync=off"], |data| {
        let (certificate, key) = certificate(&issuer, "127.0.0.1");
        std::fs::write(data.join("server.crt"), certificate).unwrap();
        std::fs::write(data.join("server.key"), key).unwrap();
        let only_owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(data.join("server.key"), only_owner).unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), ca).unwrap();
    std::fs::write(folder.path().join("other.pem"), other_ca).unwrap();
    let url = server.database();
    let with = |url: &str, ca: Option<&str>| StoreSettings {
        ca_file: ca.map(Into::into),
        base: folder.path().into(),
        ..at(format!("{url}?sslmode=require"))
    };
    let store = open(&with(&url, Some("ca.pem"))).unwrap();
    let encrypted =
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'anteroom'";
    assert_eq!(server.sql(&url, encrypted), "t\n");
    store.close().await;
    for (url, ca) in [(&url, None), (&url, Some("other.pem")), (&url.replace("127.0.0.1", "localhost"), Some("ca.pem"))]
    {
        let told = refusal(&with(url, ca));
        assert!(told.contains("invalid peer certificate") && told.contains("store.ca_file"), "{told}");
    }
    let missing = refusal(&with(&url, Some("none.pem")));
    assert!(missing.starts_with("store.ca_file: ") && missing.contains("none.pem can not be read"), "{missing}");
}

/// A machine whose clock is an hour behind, and what it was told to add.
struct Behind {
    clock: SystemClock,
    ahead_millis: AtomicI64,
}

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep_until(&self, instant: Timestamp) -> BoxFuture<'static, ()> {
        self.clock.sleep_until(instant)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(duration)
    }

    fn machine(&self) -> Option<Timestamp> {
        Some(self.clock.now().plus_millis(-3_600_000))
    }

    fn follow(&self, ahead_millis: i64) {
        self.ahead_millis.store(ahead_millis, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn the_clock_of_the_database_is_followed_from_the_start() {
    let clock = Arc::new(Behind { clock: SystemClock::start(), ahead_millis: AtomicI64::new(0) });
    let url = Server::shared().database();
    let its_clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let store = store::open(&at(url), Path::new("data"), its_clock, Metrics::new().store()).unwrap();
    let ahead = clock.ahead_millis.load(Ordering::SeqCst);
    // On one machine the difference is an hour, but for half of a round trip.
    assert!((3_590_000..3_610_000).contains(&ahead), "{ahead}");
    store.close().await;
}

#[tokio::test]
async fn a_check_names_what_is_damaged() {
    let server = Server::shared();
    let url = server.database();
    let store = open(&at(&url)).unwrap();
    for number in 0..4 {
        store.requests().submit(new(request(&owner("anna"), START, number))).await.unwrap();
    }
    store.close().await;
    let check = || store::check(&at(&url), Path::new("data"));
    assert_eq!(check(), Ok(Vec::new()));
    let known = "INSERT INTO records VALUES ('code', 'a', 1, NULL, '{}'), ('grant', 'b', 1, NULL, '{}'), ('client', 'c', 1, NULL, '{}')";
    server.sql(&url, known);
    assert_eq!(check(), Ok(Vec::new()));
    let damage = "UPDATE records SET body = '{' WHERE key = 'c'; UPDATE records SET version = 0 WHERE key = 'a'; \
                  UPDATE records SET kind = 'granu' WHERE key = 'b'";
    server.sql(&url, damage);
    // The kind alone is told: a key may be what a person is known by.
    let expected = [
        "a record of a client of the authorization server can not be read",
        "a record of a code of the authorization server can not be read",
        "a record of the authorization server is of no kind that is known",
    ];
    assert_eq!(check(), Ok(expected.map(str::to_owned).to_vec()));
    server.sql(&url, "DELETE FROM records");
    let id = |number| request(&owner("anna"), START, number).id;
    server.sql(&url, &format!("UPDATE requests SET doc = left(doc, 9) WHERE id = '{}'", id(1)));
    server.sql(&url, &format!("DELETE FROM payloads WHERE id = '{}'", id(2)));
    let expected = [
        format!("request {} can not be read", id(1)),
        format!("request {} should have a payload, and has none", id(2)),
    ];
    assert_eq!(check(), Ok(expected.to_vec()));
    // Whoever asks for it is told, and the others are listed.
    let store = open(&at(&url)).unwrap();
    let found = store.requests().find_any(id(1)).await;
    assert!(matches!(&found, Err(StoreError::Damaged(damaged)) if *damaged == id(1).to_string()), "{found:?}");
    let listed = store.requests().list(None, &Filter::default(), None, 10, START).await.unwrap();
    assert_eq!(listed.iter().map(|request| request.id).collect::<Vec<_>>(), [id(3), id(2), id(0)]);
    store.close().await;
}
