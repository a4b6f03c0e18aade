//! `/openapi.json` and `/openapi.yaml`: the documents themselves.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::operations;
use crate::gateway::{Answer, Gateway};
use crate::partner::TOML as PARTNER;

const COMMITTED: &str = include_str!("../../../openapi/anteroom.json");
const ERRORS: &str = include_str!("../../../docs/errors.md");

async fn fetch(gateway: &Gateway, path: &str) -> Answer {
    Answer::to(gateway.call(Method::GET, path)).await
}

#[tokio::test]
async fn what_is_served_is_what_is_committed() {
    let answer = fetch(&Gateway::start(), "/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let mend = "run `cargo run -- openapi > openapi/anteroom.json` and look at what has changed";
    assert!(format!("{}\n", answer.text) == COMMITTED, "{mend}");
}

#[test]
fn the_list_of_errors_is_what_is_committed() {
    let mend = "run `cargo run -- openapi --errors > docs/errors.md` and look at what has changed";
    assert!(anteroom::http::errors_document() == ERRORS, "{mend}");
}

#[test]
fn the_list_of_errors_has_every_fault_that_the_code_names() {
    let body = include_str!("../../../src/http/body.rs");
    let queue = [
        include_str!("../../../src/queue/submit.rs"),
        include_str!("../../../src/queue/schedule.rs"),
        include_str!("../../../src/http/requests/batch.rs"),
        include_str!("../../../src/queue/payload.rs"),
        include_str!("../../../src/queue/schema.rs"),
        include_str!("../../../src/queue/tags.rs"),
    ];
    let named = |source: &'static str, before: &str| {
        let texts: Vec<_> = source.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect();
        texts.into_iter().filter(|text| !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_')))
    };
    let codes: BTreeSet<_> =
        queue.into_iter().flat_map(|source| named(source, "code: \"")).chain(named(body, "=> \"")).collect();
    assert!(codes.len() > 9, "{codes:?}");
    for code in codes {
        assert!(ERRORS.contains(&format!("| `{code}` |")), "docs/errors.md lacks {code}");
    }
}

#[tokio::test]
async fn yaml_says_what_json_says() {
    for gateway in [Gateway::start(), Gateway::configured(PARTNER)] {
        let (json, yaml) = (fetch(&gateway, "/openapi.json").await, fetch(&gateway, "/openapi.yaml").await);
        assert_eq!((yaml.status, yaml.header("content-type")), (200, "application/yaml"));
        let read: Value = yaml_serde::from_str(&yaml.text).unwrap();
        assert_eq!(read, json.json());
    }
}

#[tokio::test]
async fn who_knows_it_is_not_sent_it_again() {
    let gateway = Gateway::start();
    for path in ["/openapi.json", "/openapi.yaml"] {
        let whole = fetch(&gateway, path).await;
        let (etag, length) = (whole.header("etag"), whole.header("content-length"));
        assert_eq!(whole.header("cache-control"), "no-cache");
        let again = Answer::to(gateway.call(Method::GET, path).header("if-none-match", etag)).await;
        assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", etag));
        assert_eq!(again.header("cache-control"), "no-cache");
        let other = Answer::to(gateway.call(Method::GET, path).header("if-none-match", "\"other\"")).await;
        assert_eq!((other.status, &other.text), (200, &whole.text));
        let head = Answer::to(gateway.call(Method::HEAD, path)).await;
        assert_eq!((head.status, head.header("etag"), head.header("content-length")), (200, etag, length));
    }
}

#[tokio::test]
async fn it_holds_wherever_it_is_served_from() {
    let document = fetch(&Gateway::start(), "/openapi.json").await.json();
    assert_eq!(document["servers"], json!([{ "url": "./" }]));
    let token_url = &document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["tokenUrl"];
    assert_eq!(token_url, "oauth/token");
}

/// Whether a value of this schema is shown somewhere: for itself or for each of its parts that matter.
fn has_example(document: &Value, schema: &Value) -> bool {
    if let Some(target) = schema["$ref"].as_str() {
        return has_example(document, document.pointer(&target[1..]).expect("what $ref names"));
    }
    let shown = schema.get("example").or(schema.get("examples")).is_some_and(|example| !example.is_null());
    let of_parts = |parts: &Value| match parts {
        Value::Object(members) => members.values().any(|part| has_example(document, part)),
        _ => false,
    };
    let of_either =
        |ways: &Value| ways.as_array().is_some_and(|ways| ways.iter().all(|way| has_example(document, way)));
    shown
        || of_parts(&schema["properties"])
        || of_either(&schema["oneOf"])
        || schema.get("items").is_some_and(|items| has_example(document, items))
}

#[tokio::test]
async fn every_operation_explains_itself() {
    let mut ids = BTreeSet::new();
    let document = fetch(&Gateway::configured(PARTNER), "/openapi.json").await.json();
    let tags: BTreeSet<_> = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str()).collect();
    for operation in operations(&document) {
        let (id, says) = (operation.id(), operation.says);
        assert!(ids.insert(id.to_owned()), "two operations are named {id}");
        for name in ["summary", "description"] {
            assert!(says[name].as_str().is_some_and(|text| text.len() > 5), "{id} has no {name}");
        }
        assert!(
            says["tags"].as_array().unwrap().iter().all(|tag| tags.contains(&tag.as_str())),
            "{id} has an unknown tag"
        );
        for parameter in says["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{id} does not explain {}", parameter["name"]);
        }
        let bodies = says["responses"].as_object().unwrap().iter().filter(|(status, _)| status.starts_with('2'));
        let mut contents: Vec<_> = bodies.map(|(_, response)| &response["content"]).collect();
        contents.push(&says["requestBody"]["content"]);
        // The contract's own operations answer the document, which is its own example.
        let contents = contents.into_iter().filter(|_| says["tags"][0] != "contract");
        for (media_type, body) in contents.filter_map(Value::as_object).flatten() {
            let shown =
                body.get("example").or(body.get("examples")).is_some() || has_example(&document, &body["schema"]);
            assert!(shown, "{id} shows no example of its {media_type}");
        }
    }
    assert!(ids.len() > 10, "{ids:?}");
}

#[tokio::test]
async fn a_type_with_a_schema_shows_it() {
    let document = fetch(&Gateway::configured(PARTNER), "/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["SubmitRequest"]["properties"]["type"]["enum"], json!(["partner"]));
    assert_eq!(schemas["Payload.partner"]["required"], json!(["fastq_files", "patient_info"]));
    let body = &document["paths"]["/request"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(*body, json!({ "$ref": "#/components/schemas/Payload.partner" }));
}

#[tokio::test]
async fn where_no_type_is_named_default_one_must_be_named() {
    let submit = async |gateway: &Gateway| {
        let document = fetch(gateway, "/openapi.json").await.json();
        let body = &document["paths"]["/v1/requests"]["post"]["requestBody"]["content"]["application/json"];
        (document["components"]["schemas"]["SubmitRequest"].clone(), body.clone())
    };
    let (schema, body) = submit(&Gateway::start()).await;
    assert_eq!(
        (&schema["required"], &schema["properties"]["type"]["default"]),
        (&json!(["payload"]), &json!("default"))
    );
    assert_eq!(body["example"]["type"], "default");
    let (schema, body) = submit(&Gateway::configured(PARTNER)).await;
    let kind = &schema["properties"]["type"];
    assert_eq!(schema["required"], json!(["type", "payload"]));
    assert_eq!((kind.get("default"), &kind["example"]), (None, &json!("partner")));
    assert_eq!(body, json!({ "schema": { "$ref": "#/components/schemas/SubmitRequest" } }));
}

#[tokio::test]
async fn what_a_schema_says_of_itself_holds_where_it_is_embedded() {
    let toml = r##"
[types.tree]
stages = [{ after = "0s", stage = "in", status = "queued" }, { after = "1s", stage = "out", status = "succeeded" }]
[types.tree.schema.properties]
left = { "$ref" = "#" }
leaves = { type = "array", items = { anyOf = [{ "$ref" = "#/$defs/leaf" }, { type = "null" }] } }
[types.tree.schema."$defs".leaf]
type = "string"
[types.tree.schema."$defs".own]
"$id" = "urn:example:own"
"$defs" = { leaf = { type = "integer" } }
items = { "$ref" = "#/$defs/leaf" }
"##;
    let document = fetch(&Gateway::configured(toml), "/openapi.json").await.json();
    let tree = &document["components"]["schemas"]["Payload.tree"];
    assert_eq!(tree["properties"]["left"]["$ref"], "#/components/schemas/Payload.tree");
    let leaf = tree["properties"]["leaves"]["items"]["anyOf"][0]["$ref"].as_str().unwrap();
    assert_eq!(leaf, "#/components/schemas/Payload.tree/$defs/leaf");
    assert_eq!(document.pointer(&leaf[1..]).unwrap(), &json!({ "type": "string" }));
    assert_eq!(tree["$defs"]["own"]["items"]["$ref"], "#/$defs/leaf");
}

#[tokio::test]
async fn a_token_by_basic_alone_is_described_in_both_its_forms() {
    let document = fetch(&Gateway::start(), "/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    let answer = &document["paths"]["/auth/"]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(*answer, json!({ "$ref": "#/components/schemas/BasicTokenAnswer" }));
    let forms =
        ["TokenAnswer", "OpenTokenAnswer"].map(|name| json!({ "$ref": format!("#/components/schemas/{name}") }));
    assert_eq!(schemas["BasicTokenAnswer"]["oneOf"], json!(forms));
    // Otherwise the whole answer would be of both forms, and so of none.
    assert_eq!(schemas["OpenTokenAnswer"]["additionalProperties"], false);
}

#[tokio::test]
async fn a_client_may_ask_for_the_scopes_that_operations_need() {
    let document = fetch(&Gateway::start(), "/openapi.json").await.json();
    let flow = &document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"];
    let offered: Vec<_> = flow["scopes"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(offered, ["admin", "requests:read", "requests:work", "requests:write", "webhooks:manage"]);
}
