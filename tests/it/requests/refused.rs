//! What `/v1/requests` does not take: bodies and methods that are not its own, told with a pointer to each fault.

use std::io::{Read, Write};

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, order};
use crate::gateway::{Answer, Gateway, problem};

/// A 400 with one fault.
fn malformed(detail: &str, fault: &Value) -> Value {
    let mut problem = problem(400, "malformed", "Malformed request", detail);
    problem["errors"] = json!([fault]);
    problem
}

async fn send(gateway: &Gateway, token: &str, body: impl Into<reqwest::Body>) -> Answer {
    let call = gateway.call(Method::POST, PATH).bearer_auth(token).header("content-type", "application/json");
    Answer::to(call.body(body)).await
}

async fn assert_nothing_stored(gateway: &Gateway, token: &str) {
    assert_eq!(gateway.get(token, PATH).await.json(), json!({ "items": [], "next_cursor": null }));
}

#[tokio::test]
async fn a_body_without_payload_is_told_how_to_write_it() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let hint = |fault: &str| {
        format!(
            "Put your data under `payload`: {{\"type\": \"default\", \"payload\": {{…}}}}. The body has a fault: {fault}."
        )
    };
    let unknown = "unknown field `amount`, expected one of `type`, `payload`, `tags`, `not_before`, `deadline`";
    for (body, pointer, code, fault, place) in [
        (r#"{"type":"default"}"#, "", "missing_field", "missing field `payload`", "line 1 column 18"),
        (r#"{"amount":1}"#, "/amount", "unknown_field", unknown, "line 1 column 9"),
        (r#"{"payload":1,"amount":1}"#, "/amount", "unknown_field", unknown, "line 1 column 21"),
    ] {
        let answer = send(&gateway, &token, body).await;
        let fault_told = json!({ "pointer": pointer, "code": code, "detail": format!("{fault} at {place}") });
        assert_eq!((answer.status, answer.problem()), (400, malformed(&hint(fault), &fault_told)), "{body}");
    }
    assert_nothing_stored(&gateway, &token).await;
}

#[tokio::test]
async fn a_member_of_another_type_is_pointed_at() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    for (body, pointer, code, fault) in [
        (
            r#"{"payload":1,"type":2}"#,
            "/type",
            "wrong_type",
            "invalid type: integer `2`, expected a string at line 1 column 21",
        ),
        (
            r#"{"payload":1,"tags":{"a/b":2}}"#,
            "/tags/a~1b",
            "wrong_type",
            "invalid type: integer `2`, expected a string at line 1 column 28",
        ),
        (
            r#"{"payload":1,"tags":null}"#,
            "/tags",
            "wrong_type",
            "invalid type: null, expected a map at line 1 column 24",
        ),
        (r#"{"payload":1,"payload":2}"#, "", "duplicate_field", "duplicate field `payload` at line 1 column 22"),
        (r#"["default",1]"#, "", "wrong_type", "invalid type: sequence, expected an object at line 1 column 0"),
        ("1", "", "wrong_type", "invalid type: integer `1`, expected an object at line 1 column 1"),
    ] {
        let answer = send(&gateway, &token, body).await;
        let detail = format!("The body does not have the expected form: {fault}.");
        let fault = json!({ "pointer": pointer, "code": code, "detail": fault });
        assert_eq!((answer.status, answer.problem()), (400, malformed(&detail, &fault)), "{body}");
    }
    assert_nothing_stored(&gateway, &token).await;
}

#[tokio::test]
async fn a_type_that_there_is_not_is_told_those_there_are() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let answer = gateway.post(&token, PATH, &json!({ "type": "Default\n", "payload": 1 })).await;
    let detail = "There is no request type of that name. The types are: default, demo-fail, demo-work.";
    let fault = json!({
        "pointer": "/type", "code": "unknown_type", "detail": "\"Default\\n\" is not one of: default, demo-fail, demo-work",
    });
    assert_eq!((answer.status, answer.problem()), (400, malformed(detail, &fault)));
}

#[tokio::test]
async fn each_rule_for_tags_is_pointed_at() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let key = |pointer: &str| {
        let detail = "a key has 1 to 40 characters out of a-z, 0-9, \"_\", \".\" and \"-\"";
        json!({ "pointer": pointer, "code": "invalid_key", "detail": detail })
    };
    let value = json!({ "pointer": "/tags/long", "code": "too_long", "detail": "a value has at most 200 characters" });
    let long = "k".repeat(41);
    let tags = json!({ "Order": "", "": "", "a/b~c": "", "ü": "", &long: "", "long": "x".repeat(201), "fine": "" });
    let answer = gateway.post(&token, PATH, &json!({ "payload": 1, "tags": tags })).await;
    let mut told = problem(400, "malformed", "Malformed request", "The tags break a rule; see errors for each.");
    told["errors"] = json!([
        key("/tags/"),
        key("/tags/Order"),
        key("/tags/a~1b~0c"),
        key(&format!("/tags/{long}")),
        value,
        key("/tags/ü")
    ]);
    assert_eq!((answer.status, answer.problem()), (400, told.clone()));
    let many: Value =
        (0..21).map(|number| (format!("t{number}"), Value::from(""))).collect::<serde_json::Map<_, _>>().into();
    let answer = gateway.post(&token, PATH, &json!({ "payload": 1, "tags": many })).await;
    told["errors"] = json!([{ "pointer": "/tags", "code": "too_many", "detail": "21 tags, and at most 20 are kept" }]);
    assert_eq!((answer.status, answer.problem()), (400, told));
    assert_nothing_stored(&gateway, &token).await;
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let bodies = [
        String::new(),
        "{".into(),
        "nonsense".into(),
        r#"{"payload":1} {}"#.into(),
        r#"{"payload":NaN}"#.into(),
        r#"{"payload":'a'}"#.into(),
        "\u{feff}{\"payload\":1}".into(),
        format!("{{\"payload\":1,\"tags\":{}}}", deep("{\"a\":", "}")),
    ];
    for body in bodies {
        let answer = send(&gateway, &token, body.clone()).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("malformed")), "{body:.60}");
    }
    for bytes in [&b"{\"payload\":\"\xff\"}"[..], b"\x00"] {
        assert_eq!(send(&gateway, &token, bytes.to_vec()).await.status, 400);
    }
    for payload in [deep("[", "]"), deep("{\"a\":", "1}"), "[".repeat(10_000), "1e999".into()] {
        let answer = send(&gateway, &token, format!("{{\"payload\":{payload}}}")).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("malformed")), "{payload:.20}");
    }
    assert_nothing_stored(&gateway, &token).await;
}

#[tokio::test]
async fn other_media_types_and_compressed_bodies_are_refused() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let detail = "The body is not of a media type that is read here, or it is compressed. \
                  Send it as `Content-Type: application/json`, not compressed.";
    let refused = problem(415, "unsupported_media_type", "Unsupported media type", detail);
    let call = || gateway.call(Method::POST, PATH).bearer_auth(&token).body(order().to_string());
    let json = || call().header("content-type", "application/json");
    for call in [
        call(),
        call().header("content-type", "text/plain"),
        call().header("content-type", "application/jsonp"),
        call().header("content-type", "application/x-www-form-urlencoded"),
        json().header("content-encoding", "gzip"),
        json().header("content-encoding", "br"),
    ] {
        let answer = Answer::to(call).await;
        assert_eq!((answer.status, answer.problem()), (415, refused.clone()));
    }
    assert_eq!(Answer::to(json().header("content-encoding", "identity")).await.status, 202);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let gateway = Gateway::configured("server.max_body_bytes = 1000");
    let token = gateway.demo_token().await;
    let body = |length: usize| format!("{{\"payload\":\"{}\"}}", "x".repeat(length - 14));
    assert_eq!(send(&gateway, &token, body(1000)).await.status, 202);
    let detail = "The body is larger than the gateway reads. Send less, or have server.max_body_bytes raised.";
    let refused = problem(413, "payload_too_large", "Payload too large", detail);
    let answer = send(&gateway, &token, body(1001)).await;
    assert_eq!((answer.status, answer.problem()), (413, refused));
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    );
    // Ten gigabytes are announced and none is sent: the answer does not wait for them.
    let mut answer = [0; 12];
    gateway.connect(&format!("{head}Content-Length: 10737418240\r\n\r\n")).read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    // No length is announced, and no end is sent.
    let mut connection = gateway.connect(&format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
    write!(connection, "400\r\n{}\r\n", "x".repeat(1024)).unwrap();
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_told_those_it_has() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let detail = "The path exists, and not for this method. Use one of the methods in the header `Allow`.";
    let refused = problem(405, "method_not_allowed", "Method not allowed", detail);
    for (path, allow, methods) in [
        (PATH.to_owned(), "POST, GET, HEAD", &[Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS][..]),
        (format!("{PATH}/{id}"), "GET, DELETE, HEAD", &[Method::POST, Method::PUT, Method::PATCH]),
        (format!("{PATH}/{id}/result"), "GET, HEAD", &[Method::POST, Method::PUT, Method::DELETE]),
        (format!("{PATH}/{id}/cancel"), "POST", &[Method::GET, Method::HEAD, Method::DELETE]),
    ] {
        for method in methods {
            let answer = Answer::to(gateway.call(method.clone(), &path).bearer_auth(&token)).await;
            assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}");
            if method != Method::HEAD {
                assert_eq!(answer.problem(), refused, "{method} {path}");
            }
        }
    }
    assert_eq!(gateway.get(&token, &format!("{PATH}/{id}")).await.json()["status"], "queued");
}

#[tokio::test]
async fn repeated_slashes_count_once_and_one_at_the_end_counts() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    for path in [format!("//v1///requests//{id}"), format!("///v1/requests/{id}")] {
        assert_eq!(gateway.get(&token, &path).await.json()["request_id"], *id, "{path}");
    }
    assert_eq!(gateway.post(&token, "//v1//requests", &order()).await.status, 202);
    for path in [format!("{PATH}/"), format!("{PATH}/{id}/"), format!("{PATH}/{id}/cancel/"), "/v1".into()] {
        assert_eq!(gateway.get(&token, &path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_label_that_comes_twice_is_refused() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let fault = "duplicate field: a name comes twice at line 1 column 42";
    let body = r#"{"payload":1,"tags":{"a":"1","\u0061":"2"}}"#;
    let answer = send(&gateway, &token, body).await;
    let told = json!({ "pointer": "/tags", "code": "duplicate_field", "detail": fault });
    let detail = format!("The body does not have the expected form: {fault}.");
    assert_eq!((answer.status, answer.problem()), (400, malformed(&detail, &told)));
    assert_nothing_stored(&gateway, &token).await;
}

#[tokio::test]
async fn a_long_name_that_nobody_knows_is_not_sent_back_whole() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let answer = send(&gateway, &token, json!({ "payload": 1, "type": "é".repeat(100_000) }).to_string()).await;
    let told = answer.problem();
    let begun = format!("\"{}…\" is not one of: default, ", "\\u{e9}".repeat(64));
    assert!(told["errors"][0]["detail"].as_str().unwrap().starts_with(&begun), "{told}");
}
