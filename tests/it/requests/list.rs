//! `GET /v1/requests`: newest first, page by page, by filter.

use serde_json::{Value, json};

use super::{PATH, id_of, submit_keyed};
use crate::gateway::{Answer, Gateway, problem};

/// Five requests, a second apart, the third of them of the type `demo-fail`; newest first.
async fn five(gateway: &Gateway, token: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 1..=5 {
        let kind = if number == 3 { "demo-fail" } else { "default" };
        let tags = json!({ "number": number.to_string(), "all": "yes" });
        let body = json!({ "type": kind, "payload": number, "tags": tags }).to_string();
        ids.insert(0, id_of(&submit_keyed(gateway, token, &format!("key {number}"), body).await));
        gateway.advance(1);
    }
    ids
}

fn ids(page: &Answer) -> Vec<String> {
    assert_eq!((page.status, page.header("cache-control")), (200, "private, no-cache"), "{}", page.text);
    let page = page.json();
    assert_eq!(page.as_object().unwrap().keys().collect::<Vec<_>>(), ["items", "next_cursor"]);
    page["items"].as_array().unwrap().iter().map(|item| item["request_id"].as_str().unwrap().to_owned()).collect()
}

fn assert_malformed(answer: &Answer, detail: &str) {
    let expected = problem(400, "malformed", "Malformed request", detail);
    assert_eq!((answer.status, answer.problem()), (400, expected));
}

#[tokio::test]
async fn the_newest_come_first_and_each_as_it_is_shown_alone() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let five = five(&gateway, &token).await;
    let page = gateway.get(&token, PATH).await;
    assert_eq!((ids(&page), page.json()["next_cursor"].clone(), page.header("link")), (five.clone(), Value::Null, ""));
    for item in page.json()["items"].as_array().unwrap() {
        let path = format!("{PATH}/{}", item["request_id"].as_str().unwrap());
        assert_eq!(gateway.get(&token, &path).await.json(), *item);
    }
}

#[tokio::test]
async fn link_and_cursor_lead_through_all_pages() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let five = five(&gateway, &token).await;
    let first = format!("{PATH}?limit=2");
    let (mut by_link, mut path) = (Vec::new(), first.clone());
    for length in [2, 2, 1] {
        let page = gateway.get(&token, &path).await;
        assert_eq!(ids(&page).len(), length);
        by_link.extend(ids(&page));
        // What comes in meanwhile is newer, and shifts no page.
        gateway.submit(&token).await;
        let Some(cursor) = page.json()["next_cursor"].as_str().map(str::to_owned) else {
            assert_eq!(page.header("link"), "");
            break;
        };
        path = format!("{first}&cursor={cursor}");
        assert_eq!(page.header("link"), format!("<{}>; rel=\"next\"", gateway.url(&path)));
    }
    assert_eq!(by_link, five);
    let all = gateway.get(&token, &format!("{PATH}?limit=200&type=default&status=queued")).await;
    assert!(all.json()["next_cursor"].is_null());
}

#[tokio::test]
async fn a_page_that_is_just_full_is_the_last() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let five = five(&gateway, &token).await;
    let page = gateway.get(&token, &format!("{PATH}?limit=5")).await;
    assert_eq!((ids(&page), page.json()["next_cursor"].clone()), (five, Value::Null));
}

#[tokio::test]
async fn filters_choose_and_may_be_joined() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let five = five(&gateway, &token).await;
    // Now the five have waited 1 to 5 seconds; two more, and the oldest three have changed.
    gateway.advance(2);
    for (query, positions) in [
        ("status=queued", &[0, 1][..]),
        ("status=running", &[3, 4]),
        ("status=failed", &[2]),
        ("status=succeeded", &[]),
        ("status=scheduled", &[]),
        ("status=cancelled", &[]),
        ("type=demo-fail", &[2]),
        ("type=unheard-of", &[]),
        ("type=unheard-of,demo-fail", &[2]),
        ("status=failed,queued", &[0, 1, 2]),
        ("stage=processing", &[3, 4]),
        ("stage=received&type=default", &[0, 1]),
        ("stage=unheard-of", &[]),
        ("submitted_after=2026-11-22T06:12:05.482Z", &[0, 1]),
        ("submitted_before=2026-11-22T06:12:05.482Z", &[3, 4]),
        ("submitted_after=2026-11-22T07:12:03.482%2B01:00&submitted_before=2026-11-22T06:12:05.483Z", &[2, 3]),
        ("updated_after=2026-11-22T06:12:08.482Z", &[2, 3]),
        ("tag.number=4", &[1]),
        ("tag.number=4&tag.all=yes", &[1]),
        ("tag.all=yes&type=demo-fail", &[2]),
        ("tag.number=4&tag.all=no", &[]),
        ("tag.unheard-of=", &[]),
        ("idempotency_key=key+4", &[1]),
        ("idempotency_key=key", &[]),
        ("type=default&status=running", &[3, 4]),
        ("type=demo-fail&status=running", &[]),
        ("idempotency_key=key%204&status=failed", &[]),
    ] {
        let chosen: Vec<_> = positions.iter().map(|&position: &usize| five[position].clone()).collect();
        assert_eq!(ids(&gateway.get(&token, &format!("{PATH}?{query}")).await), chosen, "{query}");
    }
}

#[tokio::test]
async fn some_are_asked_for_by_their_names() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let five = five(&gateway, &token).await;
    let nobody = "req_01JD9W3W7QX5T4N0V6K8B2C1DE";
    let named = format!("{PATH}?id={},{nobody},{}&limit=2", five[3], five[1]);
    assert_eq!(ids(&gateway.get(&token, &named).await), [five[1].clone(), five[3].clone()]);
    assert_eq!(ids(&gateway.get(&token, &format!("{named}&status=queued")).await), [five[1].clone(), five[3].clone()]);
    assert_eq!(ids(&gateway.get(&token, &format!("{named}&type=demo-fail")).await), [""; 0]);
    let hundred = vec![five[0].as_str(); 100].join(",");
    assert_eq!(ids(&gateway.get(&token, &format!("{PATH}?id={hundred}")).await), five[..1]);
}

#[tokio::test]
async fn a_cursor_serves_the_filters_it_was_made_for() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let five = five(&gateway, &token).await;
    let page = gateway.get(&token, &format!("{PATH}?limit=2&type=default")).await;
    let cursor = page.json()["next_cursor"].as_str().unwrap().to_owned();
    let with = async |query: &str| gateway.get(&token, &format!("{PATH}?cursor={cursor}{query}")).await;
    assert_eq!(ids(&with("&limit=1&type=default").await), five[3..4]);
    let other = "The cursor belongs to other filters: send those of the page that it came with.";
    for query in ["", "&type=demo-fail", "&type=default&status=queued", "&type=default&idempotency_key=key"] {
        assert_malformed(&with(query).await, other);
    }
    let made_up = "The cursor is not one that a page of this list answered.";
    for cursor in ["", "x", "%F0", "AAAA", "MTc5NTMyNzkyMzQ4Mi5yZXFf", &cursor[1..]] {
        assert_malformed(&gateway.get(&token, &format!("{PATH}?cursor={cursor}&type=default")).await, made_up);
    }
}

#[tokio::test]
async fn a_query_that_can_not_be_meant_is_refused() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let names = "`status`, `stage`, `type`, `submitted_after`, `submitted_before`, `updated_after`, `idempotency_key`, `id`, \
                 `tag.KEY`, `limit`, `cursor`";
    let unknown =
        |name: &str| format!("The query can not be read: unknown parameter `{name}`, expected one of {names}.");
    let limit = "The parameter limit is not between 1 and 200.";
    let instant = |name: &str| {
        let form = "an instant as 2026-11-22T06:12:03.482Z (RFC 3339; in a query a plus is written %2B)";
        format!("The parameter {name} is not {form}.")
    };
    let status = "The parameter status is not made of scheduled, queued, running, retrying, succeeded, failed, cancelled, expired.";
    for (query, detail) in [
        ("state=queued", unknown("state").as_str()),
        ("tag.=1", &unknown("tag.")),
        ("tag=1", &unknown("tag")),
        ("limit=0", limit),
        ("limit=201", limit),
        ("limit=x", limit),
        ("limit=-1", limit),
        ("limit=", limit),
        ("limit=1&limit=2", "The query can not be read: the parameter limit comes twice."),
        ("tag.a=1&tag.a=1", "The query can not be read: the parameter tag.a comes twice."),
        ("type=", "The parameter type is not a list of types."),
        ("type=default,", "The parameter type is not a list of types."),
        ("id=", "The parameter id is not a list of ids."),
        ("id=x", "The parameter id is not made of ids as a submission answers them."),
        (&format!("id={}", vec!["x"; 101].join(",")), "The parameter id names more than 100 requests."),
        (&format!("type={}", vec!["x"; 101].join(",")), "The parameter type names more than 100 types."),
        (
            &(0..21).map(|n| format!("tag.{n}=")).collect::<Vec<_>>().join("&"),
            "The query asks for more than 20 labels.",
        ),
        ("submitted_after=yesterday", &instant("submitted_after")),
        ("submitted_before=2026-11-22T06:12:03+01:00", &instant("submitted_before")),
        ("updated_after=", &instant("updated_after")),
        ("status=QUEUED", status),
        ("status=queued,,failed", status),
        ("status=", status),
    ] {
        assert_malformed(&gateway.get(&token, &format!("{PATH}?{query}")).await, detail);
    }
}
