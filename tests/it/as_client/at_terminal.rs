//! A person at a terminal: what is on the screen, how it is broken off, and what a plain terminal is spared.

use std::path::Path;

use super::{command_as, decide, run_as, user_code};
use crate::gateway::Gateway;
use crate::terminal::{Session, Terminal};

const LETS_ANYBODY_IN: &str = "[accounts]\nlogin = \"any\"\n";

/// All that a line that moves needs: to be drawn again.
const CLEAR_LINE: [&str; 1] = ["[K"];

fn run(home: &Path, arguments: &[&str]) -> Terminal {
    Terminal::run(&command_as(home, arguments))
}

/// Logs in at the gateway; what is left on the screen.
async fn log_in(gateway: &Gateway, home: &Path) -> (String, Session) {
    let mut terminal = run(home, &["--bind", &gateway.address.to_string(), "login"]);
    terminal.wait_for(" Waiting for you to confirm it (");
    let user_code = user_code(&terminal.screen());
    decide(gateway, &user_code, "allow").await;
    (user_code, terminal.end())
}

#[tokio::test]
async fn a_person_logs_in_submits_and_waits() {
    let home = tempfile::tempdir().unwrap();
    let gateway = Gateway::configured(LETS_ANYBODY_IN);
    let (user_code, session) = log_in(&gateway, home.path()).await;
    let (page, file) = (gateway.url("/device"), home.path().join("anteroom/token.json"));
    let expected = format!(
        "To log in, open {page} and enter the code {user_code} (within 10 min).\n\
         Or just open {page}?user_code={user_code}\n\
         Logged in. The token is kept in {} and is renewed by itself.",
        file.display()
    );
    assert_eq!((session.code, session.screen.as_str()), (Some(0), expected.as_str()));
    assert_eq!((session.escape_codes(), session.cursor), (CLEAR_LINE.to_vec(), ((3, 0), false)));

    std::fs::write(home.path().join("request.json"), r#"{"type": "default", "payload": {"hello": "world"}}"#).unwrap();
    let session = run(home.path(), &["submit", "request.json"]).end();
    let id = session.screen.lines().next().unwrap().to_owned();
    let expected = format!("{id}\nSubmitted. See how it gets on with `anteroom status {id} --wait`.");
    assert_eq!((session.code, id.starts_with("req_"), session.screen.as_str()), (Some(0), true, expected.as_str()));

    let mut terminal = run(home.path(), &["status", &id, "--wait"]);
    terminal.wait_for(" queued, stage received (");
    gateway.advance(5);
    terminal.wait_for(" running, stage processing (");
    gateway.advance(10);
    let session = terminal.end();
    assert_eq!((session.code, session.screen), (Some(0), format!("{id} succeeded, stage done")));
    assert!(session.told.contains("\r⠙ "), "it moves: {}", session.told);
}

#[tokio::test]
async fn ctrl_c_ends_what_waits_and_leaves_the_terminal_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let gateway = Gateway::configured(LETS_ANYBODY_IN);
    let mut terminal = run(home.path(), &["--bind", &gateway.address.to_string(), "login"]);
    terminal.wait_for(" Waiting for you to confirm it (");
    terminal.write("\x03");
    let session = terminal.end();
    let last = session.screen.lines().last().unwrap();
    assert_eq!((session.code, last, session.cursor), (Some(130), "anteroom: interrupted", ((3, 0), false)));
    assert!(!home.path().join("anteroom/token.json").exists());

    log_in(&gateway, home.path()).await;
    let id = run_as(home.path(), &["submit", "-", "-q"], r#"{"payload": {}}"#).1;
    let mut terminal = run(home.path(), &["status", id.trim_end(), "--wait"]);
    terminal.wait_for(" queued, stage received (");
    terminal.write("\x03");
    let session = terminal.end();
    let expected = (Some(130), "anteroom: interrupted", ((1, 0), false));
    assert_eq!((session.code, session.screen.as_str(), session.cursor), expected);
}

#[tokio::test]
async fn a_plain_terminal_is_spared_what_it_does_not_show() {
    let home = tempfile::tempdir().unwrap();
    let gateway = Gateway::configured(LETS_ANYBODY_IN);
    log_in(&gateway, home.path()).await;
    let id = run_as(home.path(), &["submit", "-", "-q"], r#"{"payload": {}}"#).1;
    let id = id.trim_end();
    let state = format!("{id} queued, stage received");
    let status = |more: &[&str], variables: &[(&str, &str)]| {
        let arguments: Vec<_> = ["status", id].iter().chain(more).copied().collect();
        let mut command = command_as(home.path(), &arguments);
        let session = Terminal::run(command.envs(variables.iter().copied())).end();
        assert_eq!(session.code, Some(0), "{}", session.screen);
        session
    };
    // There is no colour to leave out.
    let session = status(&[], &[("NO_COLOR", "1")]);
    assert_eq!((session.screen.as_str(), session.escape_codes()), (state.as_str(), CLEAR_LINE.to_vec()));
    let session = status(&[], &[("TERM", "dumb")]);
    assert_eq!(session.told, format!("Asking\r\n{state}\r\n"));
    let session = status(&["-q"], &[]);
    assert_eq!(session.told, format!("{state}\r\n"));
    // A line that moves would stand in the way of the lines that tell each call.
    let session = status(&["-d"], &[]);
    let lines: Vec<_> = session.told.lines().collect();
    let call = format!("GET {} 200 ", gateway.url(&format!("/v1/requests/{id}")));
    assert_eq!((lines.len(), lines[0], lines[2]), (3, "Asking", state.as_str()), "{lines:?}");
    assert!(lines[1].starts_with(&call) && lines[1].ends_with(" ms"), "{lines:?}");
}
