//! Every operation of the contract answers as the contract says.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Operation, operations};
use crate::gateway::{Answer, Gateway, challenge, client};
use crate::partner::TOML as PARTNER;

const SECRET: &str = "an-example-of-a-secret";
const SCOPES: [&str; 5] = ["requests:read", "requests:write", "requests:work", "webhooks:manage", "admin"];

/// The client that has every scope but this; HTTP Basic takes no colon in its name.
fn lacking(scope: &str) -> String {
    format!("without {}", scope.replace(':', " "))
}

/// A gateway that has every operation there is, with clients that have every scope but one.
fn gateway() -> Gateway {
    let mut clients = client("all", SECRET, &SCOPES);
    for scope in SCOPES {
        let others: Vec<_> = SCOPES.into_iter().filter(|other| *other != scope).collect();
        clients += &client(&lacking(scope), SECRET, &others);
    }
    // An issuer whose keys are fetched, from where there are none.
    let partner = PARTNER.replacen("chain = [\"self\"]", "chain = [\"self\", \"idp\"]", 1);
    assert_ne!(partner, PARTNER);
    let idp = "[verifiers.idp]\nkind = \"oidc\"\nissuer = \"http://127.0.0.1:9/\"\naudience = [\"anteroom\"]\n";
    Gateway::configured(&format!("{partner}\n{idp}{clients}[guards.any]\nauthenticated = true\n"))
}

async fn document(gateway: &Gateway) -> Value {
    Answer::to(gateway.call(Method::GET, "/openapi.json")).await.json()
}

/// A path of that template; nothing is there under the id.
fn path_of(template: &str) -> String {
    template
        .replace("{request_id}", "req_01JD9W3W7QX5T4N0V6K8B2C1DE")
        .replace("{lease_id}", "lease_01JD9W3W7QX5T4N0V6K8B2C1DE")
        .replace("{endpoint_id}", "whe_01JD9W3W7QX5T4N0V6K8B2C1DE")
        .replace("{delivery_id}", "msg_01JD9W3W7QX5T4N0V6K8B2C1DE")
        .replace("{name}", "self")
        .replace("{guard}", "any")
}

/// The operation with nothing to work on: an unknown id, an empty body.
async fn call(gateway: &Gateway, operation: &Operation<'_>, token: Option<&str>) -> Answer {
    let path = path_of(operation.path);
    let call = gateway.call(operation.method.to_uppercase().parse().unwrap(), &path);
    let call = if operation.says.get("requestBody").is_some() { call.json(&json!({})) } else { call };
    Answer::to(if let Some(token) = token { call.bearer_auth(token) } else { call }).await
}

#[tokio::test]
async fn a_guarded_operation_needs_a_token_with_its_scope() {
    let gateway = gateway();
    let document = document(&gateway).await;
    let mut guarded = 0;
    for operation in operations(&document) {
        let id = operation.id();
        let without = call(&gateway, &operation, None).await;
        let Some(scope) = operation.scope() else {
            assert_ne!(without.status, 403, "{id} is not said to be guarded");
            continue;
        };
        guarded += 1;
        assert_eq!((without.status, &without.problem()["code"]), (401, &json!("token_missing")), "{id}");
        assert!(operation.has_response(401) && operation.has_response(403) && operation.has_response(503), "{id}");
        if scope.is_empty() {
            let token = gateway.token("all", SECRET, Some("admin")).await;
            assert_eq!(call(&gateway, &operation, Some(&token)).await.status, 200, "{id}");
            continue;
        }
        let token = gateway.token(&lacking(scope), SECRET, None).await;
        let refused = call(&gateway, &operation, Some(&token)).await;
        let challenge = challenge(&gateway, &format!(", error=\"insufficient_scope\", scope=\"{scope}\""));
        assert_eq!((refused.status, refused.header("www-authenticate")), (403, challenge.as_str()), "{id}");
        assert_eq!(refused.problem()["code"], "insufficient_scope", "{id}");
    }
    assert_eq!(guarded, 46);
}

/// Where a body is not what a schema of the document says.
fn faults(document: &Value, schema: &Value, body: &Value) -> Vec<String> {
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&whole).unwrap();
    validator.iter_errors(body).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

#[tokio::test]
async fn no_operation_answers_what_it_does_not_say() {
    let gateway = gateway();
    let document = document(&gateway).await;
    let token = gateway.token("all", SECRET, None).await;
    for operation in operations(&document) {
        for token in [None, Some("x"), Some(&*token)] {
            let answer = call(&gateway, &operation, token).await;
            let id = operation.id();
            assert!(operation.has_response(answer.status), "{id} answers {}, and does not say so", answer.status);
            let said = &operation.says["responses"][answer.status.to_string()]["content"];
            let media_type = answer.header("content-type").split(';').next().unwrap();
            let as_said = if media_type.is_empty() { said.is_null() } else { said.get(media_type).is_some() };
            assert!(as_said, "{id} answers {} with {media_type:?}, and says {said}", answer.status);
            if media_type.ends_with("json") {
                assert_eq!(faults(&document, &said[media_type]["schema"], &answer.json()), [""; 0], "{id}");
            }
        }
    }
}

#[tokio::test]
async fn every_path_refuses_other_methods_and_names_its_own() {
    let gateway = gateway();
    let document = document(&gateway).await;
    // A guard decides about any method.
    for (path, item) in document["paths"].as_object().unwrap().iter().filter(|(path, _)| *path != "/guard/{guard}") {
        let mut said: Vec<_> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        if said.contains(&"GET".to_owned()) {
            said.push("HEAD".into());
        }
        said.sort();
        let path = path_of(path);
        for method in [Method::DELETE, Method::PATCH].into_iter().filter(|method| !said.contains(&method.to_string())) {
            let answer = Answer::to(gateway.call(method.clone(), &path)).await;
            let mut allowed: Vec<_> = answer.header("allow").split(", ").map(str::to_owned).collect();
            allowed.sort();
            assert_eq!((answer.status, allowed), (405, said.clone()), "{method} {path}");
            assert_eq!(answer.problem()["code"], "method_not_allowed");
        }
    }
}
