//! Random operations on a store, from a world so small that they meet.

use std::time::Duration;

use anteroom::core::request::{Act, Status};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::invariants::lives::{Processor, acts, later, processors};

pub(crate) const OWNERS: [&str; 3] = ["anna", "bob", "carl"];
pub(crate) const KINDS: [&str; 2] = ["default", "print"];
pub(crate) const ALIASES: [&str; 2] = ["QR-0001", "QR-0002"];
pub(crate) const ROUTES: [&str; 2] = ["POST /v1/requests", "POST /request"];

/// What somebody does.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Submits one.
    Submit(Draft),
    /// Submits several in one commit.
    SubmitAll(Vec<Draft>),
    /// Does something to requests that are there: to which, whether in its owner's name, and what.
    Act(Vec<(Index, Right, Act)>),
    /// Asks for so many of the first so many types, for a lease of so long.
    Claim { kinds: usize, most: usize, lease: Duration },
    /// Lets time pass, also backward.
    Pass(i64),
    /// Has so many ends written down.
    Settle(usize),
    /// Has removed what is kept too long, or more than so many.
    Purge { most_requests: Option<u64> },
    /// Looks at pages of so many, to the end.
    List { owner: Option<usize>, filter: FilterDraft, limit: usize },
    /// Closes the store and opens it again.
    Reopen,
}

/// In whose name somebody acts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Right {
    Anybody,
    Owner,
    AnotherOwner,
}

/// A request to be submitted.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) owner: usize,
    pub(crate) kind: usize,
    pub(crate) processor: Processor,
    pub(crate) not_before: Option<i64>,
    pub(crate) deadline: Option<i64>,
    pub(crate) alias: Option<usize>,
    pub(crate) tag: Option<u8>,
    /// Route, key and body.
    pub(crate) key: Option<(usize, u8, u8)>,
}

/// A filter of which the times count from now.
#[derive(Clone, Debug)]
pub(crate) struct FilterDraft {
    pub(crate) statuses: Vec<Status>,
    pub(crate) stage: Option<&'static str>,
    pub(crate) kinds: Vec<&'static str>,
    pub(crate) closed_kinds: Vec<&'static str>,
    pub(crate) tag: Option<u8>,
    pub(crate) submitted_after: Option<i64>,
    pub(crate) submitted_before: Option<i64>,
    pub(crate) updated_after: Option<i64>,
    pub(crate) key: Option<(usize, u8)>,
    pub(crate) ids: Vec<Index>,
    pub(crate) leased_types_only: bool,
}

fn drafts() -> impl Strategy<Value = Draft> {
    let who = (0..OWNERS.len(), 0..KINDS.len());
    let alias = prop::option::weighted(0.2, 0..ALIASES.len());
    let key = prop::option::weighted(0.4, (0..ROUTES.len(), 0_u8..3, 0_u8..2));
    let tag = prop::option::of(0_u8..2);
    (who, processors(), later(), later(), alias, tag, key).prop_map(
        |((owner, kind), processor, not_before, deadline, alias, tag, key)| Draft {
            owner,
            kind,
            processor,
            not_before,
            deadline,
            alias,
            tag,
            key,
        },
    )
}

fn filters() -> impl Strategy<Value = FilterDraft> {
    let seldom = || prop::option::weighted(0.2, -20_i64..3);
    let stages = vec!["stage-0", "stage-1", "last", "queued", "running", "packing", "succeeded", "expired"];
    let what = (
        prop::collection::vec(select(Status::ALL.to_vec()), 0..3),
        prop::option::weighted(0.2, select(stages)),
        prop::collection::vec(select(KINDS.to_vec()), 0..2),
        prop_oneof![4 => Just(vec![]), 1 => prop::collection::vec(select(KINDS.to_vec()), 1..3)],
        prop::option::weighted(0.2, 0_u8..2),
    );
    let which = (
        prop::option::weighted(0.2, (0..ROUTES.len(), 0_u8..3)),
        prop_oneof![4 => Just(vec![]), 1 => prop::collection::vec(any::<Index>(), 1..4)],
        prop::bool::weighted(0.2),
    );
    (what, (seldom(), seldom(), seldom()), which).prop_map(
        |(
            (statuses, stage, kinds, closed_kinds, tag),
            (after, before, updated_after),
            (key, ids, leased_types_only),
        )| FilterDraft {
            statuses,
            stage,
            kinds,
            closed_kinds,
            tag,
            submitted_after: after,
            submitted_before: before,
            updated_after,
            key,
            ids,
            leased_types_only,
        },
    )
}

pub(crate) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let right = select(vec![Right::Anybody, Right::Anybody, Right::Owner, Right::Owner, Right::AnotherOwner]);
    let act = (any::<Index>(), right, acts());
    let lease = (1_u64..10).prop_map(Duration::from_millis);
    let claim =
        (0..=KINDS.len(), 0_usize..4, lease).prop_map(|(kinds, most, lease)| Operation::Claim { kinds, most, lease });
    let list = (prop::option::weighted(0.8, 0..OWNERS.len()), filters(), 1_usize..5)
        .prop_map(|(owner, filter, limit)| Operation::List { owner, filter, limit });
    let operation = prop_oneof![
        4 => drafts().prop_map(Operation::Submit),
        1 => prop::collection::vec(drafts(), 0..5).prop_map(Operation::SubmitAll),
        8 => prop::collection::vec(act, 1..4).prop_map(Operation::Act),
        3 => claim,
        4 => prop_oneof![6 => 0_i64..10, 2 => -4_i64..0, 1 => 30_i64..90].prop_map(Operation::Pass),
        1 => (1_usize..3).prop_map(Operation::Settle),
        1 => prop::option::weighted(0.3, 0_u64..6).prop_map(|most_requests| Operation::Purge { most_requests }),
        4 => list,
        1 => Just(Operation::Reopen),
    ];
    prop::collection::vec(operation, 1..48)
}
