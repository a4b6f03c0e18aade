//! The SQLite store in trouble: a full disk, a disk that fails, more work than it takes, a writer that panics.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use anteroom::core::BoxFuture;
use anteroom::core::clock::{Clock, SetClock, Timestamp};
use anteroom::core::error::StoreError;
use anteroom::core::ports::Store;
use anteroom::core::ports::requests::{Filter, NewRequest, Submission};
use anteroom::core::request::Request;
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::stores::{START, cancel, id, keyed, new, open, owner, request};

const URL: &str = "sqlite:anteroom.db";

/// A clock that does something when a cancellation asks it.
struct AskedClock<F>(F);

impl<F: Fn() + Send + Sync> Clock for AskedClock<F> {
    fn now(&self) -> Timestamp {
        (self.0)();
        START
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep_until(&self, instant: Timestamp) -> BoxFuture<'static, ()> {
        SetClock::at(START).sleep_until(instant)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        SetClock::at(START).sleep(duration)
    }
}

/// A small disk of its own, which ends with the test.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this user may not mount one.
    pub(crate) fn mount(mebibytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let mount = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(directory.path()).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.path()).status().ok();
    }
}

/// Announces that a test could not run here.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub(crate) fn left_out(why: &str) {
    eprintln!("LEFT OUT: {why}");
}

fn large(number: u64) -> NewRequest {
    let request = request(&owner("anna"), START, number);
    NewRequest { payload: format!("\"{}\"", "x".repeat(20_000)), ..keyed(request, &format!("key-{number}"), 1) }
}

#[tokio::test]
async fn a_full_disk_refuses_whole_requests_until_there_is_space() {
    let Some(disk) = SmallDisk::mount(2) else { return left_out("a full disk needs the right to mount one") };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let store = open(URL, disk.path(), Arc::new(SetClock::at(START)));
    let requests = store.requests();
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for round in 0..20 {
        let numbers = round * 10..(round + 1) * 10;
        let answers = join_all(numbers.clone().map(|number| requests.submit(large(number)))).await;
        for (number, answer) in numbers.zip(answers) {
            match answer {
                Ok(Submission::Accepted(request)) => accepted.push(request),
                Err(StoreError::Full) => refused.push(number),
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(!accepted.is_empty() && refused.len() >= 100, "{} accepted, {} refused", accepted.len(), refused.len());
    assert!(store.is_ready());
    assert_eq!(store.failure().now_or_never(), None);
    assert_kept(&*store, &accepted).await;

    fs::remove_file(ballast).unwrap();
    // Nothing of the refused ones was kept, their keys included.
    for number in refused.into_iter().take(10) {
        let answer = requests.submit(large(number)).await.unwrap();
        let Submission::Accepted(request) = answer else { panic!("{answer:?}") };
        accepted.push(request);
    }
    assert_kept(&*store, &accepted).await;
    store.close().await;
    let store = open(URL, disk.path(), Arc::new(SetClock::at(START)));
    assert_kept(&*store, &accepted).await;
    store.close().await;
}

/// These, and no others.
async fn assert_kept(store: &dyn Store, expected: &[Arc<Request>]) {
    let mut expected = expected.to_vec();
    expected.sort_by_key(|request| std::cmp::Reverse(request.id));
    let kept = store.requests().list(Some(&owner("anna")), &Filter::default(), None, 1000, START).await.unwrap();
    assert_eq!(kept, expected);
}

/// Where the process that runs under `strace` finds its directory.
const DISK_FAILS_IN: &str = "ANTEROOM_TEST_DISK_FAILS_IN";

/// Runs itself under `strace`, which makes the sixth sync of the writer fail and all that come after it.
#[test]
fn a_sync_that_fails_ends_the_store_and_loses_nothing_that_was_answered() {
    if let Some(directory) = std::env::var_os(DISK_FAILS_IN) {
        return meet_a_failing_sync(PathBuf::from(directory));
    }
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        return left_out("a sync that fails needs strace");
    }
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(open(URL, directory.path(), Arc::new(SetClock::at(START))).close());
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"])
        .args(["-e", "inject=fsync,fdatasync:error=EIO:when=6+"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite_faults::a_sync_that_fails_ends_the_store_and_loses_nothing_that_was_answered"])
        .env(DISK_FAILS_IN, directory.path())
        .status();
    assert!(status.unwrap().success());
    let answered = fs::read_to_string(directory.path().join("answered")).unwrap();
    let store = open(URL, directory.path(), Arc::new(SetClock::at(START)));
    for id in answered.lines() {
        let found = runtime.block_on(store.requests().find(&owner("anna"), id.parse().unwrap())).unwrap();
        assert_eq!(found.unwrap().id.to_string(), id);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn meet_a_failing_sync(directory: PathBuf) {
    // The counting is by thread: what this one syncs when it opens the store counts apart from what the writer syncs.
    let store = open(URL, &directory, Arc::new(SetClock::at(START)));
    let requests = store.requests();
    let mut answered = Vec::new();
    let refused = loop {
        let number = answered.len().try_into().unwrap();
        assert!(number < 100, "no sync fails");
        match requests.submit(new(request(&owner("anna"), START, number))).await {
            Ok(Submission::Accepted(request)) => answered.push(request.id.to_string()),
            other => break other,
        }
    };
    assert!(!answered.is_empty(), "nothing was stored before the sync failed");
    let sentence = "the store can not be written any more: disk I/O error";
    assert_failed(refused, sentence);
    assert_eq!(store.failure().await, sentence);
    assert!(!store.is_ready());
    assert_failed(requests.submit(new(request(&owner("anna"), START, 1000))).await, sentence);
    assert_unreadable(requests.find(&owner("anna"), id(START, 0)).await, sentence);
    fs::write(directory.join("answered"), answered.join("\n")).unwrap();
}

fn assert_failed<T: std::fmt::Debug>(answer: Result<T, StoreError>, sentence: &str) {
    match answer {
        Err(StoreError::Failed(source)) => assert_eq!(source.to_string(), sentence),
        other => panic!("{other:?}"),
    }
}

fn assert_unreadable<T: std::fmt::Debug>(answer: Result<T, StoreError>, sentence: &str) {
    match answer {
        Err(StoreError::Unreadable(source)) => assert_eq!(source.to_string(), sentence),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_writer_that_panics_ends_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let clock = AskedClock(|| panic!("this clock has stopped"));
    let store = open(URL, directory.path(), Arc::new(clock));
    let (requests, anna) = (store.requests(), owner("anna"));
    requests.submit(new(request(&anna, START, 1))).await.unwrap();
    let sentence = "the store can not be written any more: its writer panicked";
    let (cancelled, submitted) = tokio::join!(
        requests.act_all(vec![cancel(&anna, id(START, 1))]),
        requests.submit(new(request(&anna, START, 2)))
    );
    assert_failed(cancelled, sentence);
    assert_failed(submitted, sentence);
    assert!(!store.is_ready());
    assert_eq!(store.failure().await, sentence);
    assert_unreadable(requests.list(Some(&anna), &Filter::default(), None, 10, START).await, sentence);
    store.close().await;
    let store = open(URL, directory.path(), Arc::new(SetClock::at(START)));
    let left = store.requests().find(&anna, id(START, 1)).await.unwrap();
    assert_eq!(left, Some(Arc::new(request(&anna, START, 1))));
}

#[tokio::test]
async fn more_writes_than_may_wait_are_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (asked, is_asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let gate = Mutex::new((asked, may_go));
    let clock = AskedClock(move || {
        let (asked, may_go) = &*gate.lock().unwrap();
        asked.send(()).unwrap();
        may_go.recv().unwrap();
    });
    let store = open(URL, directory.path(), Arc::new(clock));
    let (requests, anna) = (store.requests(), owner("anna"));
    requests.submit(new(request(&anna, START, 9000))).await.unwrap();
    let (other, whose) = (store.requests(), anna.clone());
    let held = tokio::spawn(async move { other.act_all(vec![cancel(&whose, id(START, 9000))]).await });
    tokio::task::yield_now().await;
    is_asked.recv_timeout(Duration::from_secs(10)).unwrap();
    // The writer has the cancellation in hand, and only that.
    let mut burst = join_all((0..4100).map(|number| requests.submit(new(request(&anna, START, number)))));
    assert!((&mut burst).now_or_never().is_none());
    go.send(()).unwrap();
    let answers = burst.await;
    let busy = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Busy))).count();
    let accepted = answers.iter().filter(|answer| matches!(answer, Ok(Submission::Accepted(_)))).count();
    assert_eq!((accepted, busy), (4096, 4));
    assert!(matches!(&held.await.unwrap().unwrap()[..], [Some(_)]));
    assert!(store.is_ready());
}
