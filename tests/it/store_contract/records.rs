//! What every store promises of the authorization server's records.

use std::sync::Arc;

use anteroom::core::clock::Timestamp;
use anteroom::core::ports::records::{Record, RecordChange, RecordKind, Records};
use futures_util::future::join_all;
use serde_json::json;

use crate::stores::{Opened, START};

const CLIENT: RecordKind = RecordKind::Client;
const CODE: RecordKind = RecordKind::Code;

/// The change of a client's record from that version to that text, or to nothing.
fn change(key: &str, expected: Option<u32>, body: Option<&str>) -> RecordChange {
    let body = body.map(|body| (json!(body).to_string(), None));
    RecordChange { kind: CLIENT, key: key.into(), expected, body }
}

/// The change that makes a record which is of no use from that time on.
fn expiring(kind: RecordKind, key: &str, at: Timestamp) -> RecordChange {
    RecordChange { kind, key: key.into(), expected: None, body: Some(("1".into(), Some(at))) }
}

fn record(key: &str, version: u32, body: &str) -> Record {
    Record { key: key.into(), version, body: json!(body).to_string(), expires_at: None }
}

impl Opened {
    fn records(&self) -> Arc<dyn Records> {
        self.store.records()
    }

    async fn change(&self, changes: Vec<RecordChange>) -> bool {
        self.records().commit(changes).await.unwrap()
    }

    async fn client(&self, key: &str) -> Option<Record> {
        self.records().find(CLIENT, key).await.unwrap()
    }

    async fn keys(&self, kind: RecordKind, after: Option<&str>, limit: usize) -> Vec<String> {
        let listed = self.records().list(kind, after, limit).await.unwrap();
        listed.into_iter().map(|record| record.key).collect()
    }
}

pub(super) async fn a_record_is_found_as_it_was_written(on: Opened) {
    let long = "ü".repeat(256);
    let texts =
        ["acme", " ", "A b", "\u{1}\u{7f}\u{202e}", "e\u{301}", "\u{e9}", "\u{1f600}", "\u{10ffff}", "'\"\\%_", &long];
    for text in texts {
        assert!(on.change(vec![change(text, None, Some(text))]).await, "{text:?}");
    }
    let at = START.plus_millis(-1);
    assert!(on.change(vec![expiring(CODE, "acme", at)]).await);
    let on = on.reopened_if_it_lasts().await;
    for text in texts {
        assert_eq!(on.client(text).await, Some(record(text, 1, text)), "{text:?}");
    }
    for other in ["ACME", "acm", "acme ", "", &"x".repeat(100_000)] {
        assert_eq!(on.client(other).await, None, "{other:?}");
    }
    let expired = Record { key: "acme".into(), version: 1, body: "1".into(), expires_at: Some(at) };
    assert_eq!(on.records().find(CODE, "acme").await.unwrap(), Some(expired), "it is there until it is forgotten");
    let mut keys = texts.map(str::to_owned);
    keys.sort_unstable();
    assert_eq!(on.keys(CLIENT, None, 100).await, keys);
}

pub(super) async fn every_kind_of_record_has_its_own_keys(on: Opened) {
    for (kind, number) in RecordKind::ALL.into_iter().zip(0_u32..) {
        let body = Some((number.to_string(), None));
        assert!(on.change(vec![RecordChange { kind, key: "key".into(), expected: None, body }]).await, "{kind:?}");
    }
    let on = on.reopened_if_it_lasts().await;
    for (kind, number) in RecordKind::ALL.into_iter().zip(0_u32..) {
        let record = Record { key: "key".into(), version: 1, body: number.to_string(), expires_at: None };
        assert_eq!(on.records().find(kind, "key").await.unwrap().as_ref(), Some(&record));
        assert_eq!(on.records().list(kind, None, 10).await.unwrap(), [record]);
    }
}

pub(super) async fn records_are_listed_by_their_keys_page_by_page(on: Opened) {
    assert_eq!(on.keys(CLIENT, None, 10).await, Vec::<String>::new());
    // In the order of the bytes, whatever a language says of the letters.
    let sorted = ["10", "2", "A", "Z", "a", "b", "z", "\u{e4}", "\u{ff5e}", "\u{1f600}"];
    for key in ["z", "\u{1f600}", "a", "\u{ff5e}", "A", "10", "\u{e4}", "Z", "2", "b"] {
        assert!(on.change(vec![change(key, None, Some(key))]).await);
    }
    assert!(on.change(vec![expiring(CODE, "c", START), expiring(RecordKind::Device, "0", START)]).await);
    for limit in 1..=sorted.len() + 1 {
        let (mut after, mut listed): (Option<String>, Vec<String>) = (None, Vec::new());
        loop {
            let page = on.keys(CLIENT, after.as_deref(), limit).await;
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            listed.extend(page);
        }
        assert_eq!(listed, sorted, "{limit} at a time");
    }
    assert_eq!(on.keys(CLIENT, Some("B"), 2).await, ["Z", "a"], "after a key that is not there");
    assert_eq!(on.keys(CLIENT, None, 0).await, Vec::<String>::new());
}

pub(super) async fn a_record_changes_only_from_the_version_that_was_read(on: Opened) {
    let wrong = async |expected| {
        let before = on.client("acme").await;
        for body in [Some("other"), None] {
            assert!(!on.change(vec![change("acme", expected, body)]).await, "{expected:?} {body:?}");
            assert_eq!(on.client("acme").await, before, "{expected:?} {body:?}");
        }
    };
    wrong(Some(1)).await;
    wrong(Some(0)).await;
    assert!(on.change(vec![change("acme", None, None)]).await, "there is none, as expected");
    assert!(on.change(vec![change("acme", None, Some("one"))]).await);
    wrong(None).await;
    wrong(Some(2)).await;
    wrong(Some(u32::MAX)).await;
    assert!(on.change(vec![change("acme", Some(1), Some("two"))]).await);
    assert_eq!(on.client("acme").await, Some(record("acme", 2, "two")));
    wrong(Some(1)).await;
    wrong(None).await;
    assert!(on.change(vec![change("acme", Some(2), Some("two"))]).await);
    assert_eq!(on.client("acme").await, Some(record("acme", 3, "two")), "the same text is another version");
    assert!(on.change(vec![change("acme", Some(3), None)]).await);
    let on = on.reopened_if_it_lasts().await;
    assert_eq!(on.client("acme").await, None);
    assert!(!on.change(vec![change("acme", Some(3), Some("three"))]).await, "it was removed");
    assert!(on.change(vec![change("acme", None, Some("again"))]).await);
    assert_eq!(on.client("acme").await, Some(record("acme", 1, "again")));
}

pub(super) async fn several_records_change_together_or_not_at_all(on: Opened) {
    assert!(on.change(vec![]).await);
    let all = ["there", "there too", "gone"].map(|key| change(key, None, Some("one")));
    assert!(on.change(all.to_vec()).await);
    let good = [
        change("there", Some(1), Some("two")),
        change("gone", Some(1), None),
        change("new", None, Some("one")),
        change("nowhere", None, None),
    ];
    // Whichever of them is not as expected, and wherever it stands.
    let bad = [
        change("there too", Some(2), Some("two")),
        change("there too", None, Some("two")),
        change("there too", None, None),
        change("there too", Some(2), None),
        change("elsewhere", Some(1), Some("two")),
        change("elsewhere", Some(1), None),
    ];
    let before = on.records().list(CLIENT, None, 10).await.unwrap();
    for bad in bad {
        for at in 0..=good.len() {
            let mut changes = good.to_vec();
            changes.insert(at, bad.clone());
            assert!(!on.change(changes).await, "{bad:?} at {at}");
            assert_eq!(on.records().list(CLIENT, None, 10).await.unwrap(), before, "{bad:?} at {at}");
        }
    }
    assert!(on.change(good.to_vec()).await);
    let on = on.reopened_if_it_lasts().await;
    let after = [record("new", 1, "one"), record("there", 2, "two"), record("there too", 1, "one")];
    assert_eq!(on.records().list(CLIENT, None, 10).await.unwrap(), after);
}

/// A code that is redeemed at once by many, is redeemed by one.
pub(super) async fn of_changes_of_one_record_one_is_made(on: Opened) {
    let on = &on;
    for round in 0..10 {
        let key = format!("key-{round}");
        let race = async |expected: Option<u32>| {
            let racing = (0..8).map(|racer| {
                let own = format!("{key}-{racer}-{expected:?}");
                let both = [change(&key, expected, Some(&own)), change(&own, None, Some("mine"))];
                let both = if racer % 2 == 0 { both.to_vec() } else { both.into_iter().rev().collect() };
                async move { on.change(both).await.then_some(own) }
            });
            let made: Vec<_> = join_all(racing).await.into_iter().flatten().collect();
            let [winner] = made.as_slice() else { panic!("{made:?} of round {round}") };
            assert_eq!(on.client(&key).await, Some(record(&key, expected.unwrap_or(0) + 1, winner)));
            let beginning = format!("{key}-");
            let listed = on.keys(CLIENT, Some(&beginning), 100).await;
            let of_race = listed.into_iter().filter(|key| key.ends_with(&format!("-{expected:?}")));
            let of_race: Vec<_> = of_race.filter(|key| key.starts_with(&beginning)).collect();
            assert_eq!(of_race, [winner.as_str()], "what the others would have made besides");
        };
        race(None).await;
        race(Some(1)).await;
        let removals = join_all((0..8).map(|_| on.change(vec![change(&key, Some(2), None)]))).await;
        assert_eq!(removals.into_iter().filter(|made| *made).count(), 1);
        assert_eq!(on.client(&key).await, None);
    }
}

pub(super) async fn records_are_forgotten_when_they_have_expired(on: Opened) {
    let at = |seconds: i64| START.plus_millis(seconds * 1000);
    for (number, kind) in RecordKind::ALL.into_iter().enumerate() {
        let number = i64::try_from(number).unwrap();
        assert!(on.change(vec![expiring(kind, "key", at(number))]).await);
    }
    assert!(on.change(vec![change("lasting", None, Some("ever"))]).await);
    let records = on.records();
    assert_eq!(records.forget(at(0), 100).await.unwrap(), 0, "the first one is good until just then");
    assert_eq!(records.forget(at(1), 0).await.unwrap(), 0);
    assert_eq!(records.forget(at(6), 4).await.unwrap(), 4, "not more than it is told");
    assert_eq!(records.forget(at(6), 4).await.unwrap(), 2);
    assert_eq!(records.forget(at(6), 4).await.unwrap(), 0);
    let on = on.reopened_if_it_lasts().await;
    for (number, kind) in RecordKind::ALL.into_iter().enumerate() {
        assert_eq!(on.records().find(kind, "key").await.unwrap().is_some(), number >= 6, "{kind:?}");
    }
    assert_eq!(on.records().forget(Timestamp::from_millis(i64::MAX), 100).await.unwrap(), 4);
    assert_eq!(on.client("lasting").await, Some(record("lasting", 1, "ever")), "it does not expire");
    // What was replaced expires as it says now.
    assert!(on.change(vec![expiring(CODE, "code", at(1))]).await);
    let later = RecordChange { expected: Some(1), ..expiring(CODE, "code", at(9)) };
    assert!(on.change(vec![later]).await);
    assert_eq!(on.records().forget(at(5), 100).await.unwrap(), 0);
    let never = RecordChange { kind: CODE, key: "code".into(), expected: Some(2), body: Some(("1".into(), None)) };
    assert!(on.change(vec![never]).await);
    assert_eq!(on.records().forget(at(100), 100).await.unwrap(), 0);
}
