//! How the gateway bears itself on the wire: limits, slow clients, smugglers, and the way it stops.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use base64::Engine;
use reqwest::Method;
use serde_json::json;

use crate::gateway::{Answer, Gateway, connect};
use crate::patience::{PATIENCE, patiently, until};
use crate::process;

/// Sends bytes as they stand, and reads until the gateway hangs up.
fn exchange(gateway: &Gateway, bytes: &str) -> String {
    let mut answer = Vec::new();
    match gateway.connect(bytes).read_to_end(&mut answer) {
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

/// The head of a request whose body the gateway asks for, which tells that it has begun with it.
const OPENING: &str =
    "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";

/// A provider that takes calls and answers none: whoever needs its keys waits.
fn silent_provider() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    (listener, issuer)
}

#[tokio::test]
async fn over_the_bound_of_requests_in_work_the_answer_is_503_at_once_and_health_goes_on() {
    let (_listener, issuer) = silent_provider();
    let gateway = Gateway::configured(&format!(
        "[server]\nmax_in_flight = 1\n[net]\ntimeout = \"60s\"\n[verifiers.self]\nkind = \"self\"\n\
         [verifiers.silent]\nkind = \"oidc\"\nissuer = \"{issuer}\"\naudience = [\"a\"]\n"
    ));
    let claims = json!({ "iss": issuer, "sub": "s", "aud": "a", "exp": 1_895_327_923 }).to_string();
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let token = format!("{}.{}.c2ln", encode(r#"{"alg":"RS256","kid":"1"}"#), encode(&claims));
    let wait = || {
        let call = gateway.call(Method::GET, "/v1/whoami").bearer_auth(&token);
        tokio::spawn(async move { call.send().await.unwrap().status().as_u16() })
    };
    let mut waiting = wait();

    // Once it is in work, the next one is one too many; unless it was the one too many itself.
    let one_too_many = async {
        loop {
            if waiting.is_finished() {
                waiting = wait();
            }
            let answer = Answer::to(gateway.call(Method::GET, "/v1/whoami")).await;
            if answer.status != 401 {
                break answer;
            }
        }
    };
    let answer = patiently(one_too_many).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(
        answer.problem(),
        json!({
            "type": "urn:anteroom:error:overloaded", "title": "Overloaded", "status": 503, "code": "overloaded",
            "detail": "The gateway is at its limit and did not take the request. Wait for `Retry-After` and send it again.",
        })
    );
    for path in ["/healthz", "/readyz"] {
        assert_eq!(gateway.call(Method::GET, path).send().await.unwrap().status(), 200);
    }

    // The patience with a provider goes by the gateway's clock, from whenever the waiting began.
    until(|| {
        gateway.advance(60);
        waiting.is_finished()
    })
    .await;
    assert_eq!(waiting.await.unwrap(), 503);
    assert_eq!(gateway.call(Method::GET, "/v1/whoami").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_body_keeps_nobody_out() {
    let gateway = Gateway::configured("[server]\nmax_in_flight = 1\n");
    let mut slow = gateway.connect(OPENING);
    // The gateway asks for the body, so it has begun with the request.
    slow.read_exact(&mut [0; 25]).unwrap();
    assert_eq!(gateway.call(Method::GET, "/v1/whoami").send().await.unwrap().status(), 401);
    slow.write_all(b"a=b").unwrap();
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 415");
    assert_eq!(gateway.call(Method::GET, "/v1/whoami").send().await.unwrap().status(), 401);
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
        let mut stream = gateway.connect(OPENING);
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
    let readyz = async || gateway.call(Method::GET, "/readyz").send().await.unwrap().status();
    patiently(async { while readyz().await != 503 {} }).await;
    assert_eq!(gateway.call(Method::GET, "/healthz").send().await.unwrap().status(), 200, "it still serves");
    gateway.advance(5);
    gateway.stop();
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = process::Gateway::start(folder.path());
    let address = gateway.base().strip_prefix("http://").unwrap().parse().unwrap();
    let mut held = connect(address, OPENING);
    held.read_exact(&mut [0; 25]).unwrap();
    gateway.terminate();
    // Once it takes no new connection, it has begun to stop.
    until(|| TcpStream::connect(address).is_err()).await;
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
    // Nor does what is no HTTP fill it.
    let mut garbage = TcpStream::connect(gateway.base().strip_prefix("http://").unwrap()).unwrap();
    garbage.write_all(b"\x16\x03\x01 no HTTP\r\n\r\n").unwrap();
    garbage.set_read_timeout(Some(PATIENCE)).unwrap();
    garbage.read_to_end(&mut Vec::new()).unwrap();
    gateway.terminate();
    let (_, log) = gateway.end();
    assert!(!log.contains("ERROR"), "{log}");
    let secret = std::fs::read_to_string(folder.path().join("demo-secret")).unwrap();
    let issuer_secret = std::fs::read_to_string(folder.path().join("issuer-secret")).unwrap();
    assert!(log.contains("path=/v1/requests status=202"), "{log}");
    for hidden in [secret.trim_end(), issuer_secret.trim_end(), client.token(), &forged, "eyJ"] {
        assert!(!log.contains(hidden), "{log}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_answers_unread_is_cut() {
    let gateway = Gateway::configured("[server]\nwrite_timeout = \"500ms\"\n");
    let mut stream = gateway.connect("");
    // The system drops the gateway's end without a word, so its own table tells.
    until(|| is_open(&gateway)).await;
    // More than any buffer on the way holds.
    let call = "GET /ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(call.repeat(16).as_bytes()).unwrap();
    until(|| !is_open(&gateway)).await;
}

/// Whether the gateway's end of a connection is in the system's table (state 01, established).
fn is_open(gateway: &Gateway) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ours = format!(":{:04X}", gateway.address.port());
    table.lines().any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields[1].ends_with(&ours) && fields[3] == "01"
    })
}
