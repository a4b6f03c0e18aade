//! An accepted request is never lost: not to kill -9, not to a disk that is slow to sync, not to one that can not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::patience::patiently;
use crate::process::{Client, Gateway, State};

const CLIENTS: usize = 16;

/// What the clients know when the gateway is gone.
#[derive(Default)]
struct Book {
    /// Key and id of each request that was answered with 202.
    accepted: BTreeMap<String, String>,
    /// Keys of requests that were sent, and never answered.
    unanswered: BTreeSet<String>,
    /// What of each request was seen last.
    seen: BTreeMap<String, State>,
    /// Answers that nobody should get.
    wrong: Vec<String>,
}

/// How many times to kill; `ANTEROOM_CRASH_ROUNDS` says so, or 3.
fn rounds() -> usize {
    std::env::var("ANTEROOM_CRASH_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap())
}

/// Submits without a pause until the gateway is gone; tells when `enough` were accepted.
async fn submit_until_killed(client: Client, name: String, book: Arc<Mutex<Book>>, enough: usize, tell: Arc<Notify>) {
    for number in 0.. {
        let key = format!("{name}-{number}");
        book.lock().unwrap().unanswered.insert(key.clone());
        let answer = client.submit(&key).await;
        // Every other one is looked at, every third cancelled.
        let seen = match &answer {
            Ok(id) if number % 3 == 0 => client.cancel(id).await.map(|state| (id.clone(), state)),
            Ok(id) if number % 2 == 0 => client.state(id).await.map(|state| (id.clone(), state)),
            _ => None,
        };
        let mut book = book.lock().unwrap();
        book.seen.extend(seen);
        match answer {
            Ok(id) => {
                book.unanswered.remove(&key);
                book.accepted.insert(key, id);
                if book.accepted.len() >= enough {
                    tell.notify_one();
                }
            }
            Err(answer) if answer.starts_with(|first: char| first.is_ascii_digit()) => return book.wrong.push(answer),
            Err(_) => return,
        }
    }
}

/// Lets the clients loose on the gateway, and kills it in the middle of their work.
async fn kill_under_load(gateway: Gateway, round: usize) -> Book {
    let client = gateway.client().await;
    let (book, tell) = (Arc::new(Mutex::new(Book::default())), Arc::new(Notify::new()));
    let enough = 40 + 37 * (round % 7); // never the same moment in the life of the write-ahead log
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|number| format!("r{round}-c{number}"))
        .map(|name| tokio::spawn(submit_until_killed(client.clone(), name, book.clone(), enough, tell.clone())))
        .collect();
    patiently(tell.notified()).await;
    gateway.kill();
    for task in tasks {
        task.await.unwrap();
    }
    std::mem::take(&mut *book.lock().unwrap())
}

#[tokio::test]
async fn no_accepted_request_is_lost_to_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let (mut accepted, mut seen) = (BTreeMap::new(), BTreeMap::new());
    for round in 0..rounds() {
        let book = kill_under_load(Gateway::start(folder.path()), round).await;
        assert_eq!(book.wrong, [] as [String; 0], "round {round}");
        assert!(!book.unanswered.is_empty(), "round {round} was killed at rest");
        accepted.extend(book.accepted);
        assert!(book.seen.values().any(State::is_cancelled), "round {round} saw none cancelled");
        seen.extend(book.seen);
        let gateway = Gateway::start(folder.path());
        let client = gateway.client().await;
        for key in &book.unanswered {
            let id = client.submit(key).await.unwrap();
            assert_eq!(client.ids_of(key).await, [id.as_str()], "{key} was replayed");
            assert_eq!(client.key_of(&id).await.as_ref(), Some(key));
            accepted.insert(key.clone(), id);
        }
        for (key, id) in &accepted {
            assert_eq!(
                client.key_of(id).await.as_ref(),
                Some(key),
                "{id} was accepted before the kill of round {round}"
            );
        }
        for (id, before) in &mut seen {
            let now = client.state(id).await.unwrap();
            assert!(now >= *before, "{id} was {before:?}, and is {now:?} after the kill of round {round}");
            assert!(!before.is_over() || now == *before, "{id} was over as {before:?}, and is {now:?}");
            *before = now;
        }
    }
    let gateway = Gateway::start(folder.path());
    let client = gateway.client().await;
    for (key, id) in &accepted {
        assert_eq!(client.ids_of(key).await, [id.as_str()], "{key}");
    }
}

/// Whether system calls can be traced here. Where they must be (`ANTEROOM_STRACE=required`), it fails when they can not.
fn can_trace() -> bool {
    let can = Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success());
    let required = std::env::var("ANTEROOM_STRACE").is_ok_and(|value| value == "required");
    assert!(can || !required, "strace does not work here, and ANTEROOM_STRACE=required");
    if !can {
        // Past the test runner's capture, which hides what a passing test prints.
        _ = writeln!(std::io::stderr(), "SKIPPED: strace does not work here, so nothing is shown about syncs");
    }
    can
}

/// The words that run a program with its syncs tampered with.
fn tracer(injection: &str) -> Vec<&str> {
    vec!["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", injection]
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the gateway's own clock is real here, and so is the disk")]
async fn every_202_waits_for_the_sync() {
    if !can_trace() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    Gateway::start(folder.path()).kill(); // makes the files, at full speed
    let gateway = Gateway::start_under(&tracer("inject=fsync,fdatasync:delay_enter=200000"), folder.path());
    let client = gateway.client().await;
    let submissions = (0..2 * CLIENTS).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let begin = Instant::now();
            client.submit(&format!("slow-{number}")).await.unwrap();
            begin.elapsed()
        })
    });
    for submission in submissions.collect::<Vec<_>>() {
        let took = submission.await.unwrap();
        assert!(took >= Duration::from_millis(200), "a 202 came after {took:?}, before its sync");
    }
}

#[tokio::test]
async fn a_failed_sync_is_never_a_202_and_ends_the_process() {
    if !can_trace() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    Gateway::start(folder.path()).kill();
    let mut gateway = Gateway::start_under(&tracer("inject=fsync,fdatasync:error=EIO"), folder.path());
    let client = gateway.client().await;
    let answer = client.submit("lost").await.unwrap_err();
    let (status, log) = gateway.end();
    assert!(!status.success(), "it ended with {status} after {answer}");
    let last = log.lines().last().unwrap_or_default();
    assert!(log.contains("disk I/O error"), "the log does not say why it ended; its last line: {last}");
    let gateway = Gateway::start(folder.path());
    let client = gateway.client().await;
    let id = client.submit("lost").await.unwrap();
    assert_eq!(client.ids_of("lost").await, [id]);
}
