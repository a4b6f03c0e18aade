//! How the gateway bears itself on the wire: limits, slow clients, smugglers, and the way it stops.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use reqwest::Method;

use crate::gateway::Gateway;
use crate::process;

/// Sends bytes as they stand, and reads until the gateway hangs up.
fn exchange(gateway: &Gateway, bytes: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // What the gateway did not care to read makes the system reset the connection.
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8(answer).unwrap(),
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[test]
fn a_slow_head_is_cut() {
    let gateway = Gateway::configured("[server]\nhead_timeout = \"200ms\"\n");
    let answer = exchange(&gateway, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn a_slow_body_is_cut() {
    let gateway = Gateway::configured("[server]\nbody_timeout = \"200ms\"\n");
    let head =
        "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let answer = exchange(&gateway, &format!("{head}Content-Length: 100\r\n\r\n{{"));
    assert_eq!(status(&answer), "408", "{answer}");
    assert!(answer.contains("The body did not arrive in time."), "{answer}");
}

#[test]
fn what_two_servers_could_read_differently_is_refused() {
    let gateway = Gateway::start();
    let rest = "\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (name, headers) in [
        ("both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"),
        ("a length list", "Content-Length: 5, 6\r\n"),
        ("a signed length", "Content-Length: +5\r\n"),
        ("an unknown coding", "Transfer-Encoding: xchunked\r\n"),
        ("a folded header", "X-Folded: a\r\n b\r\nContent-Length: 0\r\n"),
        ("a space before the colon", "Content-Length : 5\r\n"),
        ("a bare CR", "X-Bare: a\rb\r\n"),
        ("a NUL", "X-Nul: a\0b\r\n"),
    ] {
        let answer = exchange(&gateway, &format!("POST /oauth/token HTTP/1.1\r\nHost: localhost\r\n{headers}{rest}"));
        assert_eq!(status(&answer), "400", "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{name}: nothing after it is read: {answer}");
    }
}

#[test]
fn a_head_without_end_is_refused() {
    let gateway = Gateway::start();
    let answer =
        exchange(&gateway, &format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "a".repeat(200_000)));
    assert!(["400", "431", "none"].contains(&status(&answer)), "{}", &answer[..80.min(answer.len())]);
    assert_eq!(
        status(&exchange(&gateway, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")),
        "200"
    );
}

#[test]
fn a_client_that_goes_away_leaves_nothing_in_work() {
    let gateway = Gateway::configured("[server]\nmax_in_flight = 1\n");
    for _ in 0..3 {
        let mut stream = TcpStream::connect(gateway.address).unwrap();
        let opening =
            "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        stream.write_all(opening.as_bytes()).unwrap();
        let mut asked = [0; 25];
        stream.read_exact(&mut asked).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // Until the gateway has let go of it.
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    let answer = exchange(&gateway, "GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&answer), "401", "{answer}");
}

#[tokio::test]
async fn stopping_turns_readiness_first_and_waits_for_the_delay() {
    let mut gateway = Gateway::configured("[server]\nmode = \"production\"\n[shutdown]\ndelay = \"5s\"\n");
    assert_eq!(gateway.call(Method::GET, "/readyz").send().await.unwrap().status(), 200);
    gateway.begin_to_stop();
    // The order to stop reaches the gateway in its own time.
    while gateway.call(Method::GET, "/readyz").send().await.unwrap().status() != 503 {
        tokio::task::yield_now().await;
    }
    assert_eq!(gateway.call(Method::GET, "/healthz").send().await.unwrap().status(), 200, "it still serves");
    gateway.advance(5);
    gateway.stop();
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = process::Gateway::start(folder.path());
    let mut held = TcpStream::connect(gateway.base().strip_prefix("http://").unwrap()).unwrap();
    let opening = "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    held.write_all(opening.as_bytes()).unwrap();
    held.read_exact(&mut [0; 25]).unwrap();
    gateway.terminate();
    // Once it takes no new connection, it has begun to stop.
    while TcpStream::connect(gateway.base().strip_prefix("http://").unwrap()).is_ok() {
        std::thread::yield_now();
    }
    held.write_all(b"a=b").unwrap();
    let mut answer = [0; 12];
    held.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 415");
    drop(held);
    let (ended, log) = gateway.end();
    assert_eq!(ended.code(), Some(0), "{log}");
    assert!(log.contains("SIGTERM: stopping") && log.trim_end().ends_with("stopped"), "{log}");
}

#[tokio::test]
async fn no_token_and_no_secret_reaches_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = process::Gateway::start(folder.path());
    let client = gateway.client().await;
    client.submit("key").await.unwrap();
    let http = crate::gateway::http();
    let forged = format!("{}.e30.c2ln", "eyJhbGciOiJub25lIn0");
    http.get(format!("{}/v1/whoami?access_token={forged}", gateway.base())).bearer_auth(&forged).send().await.unwrap();
    gateway.terminate();
    let (_, log) = gateway.end();
    let secret = std::fs::read_to_string(folder.path().join("demo-secret")).unwrap();
    let issuer_secret = std::fs::read_to_string(folder.path().join("issuer-secret")).unwrap();
    assert!(log.contains("path=/v1/requests status=202"), "{log}");
    for hidden in [secret.trim_end(), issuer_secret.trim_end(), client.token(), &forged, "eyJ"] {
        assert!(!log.contains(hidden), "{log}");
    }
}
