//! What every store promises about lists: their order, their pages and their filters.

use std::sync::Arc;

use anteroom::core::ports::requests::{Filter, Position};
use anteroom::core::request::{Act, Request, Status, Tags};

use super::{complete, job, lease};
use crate::stores::{Opened, START, failing, id, keyed, new, on_timeline, owner, request};

/// Nine requests at three times, submitted in no order, newest first; and as many of another owner.
async fn nine(on: &Opened) -> Vec<Arc<Request>> {
    let at = |number: u64| START.plus_millis(i64::try_from(number % 3).unwrap());
    let mut sent: Vec<Request> = (0..9).map(|number| request(&owner("anna"), at(number), number)).collect();
    for (number, request) in (100..).zip(&sent) {
        on.submit(new(request.clone())).await;
        on.submit(new(Request { owner: owner("bob"), id: id(START, number), ..request.clone() })).await;
    }
    sent.sort_by_key(|request| std::cmp::Reverse((request.submitted_at, request.id)));
    sent.into_iter().map(Arc::new).collect()
}

pub(super) async fn a_list_is_newest_first(on: Opened) {
    let sent = nine(&on).await;
    assert_eq!(on.all(&owner("anna")).await, sent);
    let (requests, anna, filter) = (on.requests(), owner("anna"), Filter::default());
    let page = |limit| requests.list(Some(&anna), &filter, None, limit, START);
    assert_eq!(page(4).await.unwrap(), sent[..4]);
    assert_eq!(page(0).await.unwrap(), []);
}

pub(super) async fn pages_join_to_the_whole_list(on: Opened) {
    let (sent, anna) = (nine(&on).await, owner("anna"));
    for limit in [1, 2, 4, 9] {
        let (mut joined, mut after) = (Vec::new(), None);
        while joined.len() <= sent.len() {
            let page = on.requests().list(Some(&anna), &Filter::default(), after, limit, START).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(Position { submitted_at: last.submitted_at, id: last.id });
            joined.extend(page);
        }
        assert_eq!(joined, sent, "pages of {limit}");
    }
}

pub(super) async fn filters_restrict_a_list(on: Opened) {
    let anna = owner("anna");
    let plain = request(&anna, START, 1);
    let late = Request { kind: "demo-fail".into(), ..request(&anna, START.plus_millis(1), 2) };
    on.submit(keyed(plain.clone(), "k", 1)).await;
    on.submit(new(late.clone())).await;
    let cases = [
        (Filter { kinds: vec!["default".into()], ..Filter::default() }, vec![&plain]),
        (Filter { kinds: vec!["demo".into()], ..Filter::default() }, vec![]),
        (Filter { closed_kinds: vec!["default".into(), "demo".into()], ..Filter::default() }, vec![&late]),
        (Filter { kinds: vec!["default".into()], closed_kinds: vec!["default".into()], ..Filter::default() }, vec![]),
        (Filter { idempotency_key: Some(("POST /v1/requests", "k".into())), ..Filter::default() }, vec![&plain]),
        (Filter { idempotency_key: Some(("POST /request", "k".into())), ..Filter::default() }, vec![]),
        (Filter { idempotency_key: Some(("POST /v1/requests", "K".into())), ..Filter::default() }, vec![]),
        (Filter { statuses: vec![Status::Queued], ..Filter::default() }, vec![&late, &plain]),
        (Filter { statuses: vec![Status::Queued], kinds: vec!["demo-fail".into()], ..Filter::default() }, vec![&late]),
        (Filter { statuses: vec![Status::Expired], ..Filter::default() }, vec![]),
    ];
    for (filter, expected) in cases {
        let listed = on.requests().list(Some(&anna), &filter, None, 10, START).await.unwrap();
        assert_eq!(listed.iter().map(|request| &**request).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

pub(super) async fn every_filter_restricts_a_list(on: Opened) {
    let (anna, at) = (owner("anna"), |millis| START.plus_millis(millis));
    let tags = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect::<Tags>();
    let tagged = Request { tags: tags(&[("batch", "7"), ("o'k", "")]), ..request(&anna, at(0), 1) };
    let timed = Request { not_before: Some(at(50_000)), ..request(&anna, at(1), 2) };
    let named = Request { kind: "print".into(), ..job(&anna, 3) };
    let worked = Request { tags: tags(&[("batch", "7")]), submitted_at: at(3), id: id(at(3), 4), ..job(&anna, 4) };
    for sent in [&tagged, &timed, &named, &worked] {
        on.submit(keyed(sent.clone(), &format!("key-{}", sent.id), 1)).await;
    }
    on.clock.set(at(7_000));
    on.act(worked.id, lease()).await;
    on.act(worked.id, complete(1)).await;
    let filter = Filter::default;
    let cases: Vec<(Filter, Vec<&Request>)> = vec![
        (filter(), vec![&worked, &timed, &named, &tagged]),
        (Filter { statuses: vec![Status::Scheduled, Status::Succeeded], ..filter() }, vec![&worked, &timed]),
        (Filter { statuses: vec![Status::Running], ..filter() }, vec![&tagged]),
        (Filter { stage: Some("processing".into()), ..filter() }, vec![&tagged]),
        (Filter { stage: Some("scheduled".into()), ..filter() }, vec![&timed]),
        (Filter { stage: Some("succeeded".into()), ..filter() }, vec![&worked]),
        (Filter { stage: Some("Processing".into()), ..filter() }, vec![]),
        (Filter { kinds: vec!["print".into(), "none".into()], ..filter() }, vec![&named]),
        (Filter { tags: tags(&[("batch", "7")]), ..filter() }, vec![&worked, &tagged]),
        (Filter { tags: tags(&[("batch", "7"), ("o'k", "")]), ..filter() }, vec![&tagged]),
        (Filter { tags: tags(&[("batch", "")]), ..filter() }, vec![]),
        (Filter { submitted_after: Some(at(1)), ..filter() }, vec![&worked]),
        (Filter { submitted_before: Some(at(1)), ..filter() }, vec![&named, &tagged]),
        (Filter { submitted_after: Some(at(0)), submitted_before: Some(at(3)), ..filter() }, vec![&timed]),
        (Filter { updated_after: Some(at(1)), ..filter() }, vec![&worked, &tagged]),
        (Filter { updated_after: Some(at(5_000)), ..filter() }, vec![&worked]),
        (Filter { updated_after: Some(at(7_000)), ..filter() }, vec![]),
        (Filter { ids: vec![tagged.id, named.id, id(START, 99)], ..filter() }, vec![&named, &tagged]),
        (Filter { ids: vec![named.id], kinds: vec!["default".into()], ..filter() }, vec![]),
        (Filter { leased_types_only: true, ..filter() }, vec![&worked, &named]),
    ];
    for (filter, expected) in cases {
        let listed = on.requests().list(Some(&anna), &filter, None, 10, at(7_000)).await.unwrap();
        let (listed, expected): (Vec<_>, Vec<_>) =
            (listed.iter().map(|request| request.id).collect(), expected.iter().map(|request| request.id).collect());
        assert_eq!(listed, expected, "{filter:?}");
    }
}

pub(super) async fn everybodys_requests_are_one_list(on: Opened) {
    nine(&on).await;
    let requests = on.requests();
    let page = async |after| on.requests().list(None, &Filter::default(), after, 7, START).await.unwrap();
    let first = page(None).await;
    let last = first.last().unwrap();
    let second = page(Some(Position { submitted_at: last.submitted_at, id: last.id })).await;
    assert_eq!((first.len(), second.len()), (7, 7));
    let all = requests.list(None, &Filter::default(), None, 100, START).await.unwrap();
    assert_eq!(all[..14], [first, second].concat());
    assert_eq!(all.len(), 18);
    assert!(all.is_sorted_by_key(|request| std::cmp::Reverse((request.submitted_at, request.id))));
}

/// I10: what was there before the walk began is met once, whatever comes and changes meanwhile.
pub(super) async fn a_walk_misses_nothing_that_was_there(on: Opened) {
    let (sent, anna) = (nine(&on).await, owner("anna"));
    let (mut met, mut after) = (Vec::new(), None);
    for number in 200.. {
        let page = on.requests().list(Some(&anna), &Filter::default(), after, 2, START).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(Position { submitted_at: last.submitted_at, id: last.id });
        met.extend(page.iter().map(|request| request.id));
        // The newest, the oldest and those between.
        for millis in [0, 1, 9] {
            on.submit(new(request(&anna, START.plus_millis(millis), number * 10 + u64::try_from(millis).unwrap())))
                .await;
        }
        on.act(sent[3].id, Act::Cancel).await;
        assert!(met.len() < 100);
    }
    let there: Vec<_> = sent.iter().map(|request: &Arc<Request>| request.id).collect();
    assert_eq!(met.iter().filter(|id| there.contains(id)).copied().collect::<Vec<_>>(), there);
}

pub(super) async fn open_requests_are_counted_until_their_end(on: Opened) {
    let (anna, at) = (owner("anna"), |millis| START.plus_millis(millis));
    assert_eq!(on.requests().count_open(&anna, 9, START).await.unwrap(), 0);
    for sent in [
        request(&anna, START, 1),
        on_timeline(failing(), request(&anna, START, 2)),
        Request { not_before: Some(at(50_000)), ..request(&anna, START, 3) },
        Request { deadline: Some(at(2_000)), ..request(&anna, START, 4) },
        request(&anna, START, 5),
        job(&anna, 6),
        Request { deadline: Some(at(10_000)), ..job(&anna, 7) },
        job(&anna, 8),
        request(&owner("bob"), START, 9),
    ] {
        on.submit(new(sent)).await;
    }
    on.cancel(&anna, id(START, 5)).await;
    for act in [lease(), complete(1)] {
        on.act(id(START, 8), act).await;
    }
    let on = on.reopened_if_it_lasts().await;
    let ends = [(0, 6), (1_999, 6), (2_000, 5), (5_000, 4), (10_000, 3), (15_000, 2), (64_999, 2), (65_000, 1)];
    for (millis, open) in ends {
        assert_eq!(on.requests().count_open(&anna, 9, at(millis)).await.unwrap(), open, "after {millis} ms");
    }
    assert_eq!(on.requests().count_open(&anna, 4, START).await.unwrap(), 4);
    assert_eq!(on.requests().count_open(&owner("bob"), 4, START).await.unwrap(), 1);
}
