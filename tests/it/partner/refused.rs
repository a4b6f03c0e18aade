//! What the prototype's two calls refuse.

use reqwest::Method;
use serde_json::{Value, json};

use super::{FIXTURE, notebook, open_token, partner};
use crate::gateway::{Answer, Gateway, problem};

#[tokio::test]
async fn an_unknown_id_answers_a_text() {
    let gateway = partner();
    let token = open_token(&gateway).await;
    for id in [FIXTURE, "QR-", "x", "%00", "req_01JD9W3W7QX5T4N0V6K8B2C1DE"] {
        let answer = gateway.get(&token, &format!("/request/{id}")).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, "\"No such request_id\""), "{id}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn a_body_that_breaks_the_schema_is_400() {
    let gateway = partner();
    let token = open_token(&gateway).await;
    let with = |pointer: &str, value: Value| {
        let mut body = notebook();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let mut more = notebook();
    more["zz"] = json!(1);
    let mut more_of_patient = notebook();
    more_of_patient["patient_info"]["zz"] = json!(1);
    let unexpected = "Additional properties are not allowed ('zz' was unexpected)";
    let sex = "\"X\" is not one of \"MALE\", \"FEMALE\" or \"OTHER\"";
    for (body, pointer, fault) in [
        (json!({ "patient_info": {} }), "", "\"fastq_files\" is a required property"),
        (json!({ "fastq_files": [] }), "", "\"patient_info\" is a required property"),
        (more, "", unexpected),
        (more_of_patient, "/patient_info", unexpected),
        (with("/patient_info/biological_sex", json!("X")), "/patient_info/biological_sex", sex),
        (with("/fastq_files/1", json!(1)), "/fastq_files/1", "1 is not of type \"string\""),
        (with("/patient_info/dob", json!("notadate")), "/patient_info/dob", "\"notadate\" is not a \"date\""),
        (with("/product_id", json!(1)), "/product_id", "1 is not of type \"string\""),
        (json!([]), "", "[] is not of type \"object\""),
        (json!(null), "", "null is not of type \"object\""),
    ] {
        let answer = gateway.post(&token, "/request", &body).await;
        let detail = format!("The payload breaks the schema of its type: {fault}");
        let mut told = problem(400, "malformed", "Malformed request", &detail);
        told["errors"] = json!([{ "pointer": pointer, "code": "schema_violation", "detail": fault }]);
        assert_eq!((answer.status, answer.problem()), (400, told), "{body}");
    }
    assert_eq!(gateway.get(&token, "/v1/requests").await.json()["items"], json!([]));
}

#[tokio::test]
async fn what_is_not_json_is_400_and_what_does_not_say_so_415() {
    let gateway = partner();
    let token = open_token(&gateway).await;
    let call = || gateway.call(Method::POST, "/request").bearer_auth(&token);
    for body in ["", "{", "nonsense"] {
        let answer = Answer::to(call().header("content-type", "application/json").body(body)).await;
        assert_eq!((answer.status, &answer.problem()["code"]), (400, &json!("malformed")), "{body}");
    }
    for call in [call(), call().header("content-type", "application/x-www-form-urlencoded")] {
        let answer = Answer::to(call.body(notebook().to_string())).await;
        assert_eq!((answer.status, &answer.problem()["code"]), (415, &json!("unsupported_media_type")));
    }
}

#[tokio::test]
async fn without_a_good_token_nothing_is_looked_at() {
    let gateway = partner();
    let (forms, json) = ("application/x-www-form-urlencoded", "application/json");
    for (method, path) in [(Method::POST, "/request".to_owned()), (Method::GET, format!("/request/{FIXTURE}"))] {
        for (body, content_type) in [(notebook().to_string(), json), ("{".into(), json), ("a=b".into(), forms)] {
            let call = || gateway.call(method.clone(), &path).body(body.clone()).header("content-type", content_type);
            let basic = call().basic_auth("a", Some("b"));
            for (call, code) in
                [(call(), "token_missing"), (basic, "token_missing"), (call().bearer_auth("x.y.z"), "token_malformed")]
            {
                let answer = Answer::to(call).await;
                assert_eq!((answer.status, &answer.problem()["code"]), (401, &json!(code)), "{method} {body}");
            }
        }
    }
    let token = open_token(&gateway).await;
    gateway.advance(604_800);
    let answer = gateway.get(&token, &format!("/request/{FIXTURE}")).await;
    assert_eq!((answer.status, &answer.problem()["code"]), (401, &json!("token_expired")));
}

#[tokio::test]
async fn other_methods_and_paths_are_not_there() {
    let gateway = partner();
    let token = open_token(&gateway).await;
    for (method, path, allow) in [
        (Method::GET, "/request", "POST"),
        (Method::DELETE, "/request", "POST"),
        (Method::POST, "/request/x", "GET, HEAD"),
        (Method::PUT, "/auth/", "GET, POST, HEAD"),
        (Method::DELETE, "/auth", "GET, POST, HEAD"),
    ] {
        let answer = Answer::to(gateway.call(method, path).bearer_auth(&token)).await;
        assert_eq!((answer.status, answer.header("allow")), (405, allow), "{path}");
        assert_eq!(answer.problem()["code"], "method_not_allowed");
    }
    for path in ["/request/", "/requests", "/request/a/b"] {
        let answer = gateway.get(&token, path).await;
        assert_eq!((answer.status, &answer.problem()["code"]), (404, &json!("not_found")), "{path}");
    }
}

#[tokio::test]
async fn only_a_type_of_the_dialect_opens_these_doors() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let answer = gateway.post(&token, "/request", &notebook()).await;
    assert_eq!((answer.status, &answer.problem()["code"]), (404, &json!("not_found")));
}
