//! The SQLite store on a damaged file: it says so, and never shows a request as something that it was not.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anteroom::core::clock::SetClock;
use anteroom::core::error::StoreError;
use anteroom::core::ports::requests::Filter;
use anteroom::core::ports::webhooks::Take;
use anteroom::core::request::{Owner, Request, Status, Tags};
use anteroom::store::StoreSettings;
use anteroom::telemetry::metrics::Metrics;
use futures_util::future::join_all;
use rusqlite::Connection;

use crate::store_contract::webhooks::listen;
use crate::stores::{Opened, START, cancel, failing, id, keyed, new, on_timeline, owner, request};

const URL: &str = "sqlite:anteroom.db";

/// The request that comes to harm; it is the first row of everything.
fn harmed() -> Request {
    let tags = Tags::from([("colour".into(), "red".into())]);
    Request { alias: Some("QR-0001".into()), tags, ..request(&owner("anna"), START, 1) }
}

/// A store with the one that comes to harm and, of the same owner, one with another timeline; then `edit` is done to its file.
async fn edited(edit: &str) -> (Opened, Arc<Request>) {
    let on = Opened::new(URL);
    let whole = on_timeline(failing(), request(&owner("anna"), START, 2));
    on.submit(keyed(harmed(), "k", 1)).await;
    on.submit(new(whole.clone())).await;
    on.submit(new(request(&owner("bob"), START, 3))).await;
    on.store.close().await;
    let connection = Connection::open(on.directory.path().join("anteroom.db")).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    assert_eq!(connection.execute(edit, []).unwrap(), 1, "{edit}");
    connection.close().unwrap();
    (on.reopened().await, Arc::new(whole))
}

fn assert_damaged<T: std::fmt::Debug>(answer: Result<T, StoreError>, edit: &str) {
    match answer {
        Err(StoreError::Damaged(name)) => assert_eq!(name, harmed().id.to_string(), "{edit}"),
        other => panic!("{other:?} after {edit}"),
    }
}

#[tokio::test]
async fn a_damaged_request_is_named_and_left_out_of_lists() {
    for edit in [
        "UPDATE requests SET kind = 'Default' WHERE seq = 1",
        "UPDATE requests SET timeline = 2 WHERE seq = 1",
        "UPDATE requests SET timeline = 77 WHERE seq = 1",
        "UPDATE requests SET submitted_at = submitted_at + 1 WHERE seq = 1",
        "UPDATE requests SET ends_at = ends_at + 1 WHERE seq = 1",
        "UPDATE requests SET cancelled_at = submitted_at, ends_at = submitted_at WHERE seq = 1",
        "UPDATE requests SET alias = NULL WHERE seq = 1",
        "UPDATE requests SET tags = '{\"colour\":\"rex\"}' WHERE seq = 1",
        "UPDATE requests SET tags = '{' WHERE seq = 1",
        "UPDATE requests SET checksum = checksum + 1 WHERE seq = 1",
        "UPDATE requests SET checksum = -1 WHERE seq = 1",
        "UPDATE timelines SET definition = replace(definition, '5000', '6000') WHERE timeline = 1",
        "UPDATE timelines SET definition = '{' WHERE timeline = 1",
        "UPDATE timelines SET definition = '{\"stages\":[]}' WHERE timeline = 1",
    ] {
        let (on, whole) = edited(edit).await;
        let (anna, requests) = (owner("anna"), on.requests());
        assert_damaged(requests.find(&anna, harmed().id).await, edit);
        assert_damaged(requests.act_all(vec![cancel(&anna, harmed().id)]).await, edit);
        assert_damaged(requests.submit(keyed(request(&anna, START, 4), "k", 1)).await, edit);
        // The damaged one is the older; a page of one is filled by the other, and a page of two is not.
        assert_eq!(on.all(&anna).await, [Arc::clone(&whole)], "{edit}");
        assert_eq!(requests.find(&anna, whole.id).await.unwrap(), Some(whole), "{edit}");
        assert!(on.store.is_ready());
    }
}

#[tokio::test]
async fn a_page_is_filled_past_a_damaged_request() {
    let (on, _) = edited("UPDATE requests SET kind = 'x' WHERE seq = 2").await;
    let page = on.requests().list(Some(&owner("anna")), &Filter::default(), None, 1, START).await.unwrap();
    assert_eq!(page, [Arc::new(harmed())]);
}

#[tokio::test]
async fn a_request_that_has_changed_hands_is_nobodys() {
    for edit in [
        "UPDATE requests SET owner = 2 WHERE seq = 1",
        "UPDATE owners SET subject = 'eve' WHERE owner = 1",
        "UPDATE owners SET issuer = '' WHERE owner = 1",
    ] {
        let (on, _) = edited(edit).await;
        for owner in [owner("bob"), owner("eve"), owner("anna"), Owner { issuer: String::new(), ..owner("anna") }] {
            assert_damaged(on.requests().find(&owner, harmed().id).await, edit);
            let listed = on.all(&owner).await;
            assert!(listed.iter().all(|request| request.id != harmed().id), "{edit}");
        }
    }
}

#[tokio::test]
async fn a_damaged_idempotency_key_names_its_request() {
    for edit in [
        "UPDATE idempotency SET fingerprint = zeroblob(32)",
        "UPDATE idempotency SET checksum = checksum + 1",
        "UPDATE idempotency SET key = 'l'",
    ] {
        let (on, _) = edited(edit).await;
        let key = if edit.contains("key = 'l'") { "l" } else { "k" };
        assert_damaged(on.requests().submit(keyed(request(&owner("anna"), START, 4), key, 1)).await, edit);
    }
}

/// Submissions that share a commit begin again without the one that has to be undone.
#[tokio::test]
async fn a_submission_that_fails_takes_none_of_its_commit_along() {
    let (on, whole) = edited("UPDATE idempotency SET checksum = checksum + 1").await;
    let (anna, requests) = (owner("anna"), on.requests());
    let write = async |number| match (number % 10, request(&anna, START, number)) {
        (3, sent) => assert_damaged(requests.submit(keyed(sent, "k", 1)).await, "a fault in its key"),
        (7, _) if number > 110 => drop(requests.act_all(vec![cancel(&anna, id(START, 9999))]).await.unwrap()),
        (_, sent) => drop(requests.submit(keyed(sent, &format!("key-{number}"), 1)).await.unwrap()),
    };
    // While the first is committed, the others wait, and share the next commit: at first submissions alone, then acts among them.
    join_all((10..110).map(write)).await;
    join_all((110..210).map(write)).await;
    let on = on.reopened().await;
    let is_kept = |number: &u64| number % 10 != 3 && (number % 10 != 7 || *number <= 110);
    let mut kept: Vec<_> = (10..210).filter(is_kept).map(|number| Arc::new(request(&anna, START, number))).collect();
    kept.extend([whole, Arc::new(harmed())]);
    let mut all = on.all(&anna).await;
    all.sort_by_key(|request| request.id);
    kept.sort_by_key(|request| request.id);
    assert_eq!(all, kept);
}

/// What can not be read is told to nobody, and nobody waits behind it.
#[tokio::test]
async fn damaged_deliveries_and_endpoints_are_put_aside() {
    let on = Opened::new(URL);
    let first = listen(&on, "anna", 1, &[Status::Queued]).await;
    let second = listen(&on, "bob", 2, &[Status::Queued]).await;
    // More of them are damaged than are on their way to an endpoint at once.
    for number in 0..6 {
        on.submit(new(request(&owner("anna"), START.plus_millis(number), u64::try_from(number).unwrap()))).await;
    }
    on.submit(new(request(&owner("bob"), START, 7))).await;
    on.store.close().await;
    let connection = Connection::open(on.directory.path().join("anteroom.db")).unwrap();
    let damage = "UPDATE webhook_deliveries SET checksum = checksum + 1 WHERE id IN (SELECT id FROM webhook_deliveries \
                  WHERE endpoint = ?1 ORDER BY due_at, id LIMIT 5)";
    assert_eq!(connection.execute(damage, [first.to_string()]).unwrap(), 5);
    let damage = "UPDATE webhook_endpoints SET body = '{' WHERE id = ?1";
    assert_eq!(connection.execute(damage, [second.to_string()]).unwrap(), 1);
    connection.close().unwrap();
    let on = on.reopened().await;
    on.clock.advance(std::time::Duration::from_secs(1));
    let webhooks = on.store.webhooks();
    let taken = webhooks.take(Take { most: 64, ..Take::default() }).await.unwrap();
    assert_eq!(taken.iter().map(|(_, endpoint)| endpoint.id).collect::<Vec<_>>(), [first]);
    assert_eq!(webhooks.outlook().await.unwrap().next_due_at, taken[0].0.due_at, "nothing else is due");
}

/// What a crash in the middle of a removal leaves.
#[tokio::test]
async fn deliveries_without_an_endpoint_are_forgotten() {
    let on = Opened::new(URL);
    let (gone, there) =
        (listen(&on, "anna", 1, &[Status::Queued]).await, listen(&on, "bob", 2, &[Status::Queued]).await);
    for number in 0..3 {
        on.submit(new(request(&owner("anna"), START, number))).await;
    }
    on.submit(new(request(&owner("bob"), START, 3))).await;
    on.store.close().await;
    let connection = Connection::open(on.directory.path().join("anteroom.db")).unwrap();
    connection.execute("DELETE FROM webhook_endpoints WHERE id = ?1", [gone.to_string()]).unwrap();
    connection.close().unwrap();
    let on = on.reopened().await;
    let webhooks = on.store.webhooks();
    for forgotten in [2, 1, 0] {
        assert_eq!(webhooks.forget(START, 2).await.unwrap(), forgotten);
    }
    assert_eq!(webhooks.deliveries(gone, None, 10).await.unwrap(), []);
    assert_eq!(webhooks.deliveries(there, None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_endpoint_takes_all_of_its_deliveries_along() {
    let on = Opened::new(URL);
    let endpoint = listen(&on, "anna", 1, &[Status::Queued]).await;
    let sent = (0..1_200).map(|number| new(request(&owner("anna"), START, number))).collect();
    on.requests().submit_all(sent).await.unwrap();
    let webhooks = on.store.webhooks();
    assert_eq!(webhooks.deliveries(endpoint, None, 2_000).await.unwrap().len(), 1_200);
    assert!(webhooks.remove(&owner("anna"), endpoint).await.unwrap());
    assert_eq!(webhooks.deliveries(endpoint, None, 2_000).await.unwrap().len(), 0);
}

/// A payload that nobody names is in the way of the next one: the request before it is written, and has to go again.
#[tokio::test]
async fn a_submission_that_fails_half_way_leaves_nothing() {
    let (on, whole) = edited("DELETE FROM requests WHERE seq = 3").await;
    let (anna, requests) = (owner("anna"), on.requests());
    let sent = Request { alias: Some("QR-0004".into()), ..request(&anna, START, 4) };
    let answer = requests.submit(keyed(sent.clone(), "key-4", 1)).await;
    assert!(matches!(answer, Err(StoreError::Failed(_))), "{answer:?}");
    assert_eq!(requests.find(&anna, sent.id).await.unwrap(), None);
    assert_eq!(requests.find_by_alias(&anna, "QR-0004").await.unwrap(), None);
    assert_eq!(on.all(&anna).await, [whole, Arc::new(harmed())]);
    assert!(on.store.is_ready());
}

/// The store opens or does not, finds or does not; what it gives is what was stored.
#[tokio::test]
async fn a_flipped_bit_anywhere_shows_nothing_that_was_not_stored() {
    let on = Opened::new(URL);
    let sent: Vec<_> = (0..20).map(|number| Arc::new(one_of_many(number))).collect();
    for request in &sent {
        on.submit(new((**request).clone())).await;
    }
    on.store.close().await;
    let whole = fs::read(on.directory.path().join("anteroom.db")).unwrap();
    let mut refused = 0;
    for round in 0..300 {
        let mut bytes = whole.clone();
        // A stride that shares no factor with the length of a page: every part of a page is met.
        let at = round * 10_007 % bytes.len();
        bytes[at] ^= 1 << (round % 8);
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("anteroom.db"), bytes).unwrap();
        refused += usize::from(!reads_only_what_was_stored(directory.path(), &sent, at).await);
    }
    assert!(refused < 100, "{refused} of 300 flipped bits made the file unreadable");
}

fn one_of_many(number: u64) -> Request {
    let alias = number.is_multiple_of(2).then(|| format!("QR-{number:04}"));
    let plain = request(&owner("anna"), START, number);
    let plain = if number.is_multiple_of(3) { on_timeline(failing(), plain) } else { plain };
    Request { alias, tags: harmed().tags, ..plain }
}

/// Whether the store opens.
async fn reads_only_what_was_stored(directory: &Path, sent: &[Arc<Request>], at: usize) -> bool {
    let settings = StoreSettings { url: URL.into(), ..Default::default() };
    let Ok(store) = anteroom::store::open(&settings, directory, Arc::new(SetClock::at(START)), Metrics::new().store())
    else {
        return false;
    };
    let (requests, anna) = (store.requests(), owner("anna"));
    for request in sent {
        match requests.find(&anna, request.id).await {
            Ok(Some(found)) => assert_eq!(found, *request, "bit flipped in byte {at}"),
            Ok(None) | Err(StoreError::Damaged(_) | StoreError::Unreadable(_)) => {}
            Err(error) => panic!("{error:?} after a bit flipped in byte {at}"),
        }
    }
    for found in requests.list(Some(&anna), &Filter::default(), None, 100, START).await.unwrap_or_default() {
        assert!(sent.contains(&found), "{found:?} after a bit flipped in byte {at}");
    }
    true
}
