//! `/v1/dead-letters`: requests that workers have failed at.

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, NOON, problem};
use crate::leases::Workshop;
use crate::patience::patiently;

const PATH: &str = "/v1/dead-letters";

async fn redrive(shop: &Workshop, id: &str) -> Answer {
    let call = shop.gateway.call(Method::POST, &format!("{PATH}/{id}/redrive"));
    Answer::to(call.bearer_auth(&shop.works)).await
}

/// A request that a worker has given up.
async fn dead(shop: &Workshop, owner: &str) -> String {
    let id = shop.submit_as(owner, json!({ "n": 1 })).await;
    let body = json!({ "error": { "code": "on_fire", "title": "On fire" }, "retryable": false });
    assert_eq!(shop.say(&shop.lease().await, "fail", body).await.status, 200);
    id
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["request_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_has_failed_is_listed_whoevers_it_is() {
    let shop = Workshop::open().await;
    let first = dead(&shop, &shop.anna).await;
    shop.gateway.advance(1);
    let bob = shop.token("bob").await;
    let second = dead(&shop, &bob).await;
    // One that is well, and one of which nobody knows yet that its workers were lost.
    shop.gateway.advance(1);
    shop.submit().await;
    let lost = shop.lease().await;
    shop.gateway.advance(60);
    assert_eq!(shop.lease().await["request_id"], lost["request_id"]);
    shop.gateway.advance(60);
    let page = shop.gateway.get(&shop.works, PATH).await;
    let page = (page.status, page.json());
    assert_eq!((page.0, ids(&page.1)), (200, vec![lost["request_id"].as_str().unwrap(), &second, &first]));
    let at = |seconds: i64| NOON.plus_millis(seconds * 1000).to_string();
    let letter = json!({
        "request_id": second, "type": "render", "status": "failed", "epoch": 1, "attempt": 1, "max_attempts": 2, "submitted_at": at(1),
        "ready_at": null, "finished_at": at(1), "deadline": null, "cancel_requested_at": null, "tags": { "order": "4711" },
        "error": { "code": "on_fire", "title": "On fire", "detail": "", "retryable": false },
        "owner": { "issuer": "http://localhost:8080", "subject": "bob" },
        "last_worker": { "worker_id": "w-1", "issuer": "http://localhost:8080", "subject": "works" },
        "links": { "redrive": shop.gateway.url(&format!("{PATH}/{second}/redrive")) },
    });
    assert_eq!((&page.1["items"][1], &page.1["next_cursor"]), (&letter, &Value::Null));
    assert_eq!(page.1["items"][0]["error"]["code"], "worker_lost");
}

#[tokio::test]
async fn pages_follow_one_another() {
    let shop = Workshop::open().await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.insert(0, dead(&shop, &shop.anna).await);
        shop.gateway.advance(1);
    }
    let page = shop.gateway.get(&shop.works, &format!("{PATH}?limit=2&type=render")).await;
    let (link, page) = (page.header("link").to_owned(), page.json());
    assert_eq!(ids(&page), all[..2]);
    let next = format!("{PATH}?limit=2&type=render&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(link, format!("<{}>; rel=\"next\"", shop.gateway.url(&next)));
    let page = shop.gateway.get(&shop.works, &next).await.json();
    assert_eq!((ids(&page), &page["next_cursor"]), (vec![all[2].as_str()], &Value::Null));
    assert_eq!(ids(&shop.gateway.get(&shop.works, &format!("{PATH}?type=other")).await.json()), [""; 0]);
    for (query, detail) in [
        ("limit=0", "The parameter limit is not between 1 and 200."),
        ("status=failed", "The query can not be read: its parameters are `type`, `limit` and `cursor`, each once."),
        ("cursor=x", "The cursor is not one that a page of this list answered."),
    ] {
        let answer = shop.gateway.get(&shop.works, &format!("{PATH}?{query}")).await;
        let told = problem(400, "malformed", "Malformed request", detail);
        assert_eq!((answer.status, answer.problem()), (400, told));
    }
}

#[tokio::test]
async fn a_dead_letter_is_tried_again_with_all_its_attempts() {
    let shop = Workshop::open().await;
    let id = dead(&shop, &shop.anna).await;
    shop.gateway.advance(5);
    let answer = redrive(&shop, &id).await;
    let ready = NOON.plus_millis(5000).to_string();
    let waits = json!({
        "request_id": id, "type": "render", "status": "queued", "epoch": 1, "attempt": 0, "max_attempts": 2,
        "submitted_at": NOON.to_string(), "ready_at": ready, "finished_at": null, "deadline": null, "cancel_requested_at": null,
        "tags": { "order": "4711" }, "error": null,
    });
    assert_eq!((answer.status, answer.json()), (200, waits.clone()));
    let mut told = problem(
        409,
        "not_failed",
        "Not failed",
        "The request has not failed, so it can not be tried again. The member `request` shows how it stands.",
    );
    told["request"] = waits;
    let again = redrive(&shop, &id).await;
    assert_eq!((again.status, again.problem()), (409, told));
    let lease = shop.lease().await;
    assert_eq!(json!([lease["epoch"], lease["attempt"]]), json!([2, 1]));
    assert_eq!(shop.say(&lease, "complete", json!({ "result": 1 })).await.status, 200);
    assert_eq!(shop.seen(&id, &["/status", "/result", "/error"]).await, json!(["succeeded", 1, null]));
    assert_eq!(redrive(&shop, &id).await.status, 409);
    assert_eq!(ids(&shop.gateway.get(&shop.works, PATH).await.json()), [""; 0]);
}

#[tokio::test]
async fn what_workers_have_nothing_to_do_with_is_not_there() {
    let shop = Workshop::open().await;
    for id in ["req_01JD9W3W7QX5T4N0V6K8B2C1DE", "req_x", "lease_01JD9W3W7QX5T4N0V6K8B2C1DE"] {
        assert_eq!(redrive(&shop, id).await.status, 404, "{id}");
    }
    assert_eq!(shop.gateway.get(&shop.anna, PATH).await.status, 403);
}

#[tokio::test]
async fn what_is_no_longer_kept_can_not_be_tried_again() {
    let shop = Workshop::configured("[issuer]\nlifetime = \"24h\"\n[retention]\npayload = \"1m\"\n").await;
    let id = dead(&shop, &shop.anna).await;
    patiently(async {
        while shop.gateway.get(&shop.anna, &format!("/v1/requests/{id}/payload")).await.status != 410 {
            shop.gateway.advance(60);
        }
    })
    .await;
    let answer = redrive(&shop, &id).await;
    let detail = "The request's payload is no longer kept, so a worker would have nothing to work on. Its owner can submit it again.";
    assert_eq!((answer.status, answer.problem()), (410, problem(410, "gone", "Gone", detail)));
    assert_eq!(shop.seen(&id, &["/status"]).await, json!(["failed"]));
    assert_eq!(shop.ask().await.status, 204);
}
