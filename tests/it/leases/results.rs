//! What a request gives: JSON that the type's schema allows, or bytes of another media type.

use serde_json::{Value, json};

use super::{Workshop, at, work};
use crate::gateway::problem;
use crate::patience::patiently;

const SCHEMA: &str =
    "result_schema = { type = \"object\", required = [\"pages\"], properties = { pages = { type = \"integer\" } } }\n";

fn invalid(faults: Value, request: Value) -> Value {
    let detail = "The result breaks the schema of the results of its type, and the attempt has failed for it. Mend the worker by what \
                  `errors` points at; the member `request` shows whether there will be another attempt.";
    let mut told = problem(422, "result_invalid", "Result invalid", detail);
    told["errors"] = faults;
    told["request"] = request;
    told
}

#[tokio::test]
async fn a_result_that_breaks_the_schema_fails_the_attempt() {
    let shop = Workshop::configured(SCHEMA).await;
    let id = shop.submit().await;
    let answer = shop.say(&shop.lease().await, "complete", json!({ "result": { "pages": "ten" } })).await;
    let told = answer.problem();
    let fault = json!({ "pointer": "/result/pages", "code": "schema_violation", "detail": "\"ten\" is not of type \"integer\"" });
    let detail = "What the worker gave breaks the schema of the type's results, at \"/result/pages\": \"ten\" is not of type \"integer\"";
    let error = json!({ "code": "invalid_result", "title": "The worker gave an invalid result", "detail": detail, "retryable": true });
    let ready_at = told["request"]["ready_at"].clone();
    let request = work(&id, json!({ "status": "retrying", "ready_at": ready_at, "error": error }));
    assert_eq!((answer.status, told), (422, invalid(json!([fault]), request)));
    shop.gateway.advance(20);
    assert_eq!(shop.say(&shop.lease().await, "complete", json!({ "result": { "pages": 10 } })).await.status, 200);
    assert_eq!(shop.seen(&id, &["/status", "/result", "/error"]).await, json!(["succeeded", { "pages": 10 }, null]));
}

#[tokio::test]
async fn bytes_do_not_do_where_there_is_a_schema() {
    let shop = Workshop::configured(SCHEMA).await;
    shop.submit().await;
    let body = json!({ "result_base64": "JVBERi0=", "content_type": "application/pdf" });
    let told = shop.say(&shop.lease().await, "complete", body).await.problem();
    let fault = json!({
        "pointer": "/result_base64", "code": "schema_violation", "detail": "the results of this type are JSON: give it as `result`",
    });
    assert_eq!(json!([told["status"], told["errors"]]), json!([422, [fault]]));
    // JSON in base64 does.
    shop.gateway.advance(20);
    let body = json!({ "result_base64": "eyJwYWdlcyI6MX0=", "content_type": "application/json" });
    assert_eq!(shop.say(&shop.lease().await, "complete", body).await.status, 200);
}

#[tokio::test]
async fn a_result_of_another_media_type_is_taken() {
    let shop = Workshop::open().await;
    let id = shop.submit().await;
    let body = json!({ "result_base64": "JVBERi0=", "content_type": "application/pdf; version=1.7" });
    let answer = shop.say(&shop.lease().await, "complete", body).await;
    let done = work(&id, json!({ "status": "succeeded", "finished_at": at(0) }));
    assert_eq!((answer.status, answer.json()), (200, done));
    // Its owner saves it, and no browser shows it as a page of this address.
    let path = format!("/v1/requests/{id}/result");
    let result = shop.gateway.get(&shop.anna, &path).await;
    let headers = ["content-type", "content-disposition", "x-content-type-options", "content-security-policy"];
    let csp = "default-src 'none'; frame-ancestors 'none'";
    assert_eq!(headers.map(|name| result.header(name)), ["application/pdf; version=1.7", "attachment", "nosniff", csp]);
    assert_eq!((result.status, result.text.as_str()), (200, "%PDF-"));
    assert_eq!(shop.seen(&id, &["/result", "/links/result"]).await, json!([null, shop.gateway.url(&path)]));
    let bob = shop.token("bob").await;
    assert_eq!(shop.gateway.get(&bob, &path).await.status, 404);
}

#[tokio::test]
async fn json_is_json_however_its_media_type_is_written() {
    for content_type in ["Application/JSON", "application/json; charset=utf-8"] {
        let shop = Workshop::open().await;
        let id = shop.submit().await;
        let lease = shop.lease().await;
        let say = |base64: &str| {
            shop.say(&lease, "complete", json!({ "result_base64": base64, "content_type": content_type }))
        };
        assert_eq!(say("PHA+").await.problem()["errors"][0]["code"], "invalid_json", "{content_type}");
        assert_eq!(say("eyJwIjoxfQ==").await.status, 200);
        let result = shop.gateway.get(&shop.anna, &format!("/v1/requests/{id}/result")).await;
        assert_eq!((result.header("content-type"), result.json()), ("application/json", json!({ "p": 1 })));
    }
}

#[tokio::test]
async fn what_is_no_result_leaves_the_lease_as_it_is() {
    let shop = Workshop::open().await;
    shop.submit().await;
    let lease = shop.lease().await;
    for (body, pointer, detail) in [
        (
            json!({ "result": 1, "result_base64": "" }),
            "/result_base64",
            "there is a `result` as well: give one of them",
        ),
        (
            json!({ "result": 1, "content_type": "text/plain" }),
            "/content_type",
            "it is for `result_base64`; a `result` is application/json",
        ),
        (json!({ "result_base64": "%" }), "/result_base64", "it is not base64"),
        (
            json!({ "result_base64": "AA==", "content_type": "text/plain\r\nx: y" }),
            "/content_type",
            "it is a media type of up to 128 characters, such as application/pdf",
        ),
        (
            json!({ "result_base64": "AA==", "content_type": "*/*" }),
            "/content_type",
            "it is a media type of up to 128 characters, such as application/pdf",
        ),
    ] {
        let answer = shop.say(&lease, "complete", body).await;
        let mut told = problem(400, "malformed", "Malformed request", "The body breaks a rule; see errors for each.");
        told["errors"] = json!([{ "pointer": pointer, "code": "invalid_value", "detail": detail }]);
        assert_eq!((answer.status, answer.problem()), (400, told));
    }
    let body = json!({ "result_base64": "AA==", "content_type": "application/json" });
    assert_eq!(shop.say(&lease, "complete", body).await.problem()["errors"][0]["code"], "invalid_json");
    assert_eq!(shop.say(&lease, "complete", json!({ "result": null })).await.status, 200);
}

#[tokio::test]
async fn a_result_is_kept_for_a_while_and_how_the_request_ended_longer() {
    let shop = Workshop::configured("[issuer]\nlifetime = \"24h\"\n[retention]\npayload = \"1m\"\n").await;
    let id = shop.submit().await;
    assert_eq!(shop.say(&shop.lease().await, "complete", json!({ "result": 1 })).await.status, 200);
    let path = format!("/v1/requests/{id}/result");
    assert_eq!(shop.gateway.get(&shop.anna, &path).await.json(), 1);
    patiently(async {
        while shop.gateway.get(&shop.anna, &path).await.status == 200 {
            shop.gateway.advance(60);
        }
    })
    .await;
    let answer = shop.gateway.get(&shop.anna, &path).await;
    let detail = "The result is no longer kept. Submit the request again if you still need it.";
    assert_eq!((answer.status, answer.problem()), (410, problem(410, "gone", "Gone", detail)));
    assert_eq!(shop.seen(&id, &["/status", "/result"]).await, json!(["succeeded", null]));
}

#[tokio::test]
async fn how_long_others_took_is_how_long_to_wait() {
    let shop = Workshop::open().await;
    let first = shop.submit().await;
    let wait = async |id: &str| shop.gateway.get(&shop.anna, &format!("/v1/requests/{id}")).await;
    assert_eq!(wait(&first).await.header("retry-after"), "", "nobody knows yet");
    shop.gateway.advance(4);
    let lease = shop.lease().await;
    shop.gateway.advance(16);
    assert_eq!(shop.say(&lease, "complete", json!({})).await.status, 200);
    assert_eq!(wait(&first).await.header("retry-after"), "");
    let second = shop.submit().await;
    for least in [16, 8] {
        // A fifth more or less, by chance, and rounded up.
        let told: u64 = wait(&second).await.header("retry-after").parse().unwrap();
        assert!((least..=least * 3 / 2).contains(&told), "{told}");
        shop.gateway.advance(10);
    }
}
