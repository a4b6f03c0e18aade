//! `anteroom login`, `submit` and `status`: the program as a client, of a provider that is not ours and of the gateway itself.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::oauth::Browser;
use crate::process::{self, Gateway, program};

mod at_terminal;
mod configured;
mod faulty_providers;
mod own_credentials;
mod pace;
mod real_provider;
mod token_file;

const DOCUMENT: &str = "/.well-known/openid-configuration";
const DEVICE_CODE: &str = "a-device-code-of-the-provider";
/// Two types that reach their end soon.
const TYPES: &str = r#"
[types.default]
stages = [
  { after = "0s", stage = "received", status = "queued" },
  { after = "1s", stage = "processing", status = "running" },
  { after = "2s", stage = "done", status = "succeeded" },
]
[types.broken]
stages = [{ after = "0s", stage = "received", status = "queued" }, { after = "1s", stage = "failed", status = "failed" }]
error = { code = "out_of_order", title = "Out of order", detail = "It does not work.", retryable = false }
"#;
const REFRESH_TOKEN: &str = "a-refresh-token-of-the-provider";

/// Runs the program as somebody whose state is in that folder; how it ends, and what it says on either output.
pub(crate) fn run_as(home: &Path, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = process::run(&mut command_as(home, arguments), input);
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The same, to be run.
fn command_as(home: &Path, arguments: &[&str]) -> Command {
    let mut command = program();
    command.current_dir(home).env("XDG_STATE_HOME", home).args(arguments);
    command
}

/// The code that a person is told to enter.
fn user_code(told: &str) -> String {
    let (_, rest) = told.split_once(" and enter the code ").unwrap();
    rest.split(' ').next().unwrap().to_owned()
}

/// A person opens the gateway's page, logs in, enters the code and decides.
async fn decide(gateway: &crate::gateway::Gateway, user_code: &str, decision: &str) {
    let browser = Browser::new(gateway);
    let page = browser.log_in(&format!("/device?user_code={user_code}")).await;
    let question = browser.submit("/device", &page, &[("user_code", user_code)]).await;
    let answer = browser.submit("/device", &question, &[("decision", decision)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// A provider that offers the device grant.
async fn provider() -> MockServer {
    let server = MockServer::start().await;
    let url = server.uri();
    let document = json!({
        "issuer": url, "token_endpoint": format!("{url}/token"), "device_authorization_endpoint": format!("{url}/device"),
    });
    answer(&server, "GET", DOCUMENT, 200, document).await;
    let codes = json!({
        "device_code": DEVICE_CODE, "user_code": "WDJB-MJHT", "verification_uri": "https://idp.example/device",
        "verification_uri_complete": "https://idp.example/device?user_code=WDJB-MJHT\u{1b}[2J", "expires_in": 300, "interval": 1,
    });
    answer(&server, "POST", "/device", 200, codes).await;
    server
}

async fn answer(server: &MockServer, verb: &str, at: &str, status: u16, body: Value) {
    let answer = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(server).await;
}

/// What the token endpoint answers once, before what is mounted after it.
async fn answer_once(server: &MockServer, status: u16, body: Value) {
    let answer = ResponseTemplate::new(status).set_body_json(body);
    let asked = body_string_contains(format!("device_code={DEVICE_CODE}"));
    let mock = Mock::given(method("POST")).and(path("/token")).and(asked).respond_with(answer);
    mock.up_to_n_times(1).mount(server).await;
}

fn given(token: &str, expires_in: u32) -> Value {
    json!({ "access_token": token, "token_type": "bearer", "expires_in": expires_in, "refresh_token": REFRESH_TOKEN })
}

#[tokio::test]
async fn a_person_logs_in_at_a_provider_and_submits_a_request() {
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let gateway = Gateway::configured(folder.path(), TYPES, &[]);
    let token = gateway.client().await.token().to_owned();
    let server = provider().await;
    answer_once(&server, 400, json!({ "error": "authorization_pending" })).await;
    // It is good for less than it takes to be used, and so it is renewed at once.
    answer_once(&server, 200, given("expired", 1)).await;
    let renewal = Mock::given(method("POST")).and(path("/token")).and(body_string_contains("grant_type=refresh_token"));
    let renewed = ResponseTemplate::new(200).set_body_json(given(&token, 3600));
    renewal.respond_with(renewed).expect(1).mount(&server).await;

    let login = ["login", "--discovery-url", &server.uri(), "--url", gateway.base(), "--client-id", "cli"];
    let (code, out, told) = run_as(home.path(), &login, "");
    assert_eq!((code, out.as_str()), (Some(0), ""), "{told}");
    let file = home.path().join("anteroom/token.json");
    let expected = format!(
        "To log in, open https://idp.example/device and enter the code WDJB-MJHT (within 5 min).\n\
         Or just open https://idp.example/device?user_code=WDJB-MJHT\\u{{1b}}[2J\n\
         Waiting for you to confirm it\n\
         Logged in. The token is kept in {} and is renewed by itself.\n",
        file.display()
    );
    assert_eq!(told, expected);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);

    let request = r#"{"type": "default", "payload": {"n": 1.0}}"#;
    let (code, out, told) = run_as(home.path(), &["submit", "-", "-d"], request);
    assert_eq!(code, Some(0), "{told}");
    let id = out.trim_end();
    assert!(id.starts_with("req_"), "{out}");
    assert!(told.lines().any(|line| line.starts_with(&format!("POST {}/v1/requests 202 ", gateway.base()))), "{told}");
    for secret in [DEVICE_CODE, REFRESH_TOKEN, &token] {
        assert!(!told.contains(secret) && !out.contains(secret), "{told}");
    }
    let (code, out, told) = run_as(home.path(), &["status", id, "-q"], "");
    assert_eq!((code, told.as_str()), (Some(0), ""));
    assert!(out.starts_with(&format!("{id} queued, stage received")), "{out}");
    let (code, out, told) = run_as(home.path(), &["status", id, "--wait"], "");
    assert_eq!((code, out), (Some(0), format!("{id} succeeded, stage done\n")), "{told}");
    assert!(told.lines().any(|line| line == "running, stage processing"), "{told}");

    std::fs::write(home.path().join("payload.json"), "{}").unwrap();
    let (code, out, told) = run_as(home.path(), &["submit", "payload.json", "--type", "broken", "-q"], "");
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let (code, out, _) = run_as(home.path(), &["status", out.trim_end(), "--wait", "--json", "-q"], "");
    assert_eq!((code, &serde_json::from_str::<Value>(&out).unwrap()["status"]), (Some(1), &json!("failed")));
    let (code, _, told) = run_as(home.path(), &["status", "req_01JD9W3W7QX5T4N0V6K8B2C1DE", "--wait"], "");
    assert_eq!((code, told.contains("answered 404: There is nothing here under this name")), (Some(3), true), "{told}");
}

#[tokio::test]
async fn a_refusal_is_told_and_keeps_nothing() {
    let home = tempfile::tempdir().unwrap();
    for (error, expected) in [
        (json!({ "error": "access_denied" }), "anteroom: the person who was asked has denied it\n".to_owned()),
        (json!({ "error": "expired_token" }), "anteroom: nobody has confirmed it in time: log in again\n".to_owned()),
        (
            json!({ "error": "invalid_client", "error_description": "no\u{1b}[2J" }),
            "answered 400: no\\u{1b}[2J\n".to_owned(),
        ),
    ] {
        let server = provider().await;
        answer_once(&server, 400, error).await;
        let (code, _, told) = run_as(home.path(), &["login", "--discovery-url", &server.uri()], "");
        assert_eq!((code, told.ends_with(&expected)), (Some(3), true), "{told}");
    }
    let (code, _, told) = run_as(home.path(), &["submit", "-"], "{}");
    let expected =
        "anteroom: there is no token: log in with `anteroom login`, or give --client-id and --client-secret\n";
    assert_eq!((code, told.as_str()), (Some(3), expected));
}

#[tokio::test]
async fn nobody_is_sent_to_a_file_or_a_script() {
    let home = tempfile::tempdir().unwrap();
    for address in ["file:///etc/passwd", "javascript:alert(1)", "javascript://x/%0aalert(1)", "idp.example/device"] {
        for name in ["verification_uri", "verification_uri_complete"] {
            let server = MockServer::start().await;
            let url = server.uri();
            let document = json!({
                "issuer": url, "token_endpoint": format!("{url}/token"),
                "device_authorization_endpoint": format!("{url}/device"),
            });
            answer(&server, "GET", DOCUMENT, 200, document).await;
            let mut codes = json!({
                "device_code": DEVICE_CODE, "user_code": "WDJB-MJHT", "expires_in": 300,
                "verification_uri": "https://idp.example/device",
            });
            codes[name] = json!(address);
            answer(&server, "POST", "/device", 200, codes).await;
            let (code, _, told) = run_as(home.path(), &["login", "--discovery-url", &url], "");
            let expected =
                format!("anteroom: {url}/device would have a browser open what is no page of the web: {address}\n");
            assert_eq!((code, told), (Some(3), expected));
        }
    }
}

#[tokio::test]
async fn a_token_is_not_sent_to_another_gateway() {
    let home = tempfile::tempdir().unwrap();
    let server = provider().await;
    answer_once(&server, 200, given("a-token", 3600)).await;
    let login = ["login", "--discovery-url", &server.uri(), "--url", "https://gateway.example/", "-q"];
    assert_eq!(run_as(home.path(), &login, "").0, Some(0));
    let other = MockServer::start().await;
    let other_url = other.uri();
    for command in [["submit", "-"], ["status", "req_1"]] {
        let arguments = [&command[..], &["--url", &other_url]].concat();
        let (code, out, told) = run_as(home.path(), &arguments, "{}");
        let expected = "anteroom: the token that is kept is of https://gateway.example, and --url names another: \
                        log in there with `anteroom login --url URL`\n";
        assert_eq!((code, out.as_str(), told.as_str()), (Some(3), "", expected));
    }
    assert_eq!(other.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_secret_goes_by_basic_and_slow_down_is_honoured() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("secret"), "a s&cret\n").unwrap();
    let server = provider().await;
    answer_once(&server, 400, json!({ "error": "slow_down" })).await;
    // "cli" and "a s&cret", form-encoded.
    let proven =
        Mock::given(method("POST")).and(path("/token")).and(header("authorization", "Basic Y2xpOmErcyUyNmNyZXQ="));
    proven.respond_with(ResponseTemplate::new(200).set_body_json(given("t", 60))).mount(&server).await;
    let login =
        ["login", "--discovery-url", &server.uri(), "--client-id", "cli", "--client-secret", "file:secret", "-d"];
    let (code, _, told) = run_as(home.path(), &login, "");
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told.matches("POST http").count(), 3, "{told}");
    let kept: Value = serde_json::from_slice(&std::fs::read(home.path().join("anteroom/token.json")).unwrap()).unwrap();
    let place = format!("file:{}", home.path().join("secret").canonicalize().unwrap().display());
    assert_eq!((&kept["client_secret"], &kept["client_id"]), (&json!(place), &json!("cli")));
}

#[tokio::test]
async fn who_is_not_who_was_asked_gets_nothing() {
    let home = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    let url = server.uri();
    answer(&server, "GET", DOCUMENT, 200, json!({ "issuer": "https://idp.example" })).await;
    let (code, _, told) = run_as(home.path(), &["login", "--discovery-url", &url], "");
    let expected =
        format!("anteroom: {url}{DOCUMENT} is the document of https://idp.example, and not of who was asked: ");
    assert_eq!((code, told.starts_with(&expected)), (Some(3), true), "{told}");
    let server = MockServer::start().await;
    answer(&server, "GET", DOCUMENT, 200, json!({ "issuer": server.uri() })).await;
    let (code, _, told) = run_as(home.path(), &["login", "--discovery-url", &server.uri()], "");
    let expected =
        format!("anteroom: {} names no device_authorization_endpoint: it does not offer this\n", server.uri());
    assert_eq!((code, told), (Some(3), expected));
}

#[test]
fn what_is_wrong_with_the_command_line_is_told_before_anything_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let secret = ["login", "--client-secret", "s3cret-itself"];
    for (arguments, code, expected) in [
        (
            &secret[..],
            2,
            "--client-secret: write it as \"file:PATH\" or \"env:NAME\". A secret never stands on a command line",
        ),
        (&["submit", "gone.json"], 2, "FILE: gone.json can not be read: "),
        (&["login", "--bind", "127.0.0.1:1"], 4, "http://127.0.0.1:1/oauth/device can not be reached"),
        (&["login", "--ca-file", "gone.pem"], 2, "--ca-file"),
        (&["login", "--discovery-url", "http://idp.example"], 2, "is not https"),
        (
            &["login", "--discovery-url", "http://127.0.0.1:1"],
            4,
            "http://127.0.0.1:1/.well-known/openid-configuration can not be reached",
        ),
    ] {
        let (ended, out, told) = run_as(home.path(), arguments, "");
        assert_eq!((ended, out.as_str(), told.contains(expected)), (Some(code), "", true), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[tokio::test]
async fn a_person_logs_in_at_the_gateway_itself() {
    let home = tempfile::tempdir().unwrap();
    let gateway = crate::gateway::Gateway::configured("[accounts]\nlogin = \"any\"\n");
    let address = gateway.address.to_string();
    let mut login = command_as(home.path(), &["--bind", &address, "login"]);
    let mut login = login.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(login.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    decide(&gateway, &user_code(&line), "allow").await;
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert!(login.wait().unwrap().success(), "{rest}");
    let last = format!(
        "Logged in. The token is kept in {}/anteroom/token.json and is renewed by itself.\n",
        home.path().display()
    );
    assert!(rest.ends_with(&last), "{rest}");
    let (code, out, told) = run_as(home.path(), &["submit", "-", "-q"], r#"{"payload": {}}"#);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let (code, shown, _) = run_as(home.path(), &["status", out.trim_end()], "");
    assert_eq!((code, shown), (Some(0), format!("{} queued, stage received\n", out.trim_end())));
}
