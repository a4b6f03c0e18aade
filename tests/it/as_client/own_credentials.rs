//! `--client-id` and `--client-secret`: a program's own credentials, which stand in a file or a variable and nowhere else.

use std::path::Path;

use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{DOCUMENT, answer, command_as, run_as};
use crate::gateway::{Gateway, client};
use crate::process;

const SECRET: &str = "an-example-of-a-secret";

/// Runs it with the secret in a variable.
fn run_with_variable(home: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = process::run(command_as(home, arguments).env("ACME_SECRET", SECRET), r#"{"payload": {}}"#);
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_program_submits_and_looks_on_with_its_own_credentials() {
    let home = tempfile::tempdir().unwrap();
    let gateway = Gateway::configured(&client("acme", SECRET, &["requests:read", "requests:write"]));
    let url = gateway.url("");
    std::fs::write(home.path().join("secret"), format!("{SECRET}\n")).unwrap();
    for place in ["env:ACME_SECRET", "file:secret"] {
        let submit = ["submit", "-", "--url", &url, "--client-id", "acme", "--client-secret", place, "-d"];
        let (code, out, told) = run_with_variable(home.path(), &submit);
        assert_eq!((code, out.starts_with("req_")), (Some(0), true), "{told}");
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines.len(), 4, "{told}");
        assert!(lines[0].starts_with(&format!("POST {url}/oauth/token 200 ")), "{told}");
        assert_eq!(lines[1], "Submitting");
        assert!(lines[2].starts_with(&format!("POST {url}/v1/requests 202 ")), "{told}");
        assert!(!told.contains(SECRET) && !told.contains("eyJ"), "{told}");
        let status = ["status", out.trim_end(), "--url", &url, "--client-id", "acme", "--client-secret", place, "-q"];
        let (code, shown, told) = run_with_variable(home.path(), &status);
        assert_eq!((code, shown, told.as_str()), (Some(0), format!("{} queued, stage received\n", out.trim_end()), ""));
    }
    assert!(!home.path().join("anteroom").exists(), "nothing is kept");
}

#[tokio::test]
async fn who_waits_asks_for_one_token_and_bears_with_who_gives_it() {
    let home = tempfile::tempdir().unwrap();
    let provider = MockServer::start().await;
    let url = provider.uri();
    let document = json!({ "issuer": url, "token_endpoint": format!("{url}/token") });
    answer(&provider, "GET", DOCUMENT, 200, document).await;
    // The first is not good for long enough to be used twice; then who gives it does not answer once.
    let token = |expires_in: u32| json!({ "access_token": "t", "token_type": "bearer", "expires_in": expires_in });
    let asked = || Mock::given(method("POST")).and(path("/token"));
    let (short, long) = [1, 60].map(|seconds| ResponseTemplate::new(200).set_body_json(token(seconds))).into();
    asked().respond_with(short).up_to_n_times(1).expect(1).mount(&provider).await;
    let silent = |_: &Request| std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    asked().respond_with_err(silent).up_to_n_times(1).expect(1).mount(&provider).await;
    asked().respond_with(long).expect(1).mount(&provider).await;
    let gateway = MockServer::start().await;
    for status in ["queued", "queued", "running", "running"] {
        let request = json!({ "request_id": "req_1", "status": status, "stage": status });
        let looked = Mock::given(method("GET")).respond_with(ResponseTemplate::new(200).set_body_json(request));
        looked.up_to_n_times(1).mount(&gateway).await;
    }
    let done = json!({ "request_id": "req_1", "status": "succeeded", "stage": "done" });
    answer(&gateway, "GET", "/v1/requests/req_1", 200, done).await;
    let gateway = gateway.uri();
    let arguments = [
        "status",
        "req_1",
        "--wait",
        "--url",
        &gateway,
        "--discovery-url",
        &url,
        "--client-id",
        "acme",
        "--client-secret",
        "env:ACME_SECRET",
    ];
    let (code, out, told) = run_with_variable(home.path(), &arguments);
    assert_eq!((code, out.as_str()), (Some(0), "req_1 succeeded, stage done\n"), "{told}");
}

#[tokio::test]
async fn what_is_wrong_with_a_secret_is_told_without_it() {
    let home = tempfile::tempdir().unwrap();
    let gateway = Gateway::configured(&client("acme", "another-secret", &["requests:read"]));
    let url = gateway.url("");
    let wrong = format!("anteroom: there is no token: {url}/oauth/token answered 401: ");
    for (place, code, expected) in [
        ("env:ACME_SECRET", 3, wrong.as_str()),
        ("env:NO_SUCH_VARIABLE", 2, "anteroom: --client-secret: "),
        ("file:gone", 2, "anteroom: --client-secret: "),
        (
            SECRET,
            2,
            "anteroom: --client-secret: write it as \"file:PATH\" or \"env:NAME\". A secret never stands on a command line\n",
        ),
    ] {
        let arguments = ["status", "req_1", "--url", &url, "--client-id", "acme", "--client-secret", place, "-q"];
        let (ended, out, told) = run_with_variable(home.path(), &arguments);
        assert_eq!((ended, out.as_str(), told.starts_with(expected)), (Some(code), "", true), "{place}: {told}");
        assert!(!told.contains(SECRET), "{told}");
    }
}

#[test]
fn the_exit_codes_are_told_with_the_options() {
    let home = tempfile::tempdir().unwrap();
    let codes = "Exit codes: 0 done; 1 failed, or the request did not succeed; 2 the configuration or the command line can not be used; \
                 3 refused by the server or by the person who was asked; 4 the server does not answer; 130 interrupted";
    for command in ["login", "submit", "status"] {
        let (code, help, _) = run_as(home.path(), &[command, "--help"], "");
        assert_eq!((code, help.replace('\n', " ").contains(codes)), (Some(0), true), "{help}");
        for option in [
            "--url",
            "--client-id",
            "--client-secret",
            "--discovery-url",
            "--ca-file",
            "-q, --quiet",
            "-d, --debug",
            "-c, --config",
        ] {
            assert!(help.contains(option), "{option} in {help}");
        }
        let (code, out, told) = run_as(home.path(), &[command, "--config", "gone.toml", "-"], "{}");
        assert_eq!((code, out.as_str()), (Some(2), ""), "{told}");
    }
}
