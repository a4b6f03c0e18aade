//! Providers that are dead, mistaken or dangerous: each is told with what to do, and its exit code.

use serde_json::{Value, json};
use wiremock::MockServer;

use super::{DEVICE_CODE, DOCUMENT, answer, answer_once, given, provider, run_as};
use crate::verify::wire::{NOBODY, Wire, ok};

/// Logs in there; the exit code and the last line.
fn log_in(named: &str) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    let (code, out, told) = run_as(home.path(), &["login", "--discovery-url", named], "");
    assert_eq!(out, "");
    assert!(!told.contains(DEVICE_CODE), "{told}");
    assert!(!home.path().join("anteroom/token.json").exists());
    (code, told.lines().last().unwrap_or_default().to_owned())
}

/// What a provider of this document, at its own address, is told.
async fn judged(document: impl Fn(&str) -> Value) -> (Option<i32>, String, String) {
    let server = MockServer::start().await;
    answer(&server, "GET", DOCUMENT, 200, document(&server.uri())).await;
    let (code, told) = log_in(&server.uri());
    (code, told, server.uri())
}

#[tokio::test]
async fn a_document_that_can_not_be_used_is_told() {
    let (code, told, url) = judged(|_| json!({ "token_endpoint": "https://idp.example/token" })).await;
    let remedy = "check that it is the address that is meant";
    assert_eq!((code, told), (Some(1), format!("anteroom: {url}{DOCUMENT} answered 200 without issuer: {remedy}")));
    let (code, told, url) = judged(|_| json!({ "issuer": 7 })).await;
    let expected = format!("anteroom: {url}{DOCUMENT} answered 200 in another form than was expected: {remedy}");
    assert_eq!((code, told), (Some(1), expected));
    let (code, told, url) =
        judged(|url| json!({ "issuer": url, "device_authorization_endpoint": format!("{url}/device") })).await;
    assert_eq!((code, told), (Some(3), format!("anteroom: {url} names no token_endpoint: it does not offer this")));
    let (code, told, url) = judged(|url| json!({ "issuer": format!("{url}/other") })).await;
    let expected = format!(
        "anteroom: {url}{DOCUMENT} is the document of {url}/other, and not of who was asked: ask for the one below the issuer's own address"
    );
    assert_eq!((code, told), (Some(3), expected));
    // The document may be had by http here, and nothing may be sent by it elsewhere.
    let (code, told, _) = judged(|url| {
        json!({ "issuer": url, "token_endpoint": format!("{url}/token"), "device_authorization_endpoint": "http://idp.example/device" })
    })
    .await;
    let expected = "anteroom: \"http://idp.example/device\" is not https (http is allowed for localhost only). Correct the address";
    assert_eq!((code, told.as_str()), (Some(2), expected));
}

#[tokio::test]
async fn who_is_no_provider_is_told() {
    let html = Wire::start(ok("<!DOCTYPE html><title>Welcome</title>"));
    let url = format!("http://{}", html.address);
    let expected = format!(
        "anteroom: {url}{DOCUMENT} answered 200 without the JSON that was expected: check that it is the address that is meant"
    );
    assert_eq!(log_in(&url), (Some(1), expected));
    let nothing = MockServer::start().await;
    let expected = format!(
        "anteroom: there is no discovery document: {}{DOCUMENT} answered 404: it does not say why; \
         give --discovery-url the issuer, or the address of its document",
        nothing.uri()
    );
    assert_eq!(log_in(&nothing.uri()), (Some(3), expected));
    let (code, told) = log_in(&format!("http://{NOBODY}"));
    let expected = format!("anteroom: http://{NOBODY}{DOCUMENT} can not be reached: ");
    assert_eq!((code, told.starts_with(&expected)), (Some(4), true), "{told}");
    assert!(told.ends_with(". Check the address (--url, --discovery-url), and that the server runs"), "{told}");
    let (code, told) = log_in("http://ada:hunter2@idp.example");
    let expected = "anteroom: \"http://…@idp.example/.well-known/openid-configuration\" is not https (http is allowed for \
                    localhost only). Correct the address";
    assert_eq!((code, told.as_str()), (Some(2), expected));
    let home = tempfile::tempdir().unwrap();
    let (code, _, told) = run_as(home.path(), &["login", "-d", "--url", "https://ada:hunter2@gateway.example"], "");
    assert_eq!((code, told.contains("hunter2")), (Some(2), false), "{told}");
}

#[tokio::test]
async fn a_provider_that_breaks_off_is_told() {
    for (body, code, expected) in [
        (
            json!({ "access_token": "t" }),
            1,
            "/token answered 200 without token_type: check that it is the address that is meant",
        ),
        (json!({ "access_token": "t", "token_type": "DPoP" }), 1, "/token gave a token that is no bearer token"),
        (
            json!({ "access_token": "t\r\nx: y", "token_type": "Bearer" }),
            1,
            "/token gave a token that is no bearer token",
        ),
    ] {
        let server = provider().await;
        answer_once(&server, 200, body).await;
        let (ended, told) = log_in(&server.uri());
        assert_eq!((ended, told), (Some(code), format!("anteroom: {}{expected}", server.uri())));
    }
    let server = MockServer::start().await;
    let url = server.uri();
    let document = json!({
        "issuer": url, "token_endpoint": format!("{url}/token"), "device_authorization_endpoint": format!("{url}/device"),
    });
    answer(&server, "GET", DOCUMENT, 200, document).await;
    answer(&server, "POST", "/device", 200, json!({ "device_code": DEVICE_CODE, "expires_in": 300 })).await;
    let (code, told) = log_in(&url);
    let expected =
        format!("anteroom: {url}/device answered 200 without user_code: check that it is the address that is meant");
    assert_eq!((code, told), (Some(1), expected));
    server.reset().await;
}

#[tokio::test]
async fn a_private_ca_is_trusted_where_it_is_named() {
    let home = tempfile::tempdir().unwrap();
    let (wire, ca) = Wire::start_tls(ok(""));
    let url = format!("https://localhost:{}", wire.address.port());
    // One answer to every call: it is the document, the codes and the token.
    let mut answer = given("t", 3600);
    for (name, value) in [
        ("issuer", json!(url)),
        ("token_endpoint", json!(format!("{url}/token"))),
        ("device_authorization_endpoint", json!(format!("{url}/device"))),
        ("device_code", json!(DEVICE_CODE)),
        ("user_code", json!("WDJB-MJHT")),
        ("verification_uri", json!("https://idp.example/device")),
        ("expires_in", json!(300)),
        ("interval", json!(1)),
    ] {
        answer[name] = value;
    }
    wire.answers(ok(&answer.to_string()));
    let (code, told) = log_in(&url);
    let expected = format!(
        "anteroom: {url}{DOCUMENT} can not be trusted: its certificate is from a CA that is not trusted here. \
         Put the certificate of its CA into a PEM file and name that with --ca-file"
    );
    assert_eq!((code, told), (Some(4), expected));
    std::fs::write(home.path().join("ca.pem"), ca).unwrap();
    let (code, _, told) =
        run_as(home.path(), &["login", "--discovery-url", &url, "--ca-file", "ca.pem", "--client-id", "cli"], "");
    assert_eq!(code, Some(0), "{told}");
    std::fs::write(home.path().join("none.pem"), "no certificate").unwrap();
    let (code, _, told) = run_as(home.path(), &["login", "--discovery-url", &url, "--ca-file", "none.pem"], "");
    assert_eq!((code, told.contains("--ca-file: none.pem holds no certificate")), (Some(2), true), "{told}");
}
