//! `anteroom account add|list|remove|password`: whole answers, and passwords that nobody sees.

use std::path::Path;
use std::process::{Command, Output};

use reqwest::Method;

use crate::gateway::{Answer, http};
use crate::process::{self, Gateway, program};
use crate::terminal::Terminal;

const FIRST: &str = "correct horse";
const SECOND: &str = "battery staple";

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = program();
    command.arg("--config").arg(folder.join("anteroom.toml")).arg("--data-dir").arg(folder.join("data"));
    command.arg("account").args(arguments);
    command
}

/// Runs it with this on its standard input.
fn run(folder: &Path, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = process::run(&mut command(folder, arguments), input);
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The status of a login.
async fn status(gateway: &Gateway, name: &str, password: &str) -> u16 {
    let call = http().request(Method::POST, format!("{}/login", gateway.base())).basic_auth(name, Some(password));
    Answer::to(call).await.status
}

#[tokio::test]
async fn accounts_come_and_go_beside_a_running_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::configured(folder.path(), "", &[]);
    let run = |arguments: &[&str], input: &str| run(folder.path(), arguments, input);
    let (code, printed, told) = run(&["add", "Alain"], &format!("{FIRST}\nand what follows is nothing to it\n"));
    let (words, subject) = told.trim_end().rsplit_once(' ').unwrap();
    assert_eq!(
        (code, printed.as_str(), words),
        (Some(0), "", "The account Alain is made; its tokens have the subject")
    );
    assert!(subject.starts_with("acc_") && subject.len() == 36, "{told}");
    let (code, printed, told) = run(&["add", "boss", "--admin"], FIRST);
    assert_eq!((code, printed.as_str()), (Some(0), ""));
    let boss = told.trim_end().rsplit_once(' ').unwrap().1.to_owned();
    let (code, listed, told) = run(&["list"], "");
    assert_eq!((code, told.as_str()), (Some(0), ""));
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines[0], "NAME   SUBJECT                               ADMIN  CREATED");
    let cells: Vec<Vec<_>> = lines[1..].iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        (cells.len(), &cells[0][..3], &cells[1][..3]),
        (2, &["Alain", subject, "no"][..], &["boss", &boss, "yes"][..])
    );

    assert_eq!(status(&gateway, "alain", FIRST).await, 200);
    let done = "The account has the new password, and its earlier tokens are refused\n";
    assert_eq!(run(&["password", "alain"], &format!("{SECOND}\r\n")), (Some(0), String::new(), done.into()));
    assert_eq!((status(&gateway, "alain", FIRST).await, status(&gateway, "alain", SECOND).await), (401, 200));
    let done = "The account is removed, and its tokens are refused\n";
    assert_eq!(run(&["remove", "alain"], ""), (Some(0), String::new(), done.into()));
    assert_eq!(status(&gateway, "alain", SECOND).await, 401);

    for (arguments, input, words) in [
        (&["add", "boss"][..], FIRST, "There is an account of this name. Choose another name."),
        (&["add", "a b"], FIRST, "/name"),
        (&["add", "carl"], "short", "/password"),
        (&["add", "carl"], "", "/password"),
        (&["add", "carl"], &"x".repeat(20_000), "/password"),
        (&["password", "boss"], "short", "/password"),
        (&["password", "nobody"], FIRST, "There is nothing here under this name"),
        (&["remove", "../keys"], "", "There is nothing here under this name"),
    ] {
        let (code, printed, told) = run(arguments, input);
        assert_eq!((code, printed.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(
            told.starts_with("anteroom: ") && told.contains(words) && !told.contains("short"),
            "{arguments:?}: {told}"
        );
    }
    let log = gateway.kill();
    assert!(![FIRST, SECOND].iter().any(|password| log.contains(password)), "{log}");
}

#[tokio::test]
async fn a_password_is_typed_twice_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::configured(folder.path(), "", &[]);
    let typed = |arguments: &[&str], first: &str, second: &str| {
        let mut terminal = Terminal::run(&command(folder.path(), arguments));
        terminal.wait_for("Password:");
        terminal.write(&format!("{first}\r"));
        terminal.wait_for("Once more:");
        terminal.write(&format!("{second}\r"));
        let session = terminal.end();
        for password in [first, second] {
            assert!(!session.told.contains(password), "{}", session.told);
        }
        (session.code, session.screen)
    };
    let (code, screen) = typed(&["add", "ada"], FIRST, FIRST);
    let lines: Vec<_> = screen.lines().map(str::trim_end).collect();
    assert_eq!((code, &lines[..2], lines.len()), (Some(0), &["Password:", "Once more:"][..], 3), "{screen}");
    assert!(lines[2].starts_with("The account ada is made; its tokens have the subject acc_"), "{screen}");
    let mut terminal = Terminal::run(&command(folder.path(), &["password", "ada"]));
    terminal.wait_for("Password:");
    terminal.write("\x04");
    let session = terminal.end();
    let last = "anteroom: no password was typed; nothing was done";
    assert_eq!((session.code, session.screen.lines().last()), (Some(1), Some(last)));
    let (code, screen) = typed(&["password", "ada"], SECOND, FIRST);
    let last = "anteroom: the two passwords differ; nothing was done";
    assert_eq!((code, screen.lines().last()), (Some(1), Some(last)));
    assert_eq!(status(&gateway, "ada", FIRST).await, 200);
}

#[test]
fn who_breaks_off_at_a_password_has_the_terminal_back() {
    let folder = tempfile::tempdir().unwrap();
    let _gateway = Gateway::configured(folder.path(), "", &[]);
    let account = command(folder.path(), &["add", "ada"]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap : INT; \"$@\"; echo \"ended $?\"; stty -a", "sh"])
        .arg(account.get_program())
        .args(account.get_args());
    let mut terminal = Terminal::run(&shell);
    terminal.wait_for("Password:");
    terminal.write("half of it\x03");
    let session = terminal.end();
    assert!(session.screen.contains("\nanteroom: interrupted\nended 130\n"), "{}", session.screen);
    assert!(session.screen.contains(" echo ") && session.screen.contains(" icanon"), "{}", session.screen);
    assert!(!session.told.contains("half of it"), "{}", session.told);
}

#[test]
fn without_a_gateway_its_store_is_changed_or_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let write = |toml: &str| std::fs::write(folder.path().join("anteroom.toml"), toml).unwrap();
    write("");
    let (code, printed, told) = run(folder.path(), &["list"], "");
    assert_eq!((code, printed.as_str()), (Some(2), ""));
    assert!(told.contains("does not exist: no gateway has run with this configuration"), "{told}");
    let mut gateway = Gateway::configured(folder.path(), "", &[]);
    gateway.terminate();
    assert!(gateway.end().0.success());
    let (code, printed, told) = run(folder.path(), &["add", "ada"], FIRST);
    assert_eq!((code, printed.as_str(), told.contains("\nThe account ada is made;")), (Some(0), "", true), "{told}");
    let (code, listed, _) = run(folder.path(), &["list"], "");
    assert_eq!((code, listed.lines().count(), listed.contains("\nada ")), (Some(0), 2, true), "{listed}");
    // A store in memory would forget it with the command.
    write("[store]\nurl = \"memory:\"\n");
    for (arguments, input) in [(&["add", "bob"][..], FIRST), (&["remove", "ada"], "")] {
        let (code, printed, told) = run(folder.path(), arguments, input);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{told}");
        let expected = "store.url: keeps nothing without a gateway, and none runs in this data directory\n    Start the gateway, or ";
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_password_is_no_argument() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["add", "ada", "hunter2"][..], "unexpected argument 'hunter2' found"),
        (&["add", "ada", "--password", "hunter2"], "unexpected argument '--password' found"),
        (&["password", "ada", "hunter2"], "unexpected argument 'hunter2' found"),
        (&["add"], "the following required arguments were not provided"),
        (&["remove"], "the following required arguments were not provided"),
        (&["forget", "ada"], "unrecognized subcommand 'forget'"),
        (&[], "Usage: anteroom account [OPTIONS] <COMMAND>"),
    ] {
        let (code, printed, told) = run(folder.path(), arguments, "");
        assert_eq!((code, printed.as_str(), told.contains(words)), (Some(2), "", true), "{told}");
    }
}
