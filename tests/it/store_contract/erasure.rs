//! What every store promises about erasure: a name is left, and nothing else.

use std::sync::Arc;

use anteroom::core::ports::requests::{Filter, Submission};
use anteroom::core::request::{Act, Refused, Request, Tags};

use super::{complete, job, lease};
use crate::stores::{Opened, START, cancel, keyed, new, order, owner, request};

pub(super) async fn what_is_erased_leaves_a_tombstone(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    let tags = Tags::from([("batch".into(), "7".into())]);
    let sent = Request { tags, alias: Some("QR-0001".into()), ..job(&anna, 1) };
    on.submit(keyed(sent.clone(), "k", 1)).await;
    on.act(sent.id, lease()).await;
    on.act(sent.id, complete(1)).await;
    assert_eq!(on.act(sent.id, Act::Erase).await, None);
    let stone = requests.find(&anna, sent.id).await.unwrap().unwrap();
    assert_eq!((stone.erased_at, &stone.alias, &stone.tags), (Some(START), &None, &Tags::new()));
    assert_eq!(stone.work().unwrap().result, None);
    assert_eq!(requests.payload(sent.id).await.unwrap(), None);
    assert_eq!(requests.output(sent.id).await.unwrap(), None);
    assert_eq!(on.told(sent.id).await.last(), Some(&"erased"));
    // It is found by its id alone.
    assert_eq!(requests.find(&owner("bob"), sent.id).await.unwrap(), None);
    assert_eq!(requests.find_by_alias(&anna, "QR-0001").await.unwrap(), None);
    assert_eq!(on.all(&anna).await, []);
    let filter = Filter { ids: vec![sent.id], ..Filter::default() };
    assert_eq!(requests.list(None, &filter, None, 10, START).await.unwrap(), []);
    // And no act finds it.
    let acts = [Act::Cancel, Act::Erase, Act::Redrive, Act::Settle, complete(1)].map(|act| order(sent.id, act));
    assert_eq!(requests.act_all(acts.to_vec()).await.unwrap(), vec![None; 5]);
    assert_eq!(requests.find_any(sent.id).await.unwrap(), Some(stone));
}

pub(super) async fn what_has_not_ended_is_not_erased(on: Opened) {
    let (anna, requests) = (owner("anna"), on.requests());
    for sent in [request(&anna, START, 1), job(&anna, 2)] {
        on.submit(new(sent.clone())).await;
        assert_eq!(on.act(sent.id, Act::Erase).await, Some(Refused::NotEnded));
        assert!(requests.payload(sent.id).await.unwrap().is_some());
        assert_eq!(on.act(sent.id, Act::Cancel).await, None);
        assert_eq!(on.act(sent.id, Act::Erase).await, None);
        assert_eq!(requests.payload(sent.id).await.unwrap(), None);
    }
}

pub(super) async fn an_erased_key_and_alias_are_free_again(on: Opened) {
    let anna = owner("anna");
    let aliased = |number| Request { alias: Some("QR-0001".into()), ..request(&anna, START, number) };
    let first = aliased(1);
    on.submit(keyed(first.clone(), "k", 1)).await;
    let orders = vec![cancel(&anna, first.id), order(first.id, Act::Erase)];
    let outcomes = on.requests().act_all(orders).await.unwrap();
    assert!(outcomes.iter().flatten().all(|outcome| outcome.refused.is_none()));
    let second = Arc::new(aliased(2));
    assert_eq!(on.submit(keyed((*second).clone(), "k", 2)).await, Submission::Accepted(Arc::clone(&second)));
    assert_eq!(on.requests().find_by_alias(&anna, "QR-0001").await.unwrap(), Some(second));
}
