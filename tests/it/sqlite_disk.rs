//! The SQLite store on a disk that is full for a while, or fails once: what workers do is done whole or not at all, and no answer is
//! false.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anteroom::core::clock::SetClock;
use anteroom::core::error::StoreError;
use anteroom::core::ports::Store;
use anteroom::core::ports::requests::{Claim, NewRequest, Requests};
use anteroom::core::request::{Act, Output, Report, Request, RequestId, Status, Version, view};
use anteroom::store::StoreSettings;
use anteroom::telemetry::metrics::Metrics;

use crate::sqlite_faults::{SmallDisk, left_out};
use crate::stores::{START, by, cancel, id, keyed, new, open, order, owner, request, worked_on, worker};

const URL: &str = "sqlite:anteroom.db";

fn job(number: u64) -> NewRequest {
    keyed(worked_on(3, request(&owner("anna"), START, number)), &format!("key-{number}"), 1)
}

fn claim() -> Claim {
    let kinds = vec![("default".into(), Duration::from_mins(5))];
    Claim { kinds, most: 1, lease: Duration::from_mins(1), worker: worker("wendy"), by: by("wendy") }
}

fn complete(length: usize) -> Act {
    let body = format!("\"{}\"", "y".repeat(length)).into_bytes();
    Act::Complete { epoch: 1, output: Output { content_type: Output::JSON.into(), body } }
}

/// Everything that belongs to a request.
async fn all_of(requests: &dyn Requests, id: RequestId) -> impl PartialEq + std::fmt::Debug {
    let found = requests.find_any(id).await.unwrap();
    let (events, output) = (requests.events(id).await.unwrap(), requests.output(id).await.unwrap());
    (found, events, output, requests.payload(id).await.unwrap())
}

#[tokio::test]
async fn a_full_disk_refuses_whole_acts_and_claims_until_there_is_space() {
    let Some(disk) = SmallDisk::mount(16) else { return left_out("a full disk needs the right to mount one") };
    let ballast = disk.path().join("ballast");
    let store = open(URL, disk.path(), Arc::new(SetClock::at(START)));
    let requests = store.requests();
    let jobs: Vec<_> = (0..60).map(job).collect();
    requests.submit_all(jobs).await.unwrap();
    let mut leased = Vec::new();
    for _ in 0..20 {
        leased.push(requests.claim(claim()).await.unwrap().leased.remove(0).0.id);
    }
    fill(&ballast);
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for id in &leased {
        let before = all_of(&*requests, *id).await;
        match requests.act_all(vec![order(*id, complete(100_000))]).await {
            Ok(_) => done.push(*id),
            Err(StoreError::Full) => {
                assert_eq!(all_of(&*requests, *id).await, before, "half of a completion was kept");
                refused.push(*id);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(refused.len() > 10, "{} of 20 were refused", refused.len());
    let (given, full) = claims_until_full(&*requests).await;
    assert!(full, "{given:?}");
    let half = requests.submit_all((100..1100).map(job).collect()).await;
    assert!(matches!(half, Err(StoreError::Full)), "{half:?}");
    assert!(store.is_ready());
    fs::remove_file(&ballast).unwrap();
    for id in refused {
        let outcome = requests.act_all(vec![order(id, complete(10_000))]).await.unwrap().remove(0).unwrap();
        assert_eq!(outcome.refused, None);
    }
    // Those that were refused used up no attempt, and are leased now.
    for _ in 0..40 - given.len() {
        let (request, _) = requests.claim(claim()).await.unwrap().leased.remove(0);
        assert_eq!((request.work().unwrap().epoch, request.work().unwrap().attempt), (1, 1));
    }
    assert_eq!(requests.claim(claim()).await.unwrap().leased, []);
    assert_eq!(requests.find_any(id(START, 100)).await.unwrap(), None);
    store.close().await;
    assert_eq!(anteroom::store::check(&settings(), disk.path()), Ok(Vec::new()));
}

/// Writes until there is no space left.
fn fill(ballast: &Path) {
    let mut file = fs::File::create(ballast).unwrap();
    let mut length = 1 << 20;
    while length >= 512 {
        if file.write_all(&vec![1; length]).is_err() {
            length /= 2;
        }
    }
}

/// Claims until there is no space for it.
async fn claims_until_full(requests: &dyn Requests) -> (Vec<RequestId>, bool) {
    let mut given = Vec::new();
    for _ in 0..40 {
        match requests.claim(claim()).await {
            Ok(claimed) => given.extend(claimed.leased.iter().map(|(request, _)| request.id)),
            Err(StoreError::Full) => return (given, true),
            Err(error) => panic!("{error:?}"),
        }
    }
    (given, false)
}

fn settings() -> StoreSettings {
    StoreSettings { url: URL.into(), ..StoreSettings::default() }
}

/// Where the process that runs under `strace` finds its directory.
const DISK_FAILS_IN: &str = "ANTEROOM_TEST_WRITE_FAILS_IN";

/// Which write or sync fails: each of the first 40.
fn faults() -> impl Iterator<Item = (&'static str, u32)> {
    ["pwrite64", "fsync,fdatasync"].into_iter().flat_map(|call| (1..=40).map(move |number| (call, number)))
}

/// Runs itself under `strace`, which makes one write or one sync of each thread fail.
#[test]
fn a_write_or_a_sync_that_fails_makes_no_answer_false() {
    if let Some(directory) = std::env::var_os(DISK_FAILS_IN) {
        return meet_a_failure(PathBuf::from(directory));
    }
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        return left_out("a write that fails needs strace");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut failed = 0;
    for (call, number) in faults() {
        let directory = tempfile::tempdir().unwrap();
        runtime.block_on(open(URL, directory.path(), Arc::new(SetClock::at(START))).close());
        let status = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")])
            .args(["-e", &format!("inject={call}:error=EIO:when={number}")])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "sqlite_disk::a_write_or_a_sync_that_fails_makes_no_answer_false"])
            .env(DISK_FAILS_IN, directory.path())
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{call} {number}");
        let told = fs::read_to_string(directory.path().join("answered")).unwrap();
        failed += usize::from(told.contains("failed"));
        runtime.block_on(assert_true(directory.path(), &told, &format!("{call} {number}")));
    }
    assert!(failed > 4, "the disk has failed only {failed} times");
}

#[tokio::main(flavor = "current_thread")]
async fn meet_a_failure(directory: PathBuf) {
    let opened = anteroom::store::open(&settings(), &directory, Arc::new(SetClock::at(START)), Metrics::new().store());
    let mut answered = BTreeMap::new();
    let failed = match opened {
        Ok(store) => {
            let failed = work(&*store, &mut answered).await.err();
            if let Some(error) = &failed {
                assert!(matches!(error, StoreError::Failed(_)), "{error:?}");
                let sentence = store.failure().await;
                assert!(sentence.starts_with("the store can not be written any more: "), "{sentence}");
                assert!(!store.is_ready());
                assert!(store.requests().submit(job(5000)).await.is_err());
            }
            failed.is_some()
        }
        Err(_) => true,
    };
    let mut told: Vec<_> = answered.iter().map(|(id, version)| format!("{id} {version}")).collect();
    told.extend(failed.then(|| "failed".to_owned()));
    fs::write(directory.join("answered"), told.join("\n")).unwrap();
}

/// Submits, leases, reports, completes and cancels, and notes the version that each answer has told.
async fn work(store: &dyn Store, answered: &mut BTreeMap<RequestId, Version>) -> Result<(), StoreError> {
    let requests = store.requests();
    let mut note = |request: &Request| {
        answered.insert(request.id, view(request, START).version);
    };
    for round in 0..12 {
        let plain = request(&owner("anna"), START, 1000 + round);
        let batch = vec![job(2 * round), job(2 * round + 1), new(plain.clone())];
        batch
            .iter()
            .map(|new| new.request.clone())
            .zip(requests.submit_all(batch.clone()).await?)
            .for_each(|(sent, _)| note(&sent));
        for (request, _) in requests.claim(Claim { most: 2, ..claim() }).await?.leased {
            note(&request);
            let report = Some(Report { stage: Some(format!("stage {round}")), ..Report::default() });
            let beat = Act::Heartbeat { epoch: 1, lease: Duration::from_mins(2), report };
            for outcome in requests.act_all(vec![order(request.id, beat)]).await?.into_iter().flatten() {
                note(&outcome.request);
            }
            if request.id == id(START, 2 * round) {
                for outcome in requests.act_all(vec![order(request.id, complete(5000))]).await?.into_iter().flatten() {
                    note(&outcome.request);
                }
            }
        }
        for outcome in requests.act_all(vec![cancel(&owner("anna"), plain.id)]).await?.into_iter().flatten() {
            note(&outcome.request);
        }
    }
    Ok(())
}

/// What was answered is there, in that state or in the next, whole; and the store works.
async fn assert_true(directory: &Path, told: &str, fault: &str) {
    assert_eq!(anteroom::store::check(&settings(), directory), Ok(Vec::new()), "{fault}");
    let store = open(URL, directory, Arc::new(SetClock::at(START)));
    let requests = store.requests();
    for line in told.lines().filter(|line| *line != "failed") {
        let (name, version) = line.split_once(' ').unwrap();
        let id: RequestId = name.parse().unwrap();
        let (told, found) = (version.parse::<Version>().unwrap(), requests.find_any(id).await.unwrap().unwrap());
        assert!((told.write..=told.write + 1).contains(&found.version.write), "{fault}: {told} is {}", found.version);
        assert!(requests.payload(id).await.unwrap().is_some(), "{fault}");
        let events = requests.events(id).await.unwrap();
        let is_told = events.last().is_some_and(|event| event.version == found.version);
        assert!(is_told || found.version.write == 0, "{fault}: {found:?} {events:?}");
        let is_done = view(&found, START).status == Status::Succeeded;
        assert_eq!(requests.output(id).await.unwrap().is_some(), is_done, "{fault}");
    }
    requests.submit(job(9000)).await.unwrap();
    requests.claim(claim()).await.unwrap();
    store.close().await;
}
