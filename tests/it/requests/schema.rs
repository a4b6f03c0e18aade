//! Types with a schema: what breaks it is pointed at, before anything is stored.

use serde_json::{Value, json};

use super::{PATH, id_of};
use crate::gateway::{Gateway, problem};

const ORDERS: &str = r##"
[types.order]
stages = [{ after = "0s", stage = "in", status = "queued" }, { after = "1s", stage = "out", status = "succeeded" }]

[types.order.schema]
type = "object"
required = ["amount", "due"]
additionalProperties = false

[types.order.schema.properties]
amount = { type = "integer", minimum = 1 }
due = { type = "string", format = "date" }
lines = { type = "array", items = { "$ref" = "#/$defs/line" } }

[types.order.schema."$defs".line]
type = "object"
properties = { "a/b~c" = { type = "string" } }
"##;

fn invalid(faults: &[(&str, &str)]) -> Value {
    let detail = format!("The payload breaks the schema of its type: {}", faults[0].1);
    let mut problem = problem(422, "payload_invalid", "Payload invalid", &detail);
    let fault =
        |(pointer, detail): &(&str, &str)| json!({ "pointer": pointer, "code": "schema_violation", "detail": detail });
    problem["errors"] = faults.iter().map(fault).collect();
    problem
}

#[tokio::test]
async fn a_payload_is_held_to_the_schema_of_its_type() {
    let gateway = Gateway::configured(ORDERS);
    let token = gateway.demo_token().await;
    let send =
        async |payload: &Value| gateway.post(&token, PATH, &json!({ "type": "order", "payload": payload })).await;
    let cases: [(Value, &[(&str, &str)]); 6] = [
        (json!(1), &[("/payload", "1 is not of type \"object\"")]),
        (json!({ "amount": 1 }), &[("/payload", "\"due\" is a required property")]),
        (
            json!({ "amount": 0, "due": "2026-02-30" }),
            &[
                ("/payload/amount", "0 is less than the minimum of 1"),
                ("/payload/due", "\"2026-02-30\" is not a \"date\""),
            ],
        ),
        (
            json!({ "amount": 1, "due": "2026-02-28T00:00:00Z" }),
            &[("/payload/due", "\"2026-02-28T00:00:00Z\" is not a \"date\"")],
        ),
        (
            json!({ "amount": 1, "due": "2026-02-28", "lines": [{}, { "a/b~c": 1 }] }),
            &[("/payload/lines/1/a~1b~0c", "1 is not of type \"string\"")],
        ),
        (
            json!({ "amount": 1, "due": "2026-02-28", "x": 1 }),
            &[("/payload", "Additional properties are not allowed ('x' was unexpected)")],
        ),
    ];
    for (payload, faults) in cases {
        let answer = send(&payload).await;
        assert_eq!((answer.status, answer.problem()), (422, invalid(faults)), "{payload}");
    }
    assert_eq!(gateway.get(&token, PATH).await.json()["items"], json!([]));
    let kept = send(&json!({ "amount": 1, "due": "2026-02-28", "lines": [{ "a/b~c": "" }] })).await;
    assert_eq!(kept.status, 202);
    let items = gateway.get(&token, PATH).await.json()["items"].clone();
    assert_eq!((items[0]["request_id"].as_str().unwrap(), items.as_array().unwrap().len()), (&*id_of(&kept), 1));
}

#[tokio::test]
async fn no_more_faults_are_told_than_help() {
    let gateway = Gateway::configured(ORDERS);
    let token = gateway.demo_token().await;
    let lines = vec![json!(1); 100];
    let body = json!({ "type": "order", "payload": { "amount": 1, "due": "2026-01-01", "lines": lines } });
    let errors = gateway.post(&token, PATH, &body).await.json()["errors"].clone();
    assert_eq!((errors.as_array().unwrap().len(), &errors[19]["pointer"]), (20, &json!("/payload/lines/19")));
}

#[tokio::test]
async fn who_names_a_type_gets_only_that() {
    let gateway = Gateway::configured(ORDERS);
    let token = gateway.demo_token().await;
    let answer = gateway.post(&token, PATH, &json!({ "payload": 1 })).await;
    assert_eq!(
        (answer.status, &answer.json()["errors"][0]["detail"]),
        (400, &json!("\"default\" is not one of: order"))
    );
}

#[test]
fn a_schema_that_leads_elsewhere_or_is_none_does_not_start() {
    let elsewhere = ["https://example.com/schema.json", "http://127.0.0.1:1/", "file:///etc/hostname", "other.json"];
    for target in elsewhere {
        let toml = ORDERS.replace("#/$defs/line", target);
        let [refusal] = &Gateway::refusal(&toml)[..] else { panic!("{target}") };
        assert_eq!(refusal.key, "types.order.schema", "{target}");
        let remedy =
            "Give a JSON Schema (draft 2020-12) as a table or \"file:PATH\", without references to other documents";
        assert_eq!(refusal.remedy, remedy, "{target}");
    }
    let toml = ORDERS
        .replace("minimum = 1", "minimum = \"1\"")
        .replace("[types.order]", "[types.order]\nprocessor = \"timeline\"");
    assert_eq!(Gateway::refusal(&toml)[0].key, "types.order.schema");
}
