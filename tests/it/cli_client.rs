//! `anteroom client add|list|rotate|remove`: beside a running gateway, and on its store when none runs.

use std::path::Path;
use std::process::Output;

use reqwest::Method;

use crate::gateway::{Answer, client, http};
use crate::process::{self, Gateway, program};

const ROOT: &str = "an-example-of-a-secret";

/// Runs the program on what lies in a folder; what it says, and how it ends.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = program();
    command.arg("--config").arg(folder.join("anteroom.toml")).arg("--data-dir").arg(folder.join("data"));
    let Output { status, stdout, stderr } = process::run(command.arg("client").args(arguments), "");
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

async fn status(base: &str, id: &str, secret: &str) -> u16 {
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let call = http().request(Method::POST, format!("{base}/oauth/token"));
    Answer::to(call.header("content-type", "application/x-www-form-urlencoded").body(body)).await.status
}

/// The secret that was printed: a line of its own.
fn secret(printed: &str) -> String {
    let (secret, rest) = printed.split_once('\n').unwrap();
    assert_eq!((secret.len(), rest), (43, ""), "{printed}");
    secret.to_owned()
}

#[tokio::test]
async fn clients_come_and_go_beside_a_running_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let toml = format!("[log]\nformat = \"json\"\n{}", client("root", ROOT, &["admin"]));
    let gateway = Gateway::configured(folder.path(), &toml, &[]);
    let base = gateway.base().to_owned();
    let (code, printed, told) = run(folder.path(), &["add", "acme", "--scope", "requests:read"]);
    assert_eq!((code, told.as_str()), (Some(0), "The client acme is added. Its secret, shown this once, is:\n"));
    let first = secret(&printed);
    assert_eq!(status(&base, "acme", &first).await, 200);
    let app = ["add", "an app", "--public", "--redirect-uri", "https://app.example/callback", "--consent", "auto"];
    let (code, printed, told) = run(folder.path(), &app);
    assert_eq!((code, printed.as_str()), (Some(0), ""));
    assert_eq!(told, "The client an app is added. It is public: it has no secret.\n");

    let (code, listed, told) = run(folder.path(), &["list"]);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let rows: Vec<_> = listed
        .lines()
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect::<Vec<_>>())
        .collect();
    assert_eq!(rows[0], ["CLIENT", "FROM", "GRANTS", "SCOPES", "SECRETS", "ADDED"]);
    assert_eq!(rows[1][..5], ["acme", "store", "client_credentials", "requests:read", "1"]);
    assert_eq!(
        rows[2][..5],
        ["an app", "store", "authorization_code refresh_token", "requests:read requests:write", "public"]
    );
    assert_eq!(rows[3], ["root", "configuration", "client_credentials", "admin", "-", "-"]);

    let (code, printed, told) = run(folder.path(), &["rotate", "acme", "--overlap", "0s"]);
    assert_eq!(
        (code, told.as_str()),
        (Some(0), "The client acme has a new secret. Its secret, shown this once, is:\n")
    );
    let second = secret(&printed);
    assert_eq!((status(&base, "acme", &first).await, status(&base, "acme", &second).await), (401, 200));

    let (code, printed, told) = run(folder.path(), &["remove", "an app"]);
    assert_eq!((code, printed.as_str(), told.as_str()), (Some(0), "", "The client an app is removed.\n"));
    for (arguments, words) in [
        (&["add", "acme"][..], "There is a client of this id already"),
        (&["add", "root"], "This client is in the Provider's configuration"),
        (&["remove", "nobody"], "There is nothing here under this name"),
        (&["add", "b", "--scope", "all"], "The client can not be as it was sent.\n  /scopes: \"all\" is not a scope"),
    ] {
        let (code, printed, told) = run(folder.path(), arguments);
        assert_eq!((code, printed.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(told.starts_with(&format!("anteroom: {words}")), "{told}");
    }
    assert_audited(&gateway.kill(), &[&first, &second]);
}

/// Each act is in the audit log, and no secret is anywhere in it.
fn assert_audited(log: &str, secrets: &[&str]) {
    let audits: Vec<serde_json::Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &serde_json::Value| line["message"] == "audit")
        .collect();
    let told: Vec<_> = audits
        .iter()
        .map(|line| ["action", "object", "outcome", "subject"].map(|key| line[key].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ["client.add", "acme", "done", "socket"],
            ["client.add", "an app", "done", "socket"],
            ["client.rotate", "acme", "done", "socket"],
            ["client.remove", "an app", "done", "socket"],
            ["client.add", "acme", "client_conflict", "socket"],
            ["client.add", "root", "client_conflict", "socket"],
            ["client.remove", "nobody", "not_found", "socket"],
            ["client.add", "b", "malformed", "socket"],
        ]
    );
    assert!(!secrets.iter().any(|secret| log.contains(secret)), "a secret is in the log");
}

#[tokio::test]
async fn where_no_gateway_runs_the_store_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let toml = client("root", ROOT, &["admin"]);
    let mut gateway = Gateway::configured(folder.path(), &toml, &[]);
    gateway.terminate();
    assert!(gateway.end().0.success());
    let (code, printed, told) = run(folder.path(), &["add", "acme"]);
    // The line of the audit log comes before it.
    let last = told.lines().last();
    assert_eq!((code, last), (Some(0), Some("The client acme is added. Its secret, shown this once, is:")), "{told}");
    let first = secret(&printed);
    let second = secret(&run(folder.path(), &["rotate", "acme"]).1);
    let gateway = Gateway::configured(folder.path(), &toml, &[]);
    for secret in [&first, &second] {
        assert_eq!(status(gateway.base(), "acme", secret).await, 200);
    }
}
