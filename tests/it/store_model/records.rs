//! Random changes of the authorization server's records, on both stores.

use std::collections::BTreeMap;

use anteroom::core::ports::records::{RecordChange, RecordKind, Records};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Both, runner};
use crate::stores::{Opened, Place};

const KINDS: [RecordKind; 2] = [RecordKind::Code, RecordKind::Grant];
const KEYS: [&str; 3] = ["a", "\u{e4}", "b c"];

/// What somebody does.
#[derive(Clone, Debug)]
enum Operation {
    /// Changes several in one commit.
    Change(Vec<RecordDraft>),
    /// Has forgotten which had expired at that time, counted from now.
    Forget(i64),
    /// Closes the store and opens it again.
    Reopen,
}

/// A change of a record.
#[derive(Clone, Debug)]
struct RecordDraft {
    kind: usize,
    key: usize,
    expected: Expected,
    /// The text, and in how many milliseconds it expires; none: it is removed.
    body: Option<(u8, Option<i64>)>,
}

/// Which version is expected.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// The one that there is, or none.
    Present,
    Fixed(Option<u32>),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let fixed = select(vec![None, Some(0), Some(1), Some(2)]).prop_map(Expected::Fixed);
    let expected = prop_oneof![6 => Just(Expected::Present), 1 => fixed];
    let body = prop::option::weighted(0.8, (any::<u8>(), prop::option::of(-3_i64..10)));
    let draft = (0..KINDS.len(), 0..KEYS.len(), expected, body);
    let draft = draft.prop_map(|(kind, key, expected, body)| RecordDraft { kind, key, expected, body });
    let operation = prop_oneof![
        8 => prop::collection::vec(draft, 0..4).prop_map(Operation::Change),
        2 => (-5_i64..12).prop_map(Operation::Forget),
        1 => Just(Operation::Reopen),
    ];
    prop::collection::vec(operation, 1..48)
}

/// Every store goes through the same sequences of changes.
pub(crate) fn records_are_what_the_reference_has(place: impl AsyncFn() -> Place) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runner().run(&operations(), |operations| {
        runtime.block_on(async {
            let mut both = Both::at(place().await);
            for operation in operations {
                match operation {
                    Operation::Change(drafts) => both.change(&drafts).await,
                    Operation::Forget(millis) => both.forget(millis).await,
                    Operation::Reopen if both.tested.persists() => {
                        let place = Opened::new("memory:");
                        both.tested = std::mem::replace(&mut both.tested, place).reopened().await;
                    }
                    Operation::Reopen => {}
                }
                both.compare_records().await;
            }
            both.tested.store.close().await;
        });
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

impl Both {
    /// The last draft of a record counts: the changes of a commit name different ones.
    async fn change(&self, drafts: &[RecordDraft]) {
        let mut changes = BTreeMap::new();
        for draft in drafts {
            let (kind, key) = (KINDS[draft.kind], KEYS[draft.key]);
            let expected = match draft.expected {
                Expected::Present => {
                    self.reference.store.records().find(kind, key).await.unwrap().map(|record| record.version)
                }
                Expected::Fixed(expected) => expected,
            };
            let expires_at = |at: Option<i64>| at.map(|millis| self.now().plus_millis(millis));
            let body = draft.body.map(|(body, at)| (body.to_string(), expires_at(at)));
            changes.insert((kind, key), RecordChange { kind, key: key.into(), expected, body });
        }
        // In whatever order.
        let changes: Vec<_> = changes.into_values().rev().collect();
        let made = self.reference.store.records().commit(changes.clone()).await.unwrap();
        assert_eq!(self.tested.store.records().commit(changes).await.unwrap(), made);
    }

    async fn forget(&self, millis: i64) {
        let before = self.now().plus_millis(millis);
        let forgotten = self.reference.store.records().forget(before, 100).await.unwrap();
        assert_eq!(self.tested.store.records().forget(before, 100).await.unwrap(), forgotten);
    }

    /// Every record, by each way to it.
    async fn compare_records(&self) {
        let (tested, reference) = (self.tested.store.records(), self.reference.store.records());
        for kind in KINDS {
            for key in KEYS {
                assert_eq!(tested.find(kind, key).await.unwrap(), reference.find(kind, key).await.unwrap());
            }
            for after in KEYS.map(Some).into_iter().chain([None]) {
                let page = async |of: &dyn Records| of.list(kind, after, 2).await.unwrap();
                assert_eq!(page(&*tested).await, page(&*reference).await);
            }
        }
    }
}
