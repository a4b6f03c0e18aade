//! `anteroom request` and `anteroom check --store`: what whoever runs the gateway asks it, without a token.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, client, http};
use crate::process::{self, Gateway, program};

/// Runs the program on a data directory; what it says, and how it ends.
fn run(data_dir: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = process::run(program().arg("--data-dir").arg(data_dir).args(arguments), "");
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

const MEMORY: &str = "[store]\nurl = \"memory:\"\n";

#[tokio::test]
async fn a_running_gateway_tells_its_user_about_any_request() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::configured(folder.path(), MEMORY, &[]);
    let data_dir = folder.path().join("data");
    let id = gateway.client().await.submit("key-1").await.unwrap();

    let (code, shown, error) = run(&data_dir, &["request", "show", &id, "--json"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let whole: Value = serde_json::from_str(&shown).unwrap();
    let owner = json!({ "issuer": "http://localhost:8080", "subject": "demo" });
    assert_eq!((&whole["owner"], &whole["request"]["request_id"]), (&owner, &json!(id)));
    assert_eq!((&whole["events"][0]["kind"], &whole["events"][0]["actor"]), (&json!("submitted"), &json!("demo")));
    let (trace, at) = (whole["trace_id"].as_str().unwrap(), whole["request"]["submitted_at"].as_str().unwrap());

    let (code, sheet, error) = run(&data_dir, &["request", "show", &id]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let lines: Vec<_> = sheet.lines().collect();
    assert_eq!(lines[0], format!("request       {id}"));
    for line in [
        "type          default".to_owned(),
        "owner         demo of http://localhost:8080".into(),
        format!("submitted     {at}, trace {trace}"),
        "tag           key=key-1".into(),
    ] {
        assert!(lines.contains(&line.as_str()), "{line} in\n{sheet}");
    }
    let events = lines.iter().position(|line| line.starts_with("VERSION")).unwrap();
    let cells: Vec<_> = lines[events + 1].split_whitespace().collect();
    assert_eq!(cells, ["0.0", at, "submitted", "queued", "received", "demo", trace]);

    let (code, listed, _) = run(&data_dir, &["request", "list", "--type", "default", "--tag", "key=key-1"]);
    assert_eq!((code, listed.lines().count()), (Some(0), 2), "{listed}");
    assert!(listed.lines().nth(1).unwrap().starts_with(&id), "{listed}");
    let (code, listed, _) = run(&data_dir, &["request", "list", "--type", "demo-fail"]);
    assert_eq!((code, listed.as_str()), (Some(0), "REQUEST  STATUS  TYPE  SUBMITTED  OWNER\n"));

    let (code, _, error) = run(&data_dir, &["request", "list", "--status", "lost"]);
    assert_eq!((code, error.starts_with("anteroom: The parameter status is not made of scheduled, ")), (Some(1), true));
    let (code, _, error) = run(&data_dir, &["request", "show", "../issuers"]);
    assert_eq!((code, error.starts_with("anteroom: There is nothing here under this name")), (Some(1), true));
}

#[tokio::test]
async fn the_socket_is_its_users_alone_and_goes_with_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let (data_dir, socket) = (folder.path().join("data"), folder.path().join("data/admin.sock"));
    let mode = || socket.symlink_metadata().map(|found| found.permissions().mode() & 0o777).ok();
    let gateway = Gateway::configured(folder.path(), MEMORY, &[]);
    assert_eq!(mode(), Some(0o600));
    gateway.kill();
    assert_eq!(mode(), Some(0o600), "a crash leaves it");
    // A command is not misled by what a crash has left, and neither is the next gateway.
    let (code, listed, error) = run(&data_dir, &["--config", file(folder.path()).as_str(), "request", "list"]);
    assert_eq!((code, listed.lines().count(), error.as_str()), (Some(0), 1, ""), "{listed}");
    assert_eq!(mode(), None, "the command leaves nothing");
    let mut gateway = Gateway::configured(folder.path(), MEMORY, &[]);
    assert_eq!(mode(), Some(0o600));
    gateway.terminate();
    assert!(gateway.end().0.success());
    assert_eq!(mode(), None);
}

#[tokio::test]
async fn a_sheet_says_what_webhooks_have_told() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::configured(folder.path(), MEMORY, &[]);
    let client = gateway.client().await;
    let to = json!({ "url": "http://127.0.0.1:1/hooks", "events": ["request.queued"] });
    let add = http().post(format!("{}/v1/webhook-endpoints", gateway.base())).bearer_auth(client.token()).json(&to);
    assert_eq!(Answer::to(add).await.status, 201);
    let id = client.submit("key-1").await.unwrap();
    let (code, sheet, error) = run(&folder.path().join("data"), &["request", "show", &id]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let mut lines = sheet.lines().skip_while(|line| !line.starts_with("WEBHOOK "));
    let head: Vec<_> = lines.next().unwrap_or_else(|| panic!("{sheet}")).split_whitespace().collect();
    assert_eq!(head, ["WEBHOOK", "EVENT", "STATUS", "ATTEMPTS", "LAST", "NEXT", "TO"]);
    let told = lines.next().unwrap();
    assert!(told.starts_with("msg_") && told.contains("  request.queued  pending  "), "{told}");
    assert!(told.ends_with("  http://127.0.0.1:1/hooks"), "{told}");
}

fn file(folder: &Path) -> String {
    folder.join("anteroom.toml").display().to_string()
}

#[tokio::test]
async fn a_gateway_without_a_socket_serves_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("long".repeat(30));
    let gateway = Gateway::start(&data_dir);
    assert!(gateway.client().await.submit("key").await.is_ok());
    let (code, _, error) = run(&data_dir, &["request", "list"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("is in use by another gateway process"), "{error}");
    let log = gateway.kill();
    let warning = "admin.sock can not be listened on: ";
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains(warning)), "{log}");
}

#[test]
fn where_no_gateway_has_run_there_is_nothing_to_ask() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    for command in [&["request", "list"][..], &["check", "--store"]] {
        let (code, _, error) = run(&data_dir, command);
        assert_eq!(code, Some(2), "{command:?}");
        let told = format!("server.data_dir: {} does not exist: no gateway has run", data_dir.display());
        assert!(error.contains(&told), "{error}");
        assert!(!data_dir.exists(), "{command:?} makes nothing");
    }
}

#[test]
fn a_store_is_checked_when_no_gateway_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(folder.path());
    let (code, _, error) = run(folder.path(), &["check", "--store"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("is in use by another gateway process"), "{error}");
    gateway.kill();
    let (code, told, _) = run(folder.path(), &["check", "--store"]);
    assert_eq!((code, told.as_str()), (Some(0), "The store is sound: sqlite:anteroom.db\n"));
}

#[tokio::test]
async fn what_an_operator_changes_is_in_the_audit_log_at_any_level() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "an-example-of-a-secret";
    let toml = format!("{MEMORY}[log]\nformat = \"json\"\nlevel = \"warn\"\n{}", client("root", secret, &["admin"]));
    // The line that says where it listens is not logged at that level.
    let gateway = Gateway::configured(folder.path(), &toml.replace("\"warn\"", "\"anteroom=info,error\""), &[]);
    let form = [("grant_type", "client_credentials"), ("client_id", "root"), ("client_secret", secret)];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let token = http().post(format!("{}/oauth/token", gateway.base()));
    let token = token.header("content-type", "application/x-www-form-urlencoded").body(body);
    let token = Answer::to(token).await.json()["access_token"].as_str().unwrap().to_owned();
    let refresh = http().request(Method::POST, format!("{}/v1/admin/issuers/self/refresh", gateway.base()));
    let refused = Answer::to(refresh.bearer_auth(token)).await;
    assert_eq!(refused.status, 409);
    let log = gateway.kill();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let audits: Vec<_> = lines.into_iter().filter(|line| line["message"] == "audit").collect();
    let [line] = audits.as_slice() else { panic!("{audits:?} in\n{log}") };
    let mut line = line.clone();
    line.as_object_mut().unwrap().remove("timestamp");
    assert_eq!(
        line,
        json!({
            "level": "INFO", "message": "audit", "action": "issuer.refresh", "object": "self", "outcome": "keys_not_fetched",
            "issuer": "http://localhost:8080", "subject": "root", "trace_id": refused.header("x-trace-id"),
        })
    );
}
