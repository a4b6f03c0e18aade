//! `/openapi.json` and `/openapi.yaml`: the documents themselves.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

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
        let other = Answer::to(gateway.call(Method::GET, path).header("if-none-match", "\"other\"")).await;
        assert_eq!((other.status, &other.text), (200, &whole.text));
        let head = Answer::to(gateway.call(Method::HEAD, path)).await;
        assert_eq!((head.status, head.header("etag"), head.header("content-length")), (200, etag, length));
    }
}

#[tokio::test]
async fn it_holds_wherever_it_is_served_from() {
    let document = fetch(&Gateway::start(), "/openapi.json").await.json();
    assert_eq!(document["servers"], serde_json::json!([{ "url": "./" }]));
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
    shown || of_parts(&schema["properties"]) || schema.get("items").is_some_and(|items| has_example(document, items))
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
    assert_eq!(schemas["SubmitRequest"]["properties"]["type"]["enum"], serde_json::json!(["partner"]));
    assert_eq!(schemas["Payload.partner"]["required"], serde_json::json!(["fastq_files", "patient_info"]));
    let body = &document["paths"]["/request"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(*body, serde_json::json!({ "$ref": "#/components/schemas/Payload.partner" }));
}
