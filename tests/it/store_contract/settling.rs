//! What every store promises about ends that time brings about: they are written down, each once.

use anteroom::core::request::{Act, Request, Status, view};

use super::{job, lease};
use crate::stores::{Opened, START, new, owner, request, worked_on};

pub(super) async fn ends_are_written_down_once(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    let lost = worked_on(1, job(&anna, 1));
    let late = Request { deadline: Some(START.plus_millis(30_000)), ..job(&anna, 2) };
    let open = job(&anna, 3);
    for sent in [&lost, &late, &open] {
        on.submit(new(sent.clone())).await;
    }
    on.act(lost.id, lease()).await;
    assert_eq!(requests.settle(10).await.unwrap(), (vec![], late.deadline));
    on.clock.set(START.plus_millis(59_999));
    let seen = view(&late, START.plus_millis(59_999));
    let (settled, next) = requests.settle(10).await.unwrap();
    assert_eq!((settled.len(), next), (1, Some(START.plus_millis(60_000))));
    assert_eq!(requests.find_any(late.id).await.unwrap(), Some(settled[0].clone()));
    assert_eq!((seen.status, view(&settled[0], START)), (Status::Expired, seen.clone()));
    assert_eq!(on.told(late.id).await, ["submitted", "time_passed"]);
    on.clock.set(START.plus_millis(60_000));
    let (settled, next) = requests.settle(10).await.unwrap();
    assert_eq!((settled.len(), settled[0].id, next), (1, lost.id, None));
    assert_eq!(view(&settled[0], START).status, Status::Failed);
    assert_eq!(requests.settle(10).await.unwrap(), (vec![], None));
    // Whatever the clock does from now on.
    on.clock.set(START);
    let found = requests.find_any(lost.id).await.unwrap().unwrap();
    assert_eq!(view(&found, START).status, Status::Failed);
    assert_eq!(requests.find_any(open.id).await.unwrap().as_deref(), Some(&open));
}

pub(super) async fn ends_are_written_down_in_their_order_and_not_all_at_once(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    for number in 0..6 {
        let deadline = Some(START.plus_millis(i64::try_from(60 - number).unwrap()));
        on.submit(new(Request { deadline, ..job(&anna, number) })).await;
    }
    on.clock.set(START.plus_millis(59));
    let ids = |numbers: [u64; 2]| numbers.map(|number| job(&anna, number).id).to_vec();
    for (expected, next) in [(ids([5, 4]), 57), (ids([3, 2]), 59)] {
        let (settled, next_due) = requests.settle(2).await.unwrap();
        assert_eq!(settled.iter().map(|request| request.id).collect::<Vec<_>>(), expected);
        assert_eq!(next_due, Some(START.plus_millis(next)));
    }
    let (settled, next) = requests.settle(2).await.unwrap();
    assert_eq!((settled.len(), next), (1, Some(START.plus_millis(60))));
}

pub(super) async fn a_timeline_is_not_settled(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    let sent = request(&anna, START, 1);
    on.submit(new(sent.clone())).await;
    on.clock.set(START.plus_millis(60_000));
    assert_eq!(requests.settle(10).await.unwrap(), (vec![], None));
    assert_eq!(on.act(sent.id, Act::Settle).await, None);
    assert_eq!(requests.find_any(sent.id).await.unwrap().as_deref(), Some(&sent));
    assert!(on.told(sent.id).await.is_empty());
}
