//! The file that keeps the token: for its user alone, replaced whole, renewed once, and not taken for another's.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{answer, answer_once, command_as, given, provider, run_as};
use crate::terminal::Terminal;

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

fn kept(home: &Path) -> Value {
    serde_json::from_slice(&fs::read(home.join("anteroom/token.json")).unwrap()).unwrap()
}

fn log_in(home: &Path, server: &MockServer) {
    let login = ["login", "--discovery-url", &server.uri(), "--url", &server.uri(), "--client-id", "cli", "-q"];
    let (code, _, told) = run_as(home, &login, "");
    assert_eq!(code, Some(0), "{told}");
}

#[tokio::test]
async fn it_is_for_its_user_alone_and_replaced_whole() {
    let home = tempfile::tempdir().unwrap();
    let (folder, file) = (home.path().join("anteroom"), home.path().join("anteroom/token.json"));
    // Somebody's folder that all may read, with a file that is a link, and a draft that was left behind.
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    fs::write(home.path().join("elsewhere"), "untouched").unwrap();
    symlink(home.path().join("elsewhere"), &file).unwrap();
    fs::write(folder.join("token.new"), "left behind").unwrap();
    fs::set_permissions(folder.join("token.new"), Permissions::from_mode(0o666)).unwrap();
    let server = provider().await;
    answer(&server, "POST", "/token", 200, given("first", 3600)).await;
    log_in(home.path(), &server);
    assert_eq!((mode(&folder), mode(&file), file.symlink_metadata().unwrap().is_file()), (0o700, 0o600, true));
    assert_eq!(fs::read_to_string(home.path().join("elsewhere")).unwrap(), "untouched");
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["lock", "token.json"]);
    // Who has it open has the old one, whole, when another has come.
    let (open, before) = (File::open(&file).unwrap(), kept(home.path()));
    log_in(home.path(), &server);
    assert_ne!(open.metadata().unwrap().ino(), file.metadata().unwrap().ino());
    assert_eq!(serde_json::from_reader::<_, Value>(open).unwrap(), before);
    assert_eq!((mode(&file), names().len()), (0o600, 2));
}

#[tokio::test]
async fn a_token_that_has_expired_is_renewed_or_has_to_be_logged_in_for() {
    let home = tempfile::tempdir().unwrap();
    let server = provider().await;
    let mut short = given("short", 1);
    answer_once(&server, 200, short.clone()).await;
    let renewal =
        || Mock::given(method("POST")).and(path("/token")).and(body_string_contains("grant_type=refresh_token"));
    let refused = ResponseTemplate::new(400).set_body_json(json!({ "error": "invalid_grant" }));
    renewal().respond_with(refused).up_to_n_times(1).mount(&server).await;
    log_in(home.path(), &server);
    let before = kept(home.path());
    let (code, out, told) = run_as(home.path(), &["submit", "-"], "{}");
    let expected = format!(
        "anteroom: the token has expired, and no other is given: {}/token answered 400: invalid_grant; log in with `anteroom login`\n",
        server.uri()
    );
    assert_eq!((code, out.as_str(), told), (Some(3), "", expected));
    assert_eq!(kept(home.path()), before);
    // The provider keeps to the refresh token that it has given.
    let renewed = ResponseTemplate::new(200)
        .set_body_json(json!({ "access_token": "long", "token_type": "Bearer", "expires_in": 3600 }));
    renewal().respond_with(renewed).expect(1).mount(&server).await;
    answer(&server, "POST", "/v1/requests", 202, json!({ "request_id": "req_1" })).await;
    for _ in 0..2 {
        let (code, out, told) = run_as(home.path(), &["submit", "-", "-q"], "{}");
        assert_eq!((code, out.as_str(), told.as_str()), (Some(0), "req_1\n", ""));
    }
    let after = kept(home.path());
    assert_eq!((&after["access_token"], &after["refresh_token"]), (&json!("long"), &before["refresh_token"]));

    short["refresh_token"] = Value::Null;
    let server = provider().await;
    answer_once(&server, 200, short).await;
    log_in(home.path(), &server);
    let (code, _, told) = run_as(home.path(), &["status", "req_1"], "");
    let expected =
        "anteroom: the token has expired: log in with `anteroom login`, or give --client-id and --client-secret\n";
    assert_eq!((code, told.as_str()), (Some(3), expected));
}

#[tokio::test]
async fn it_is_not_taken_for_anothers() {
    let home = tempfile::tempdir().unwrap();
    let server = provider().await;
    answer_once(&server, 200, given("t", 3600)).await;
    log_in(home.path(), &server);
    let url = server.uri();
    for (arguments, expected) in [
        (["--client-id", "other"], "the token that is kept is of cli, and --client-id names another".to_owned()),
        (
            ["--discovery-url", "https://idp.example"],
            format!("the token that is kept is of {url}, and --discovery-url names another"),
        ),
    ] {
        let (code, _, told) = run_as(home.path(), &["status", "req_1", arguments[0], arguments[1]], "");
        assert_eq!((code, told), (Some(3), format!("anteroom: {expected}: log in with `anteroom login`\n")));
    }
    let problem = json!({ "title": "Unauthorized", "detail": "The token was revoked" });
    answer(&server, "GET", "/v1/requests/req_1", 401, problem).await;
    let (code, _, told) =
        run_as(home.path(), &["status", "req_1", "--client-id", "cli", "--discovery-url", &url, "-q"], "");
    let expected = format!(
        "anteroom: {url}/v1/requests/req_1 answered 401: The token was revoked; log in anew with `anteroom login`\n"
    );
    assert_eq!((code, told), (Some(3), expected));
    fs::write(home.path().join("anteroom/token.json"), "{\"access_token\": \"secret\"").unwrap();
    let (code, _, told) = run_as(home.path(), &["status", "req_1"], "");
    let file = home.path().join("anteroom/token.json");
    let expected = format!("anteroom: {} is not what `anteroom login` writes: remove it and log in\n", file.display());
    assert_eq!((code, told), (Some(1), expected));
}

#[tokio::test]
async fn one_command_at_a_time_has_it() {
    let home = tempfile::tempdir().unwrap();
    let server = provider().await;
    answer_once(&server, 200, given("t", 3600)).await;
    log_in(home.path(), &server);
    answer(&server, "GET", "/v1/requests/req_1", 200, json!({ "request_id": "req_1", "status": "queued" })).await;
    let other = File::open(home.path().join("anteroom/lock")).unwrap();
    other.lock().unwrap();
    let run = || Terminal::run(&command_as(home.path(), &["status", "req_1"]));
    let mut interrupted = run();
    interrupted.wait_for("Waiting for another command (");
    interrupted.write("\x03");
    assert_eq!(interrupted.end().code, Some(130));
    let mut waiting = run();
    waiting.wait_for("Waiting for another command (");
    other.unlock().unwrap();
    let session = waiting.end();
    assert_eq!((session.code, session.screen.as_str()), (Some(0), "req_1 queued, stage -"));
}
