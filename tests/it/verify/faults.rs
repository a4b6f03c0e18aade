//! Answers that are endless in bytes or in time, or broken off: old keys stay, and neither memory nor time is spent.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anteroom::app::SystemClock;
use anteroom::core::clock::{Clock, SetClock};
use anteroom::core::period::Period;
use anteroom::net::NetSettings;
use anteroom::verify::{Chain, FetchErrorClass, KeySetState, Setup};
use serde_json::json;

use super::keys::{RSA, key_set};
use super::subjects::{claims, now, setup, tables, verify, word};
use super::wire::{Answer, Wire, ok};
use crate::patience::{patiently, until};
use crate::process::Gateway;

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/// A JWK Set of 300 MB with this line in its head; counts what the other side let through.
fn huge(line: &'static str, sent: &Arc<AtomicUsize>) -> Answer {
    let sent = Arc::clone(sent);
    Arc::new(move |stream| {
        let megabyte = vec![b' '; 1_000_000];
        let mut write = |bytes: &[u8]| stream.write_all(bytes).map(|()| sent.fetch_add(bytes.len(), Ordering::SeqCst));
        let mut all = write(format!("{HEAD}{line}\r\n\r\n").as_bytes()).and_then(|_| write(b"{\"keys\":["));
        for _ in 0..300 {
            all = all.and_then(|_| write(&megabyte));
        }
    })
}

/// One byte after another, for as long as somebody reads.
fn dripping() -> Answer {
    Arc::new(|stream| {
        let mut alive = stream.write_all(format!("{HEAD}\r\n").as_bytes());
        while alive.is_ok() {
            std::thread::sleep(Duration::from_millis(10));
            alive = stream.write_all(b" ").and_then(|()| stream.flush());
        }
    })
}

fn text(answer: &str) -> Answer {
    let answer = answer.to_owned();
    Arc::new(move |stream| drop(stream.write_all(answer.as_bytes())))
}

fn table(wire: &Wire) -> String {
    let address = wire.address;
    format!(
        "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"http://{address}\"\njwks_uri = \"http://{address}/keys\"\n\
         audience = [\"anteroom\"]\n"
    )
}

/// A chain that gives a provider so many seconds of real time.
fn chain(wire: &Wire, clock: &SetClock, timeout: u64) -> Chain {
    let net = NetSettings { timeout: Period::seconds(timeout), ..NetSettings::default() };
    let setup = Setup { net: net.open(Path::new(".")).unwrap(), ..setup(Path::new("."), clock, None) };
    Chain::build(&["idp".into()], &[], &tables(&table(wire)), &setup).unwrap()
}

#[tokio::test]
async fn old_keys_stay_and_little_is_read() {
    let elsewhere = Wire::start(ok(&key_set(&[&RSA]).to_string()));
    let moved =
        format!("HTTP/1.1 302 Found\r\nlocation: http://{}/keys\r\ncontent-length: 0\r\n\r\n", elsewhere.address);
    let sent = Arc::new(AtomicUsize::new(0));
    let faults = [
        ("300 MB", huge("content-length: 300000009", &sent), "too_large"),
        ("300 MB of unknown length", huge("connection: close", &sent), "too_large"),
        ("a drip", dripping(), "timeout"),
        ("silence", Arc::new(|_: &mut dyn Write| std::thread::park()) as Answer, "timeout"),
        ("a redirect to another host", text(&moved), "http"),
        ("nothing", text(""), "connection"),
        ("half a head", text("HTTP/1.1 200 OK\r\ncontent-"), "connection"),
        ("half a body", text(&format!("{HEAD}content-length: 100\r\n\r\n{{\"keys\":[")), "connection"),
        ("no HTTP", text("220 mail.example ESMTP\r\n"), "connection"),
        ("gzip", text(&format!("{HEAD}content-encoding: gzip\r\ncontent-length: 4\r\n\r\n\u{1f}xyz")), "parse"),
    ];
    for (what, fault, class) in faults {
        let (wire, clock) = (Wire::start(ok(&key_set(&[&RSA]).to_string())), SetClock::at(now()));
        // Only who waits for nothing is given up soon.
        let chain = chain(&wire, &clock, if class == "timeout" { 1 } else { 60 });
        let report = || chain.readiness()[0].keys.clone().unwrap();
        let settled = || report().next_refresh.is_some_and(|left| !left.is_zero());
        chain.warm_up();
        until(|| {
            // On a machine under load a good answer too may come too late, and is asked for again.
            let again = report().next_refresh.filter(|left| !left.is_zero() && report().state == KeySetState::Empty);
            clock.advance(again.unwrap_or_default());
            settled() && report().state == KeySetState::Fresh
        })
        .await;
        wire.answers(fault);
        clock.advance(Duration::from_mins(9));
        until(settled).await;
        assert_eq!(report().last_error.map(FetchErrorClass::name), Some(class), "{what}");
        let issuer = format!("http://{}", wire.address);
        let token = RSA.sign(&json!({ "alg": "RS256", "kid": "rsa-1" }), &claims(&issuer));
        assert_eq!(word(&verify(&chain, &token, chain.api(), clock.now()).await), "accepted", "{what}");
    }
    assert_eq!(elsewhere.connections(), 0);
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < 50_000_000, "{sent} bytes were let through of 600 MB");
}

/// The program itself: its memory through the worst of them, and that what it serves is not affected.
#[tokio::test]
async fn memory_is_not_spent_on_a_provider() {
    let folder = tempfile::tempdir().unwrap();
    let wire = Wire::start(ok(&key_set(&[&RSA]).to_string()));
    let toml = format!("{}grants = [\"requests:read\"]\n[net]\ntimeout = \"500ms\"\n", table(&wire));
    let gateway = Gateway::configured(folder.path(), &toml, &[]);
    let now = SystemClock::start().now().seconds();
    let token = |kid: &str| {
        let issuer = format!("http://{}", wire.address);
        let claims = json!({ "iss": issuer, "sub": "acme", "aud": "anteroom", "exp": now + 600 });
        RSA.sign(&json!({ "alg": "RS256", "kid": kid }), &claims)
    };
    let whoami = async |kid: &str| gateway.whoami(&token(kid)).await;
    patiently(async { while whoami("rsa-1").await == 503 {} }).await;
    let before = gateway.status("VmHWM");
    let faults =
        [huge("content-length: 300000009", &Arc::default()), huge("connection: close", &Arc::default()), dripping()];
    for fault in faults {
        let connections = wire.connections();
        wire.answers(fault);
        // The first is fetched for a key that nobody has, the others when their time has come.
        assert_eq!(whoami("unheard-of").await, 503, "whether there is such a key can not be told");
        until(|| wire.connections() > connections).await;
        assert_eq!(whoami("rsa-1").await, 200);
    }
    // The system counts in strides, so that the mark can go down a little.
    let growth = gateway.status("VmHWM").saturating_sub(before);
    assert!(growth < 16 * 1024, "grew from {before} by {growth} KiB");
}
