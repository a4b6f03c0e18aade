//! `/v1/admin/requests`: anybody's requests, with what their owners do not see.

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, NOON, client, http, problem};

const SECRET: &str = "an-example-of-a-secret";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A gateway with an operator and two clients, and its operator's token.
async fn operated() -> (Gateway, String) {
    let both = ["requests:read", "requests:write"];
    let tables = [client("root", SECRET, &["admin"]), client("anna", SECRET, &both), client("bob", SECRET, &both)];
    let server =
        "[server]\nmode = \"production\"\npublic_url = \"https://gateway.example\"\n[shutdown]\ndelay = \"0s\"\n";
    let gateway = Gateway::configured(&format!("{server}{}", tables.concat()));
    let token = gateway.token("root", SECRET, None).await;
    (gateway, token)
}

async fn operate(gateway: &Gateway, token: &str, path: &str) -> Answer {
    Answer::to(http().get(format!("http://{}{path}", gateway.admin.unwrap())).bearer_auth(token)).await
}

async fn submit(gateway: &Gateway, client: &str, tags: Value) -> String {
    let token = gateway.token(client, SECRET, None).await;
    let body = json!({ "type": "default", "payload": {}, "tags": tags });
    let call = gateway.call(Method::POST, "/v1/requests").bearer_auth(token).json(&body);
    let answer = Answer::to(call.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()["request_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_request_is_shown_whole() {
    let (gateway, root) = operated().await;
    let id = submit(&gateway, "anna", json!({ "order": "4711" })).await;
    gateway.advance(6);
    let anna = gateway.token("anna", SECRET, None).await;
    let cancelled = gateway.post(&anna, &format!("/v1/requests/{id}/cancel"), &json!({})).await;
    assert_eq!(cancelled.status, 200);
    let own = gateway.get(&anna, &format!("/v1/requests/{id}")).await.json();

    let at = |seconds: i64| NOON.plus_millis(seconds * 1000).to_string();
    let event = |version: &str, kind: &str, seconds: i64, status: &str, stage: &str, by: Option<&str>, trace: &str| {
        let trace = by.map(|_| trace);
        json!({
            "version": version, "kind": kind, "at": at(seconds), "status": status, "stage": stage, "attempt": 0, "actor": by,
            "trace_id": trace,
        })
    };
    let whole = json!({
        "owner": { "issuer": "https://gateway.example", "subject": "anna" }, "request": own, "version": "1.0", "alias": null,
        "trace_id": TRACE, "erased_at": null, "work": null,
        "events": [
            event("0.0", "submitted", 0, "queued", "received", Some("anna"), TRACE),
            event("0.1", "time_passed", 5, "running", "processing", None, ""),
            event("1.0", "cancelled", 6, "cancelled", "processing", Some("anna"), cancelled.header("x-trace-id")),
        ],
        "webhook_deliveries": [],
    });
    let shown = operate(&gateway, &root, &format!("/v1/admin/requests/{id}")).await;
    assert_eq!((shown.status, shown.json()), (200, whole));

    let detail = "There is nothing here under this name, or it is somebody else's. \
                  Check the path and the id, and whose token this is.";
    for nobody in ["req_01M815515KP08QZRD2J0GYC6SN", "x", "%00"] {
        let missing = operate(&gateway, &root, &format!("/v1/admin/requests/{nobody}")).await;
        assert_eq!(missing.problem(), problem(404, "not_found", "Not found", detail), "{nobody}");
    }
    for path in ["/v1/admin/requests".to_owned(), format!("/v1/admin/requests/{id}")] {
        assert_eq!(operate(&gateway, &anna, &path).await.problem()["code"], "insufficient_scope");
        assert_eq!(gateway.operate(&path).await.problem()["code"], "token_missing");
        assert_eq!(gateway.get(&root, &path).await.status, 404, "clients have nothing of it");
    }
}

#[tokio::test]
async fn a_list_has_everybodys_requests_and_keeps_to_its_filters() {
    let (gateway, root) = operated().await;
    let mut ids = Vec::new();
    for (client, colour) in [("anna", "red"), ("bob", "red"), ("anna", "blue")] {
        ids.push(submit(&gateway, client, json!({ "colour": colour, "size": "1" })).await);
        gateway.advance(10);
    }
    let of = |answer: &Answer| -> Vec<usize> {
        let page = answer.json();
        let name = |item: &Value| item["request"]["request_id"].as_str().unwrap().to_owned();
        let items: Vec<_> = page["items"].as_array().unwrap_or_else(|| panic!("{page}")).iter().map(name).collect();
        items.iter().map(|id| ids.iter().position(|known| known == id).unwrap()).collect()
    };
    let list = async |query: &str| operate(&gateway, &root, &format!("/v1/admin/requests?{query}")).await;
    let issuer = "issuer=https://gateway.example&";
    for (query, expected) in [
        (String::new(), &[2, 1, 0][..]),
        (format!("{issuer}subject=anna"), &[2, 0]),
        (format!("{issuer}subject=nobody"), &[]),
        ("status=succeeded".into(), &[1, 0]),
        ("status=succeeded,running".into(), &[2, 1, 0]),
        ("status=queued".into(), &[]),
        ("type=default,demo-fail".into(), &[2, 1, 0]),
        ("type=demo-fail".into(), &[]),
        ("tag.colour=red".into(), &[1, 0]),
        ("tag.colour=red&tag.size=2".into(), &[]),
        (format!("id={},{}", ids[0], ids[2]), &[2, 0]),
    ] {
        assert_eq!(of(&list(&query).await), expected, "{query}");
    }
    let first = list("tag.size=1&limit=2").await;
    assert_eq!(of(&first), [2, 1]);
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    let second = list(&format!("tag.size=1&limit=2&cursor={cursor}")).await;
    assert_eq!((of(&second), &second.json()["next_cursor"]), (vec![0], &Value::Null));
    // The whole of it, but for its events.
    let mut whole = operate(&gateway, &root, &format!("/v1/admin/requests/{}", ids[0])).await.json();
    whole.as_object_mut().unwrap().remove("events");
    whole.as_object_mut().unwrap().remove("webhook_deliveries");
    assert_eq!(second.json()["items"], json!([whole]));
    for (query, detail) in [
        (
            format!("limit=2&cursor={cursor}"),
            "The cursor belongs to other filters: send those of the page that it came with.",
        ),
        ("limit=0".into(), "The parameter limit is not between 1 and 200."),
        (
            "status=lost".into(),
            "The parameter status is not made of scheduled, queued, running, retrying, succeeded, failed, cancelled, expired.",
        ),
        ("id=x".into(), "The parameter id is not made of ids as a submission answers them."),
        ("subject=anna".into(), "The parameters issuer and subject name an owner together: send both."),
        ("tag.a=1&tag.a=2".into(), "The query can not be read: the parameter tag.a comes twice."),
    ] {
        assert_eq!(list(&query).await.problem(), problem(400, "malformed", "Malformed request", detail), "{query}");
    }
    assert_eq!(list("stauts=failed").await.problem()["code"], "malformed", "it must not show everything");
}
