//! `POST /request` and `GET /request/{request_id}`, answered as the prototype did.

use reqwest::Method;
use serde_json::{Value, json};

use super::{FIXTURE, notebook, open_token, partner};
use crate::gateway::{Answer, Gateway, NOON, client};

async fn submit(gateway: &Gateway, token: &str, body: &Value) -> Value {
    let answer = gateway.post(token, "//request", body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_submission_answers_four_keys() {
    let gateway = partner();
    let token = open_token(&gateway).await;
    let whole = json!({
        "request": notebook(), "sub": "who knows?", "request_id": FIXTURE, "submitted_at": NOON.seconds(),
    });
    assert_eq!(submit(&gateway, &token, &notebook()).await, whole);
    assert_eq!(gateway.post(&token, "/request", &notebook()).await.json(), whole);
}

#[tokio::test]
async fn the_stages_come_at_the_prototypes_seconds() {
    let gateway = partner();
    let token = open_token(&gateway).await;
    submit(&gateway, &token, &notebook()).await;
    let path = format!("/request/{FIXTURE}");
    for (second, status) in [
        (0, "QUEUED"),
        (58, "QUEUED"),
        (60, "RUNNING"),
        (62, "RUNNING"),
        (118, "RUNNING"),
        (120, "FAILED"),
        (122, "FAILED"),
        (178, "FAILED"),
    ] {
        gateway.clock.set(NOON.plus_millis(second * 1000));
        let answer = gateway.get(&token, &path).await;
        let whole = json!({ "request_id": FIXTURE, "status": status, "submitted_at": NOON.seconds() });
        assert_eq!((answer.status, answer.json()), (200, whole), "{second}");
    }
    let ready = json!({
        "request_id": FIXTURE, "status": "READY", "submitted_at": NOON.seconds(), "finished_at": NOON.seconds() + 180,
        "report_json_uri": format!("https://s3.blah/{FIXTURE}/report.json"),
        "report_pdf_uri": format!("https://s3.blah/{FIXTURE}/report.pdf"),
    });
    for second in [180, 183, 1_000_000] {
        // The token lives for seven days, and the request for longer.
        gateway.clock.set(NOON.plus_millis(second * 1000));
        let token = open_token(&gateway).await;
        assert_eq!(gateway.get(&token, &path).await.json(), ready, "{second}");
        assert_eq!(gateway.get(&token, &format!("/{path}")).await.json(), ready, "{second}");
    }
}

#[tokio::test]
async fn the_same_body_is_the_same_request_and_starts_nothing_anew() {
    let gateway = partner();
    let token = open_token(&gateway).await;
    let first = submit(&gateway, &token, &notebook()).await;
    gateway.advance(100);
    let in_other_order = r#"{"product_id":"PR-012345.1","patient_info":{"last_name":"string","middle_name":"string","first_name":"string",
        "dob":"2022-01-10","biological_sex":"MALE"},"fastq_files":["s3://somebucket/path/to/sample_R1.fastq.gz","s3://somebucket/path/to/sample_R2.fastq.gz"]}"#;
    let call = gateway.call(Method::POST, "/request").bearer_auth(&token).header("content-type", "application/json");
    assert_eq!(Answer::to(call.body(in_other_order)).await.json(), first);
    assert_eq!(submit(&gateway, &token, &notebook()).await, first);
    assert_eq!(gateway.get(&token, &format!("/request/{FIXTURE}")).await.json()["status"], "RUNNING");
    let mut other = notebook();
    other["fastq_files"].as_array_mut().unwrap().swap(0, 1);
    assert_ne!(submit(&gateway, &token, &other).await["request_id"], FIXTURE);
    assert_eq!(gateway.get(&token, "/v1/requests").await.json()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_least_body_is_enough() {
    let gateway = partner();
    let token = open_token(&gateway).await;
    for body in [
        json!({ "fastq_files": [], "patient_info": {} }),
        json!({ "fastq_files": ["ä😀"], "patient_info": { "first_name": "", "biological_sex": "OTHER" } }),
    ] {
        let answer = submit(&gateway, &token, &body).await;
        let (id, status) = (answer["request_id"].as_str().unwrap(), json!("QUEUED"));
        let whole = json!({ "request": body, "sub": "who knows?", "request_id": id, "submitted_at": NOON.seconds() });
        assert!(id.len() == 35 && id.starts_with("QR-"), "{id}");
        assert_eq!(answer, whole);
        assert_eq!(gateway.get(&token, &format!("/request/{id}")).await.json()["status"], status);
    }
}

#[tokio::test]
async fn a_request_is_seen_at_both_doors() {
    let gateway = partner();
    let token = open_token(&gateway).await;
    submit(&gateway, &token, &notebook()).await;
    gateway.advance(120);
    let items = gateway.get(&token, "/v1/requests").await.json()["items"].clone();
    let [ours] = &items.as_array().unwrap()[..] else { panic!("{items}") };
    assert_eq!(
        (&ours["type"], &ours["status"], &ours["stage"]),
        (&json!("partner"), &json!("retrying"), &json!("FAILED"))
    );
    let path = format!("/v1/requests/{}/cancel", ours["request_id"].as_str().unwrap());
    assert_eq!(Answer::to(gateway.call(Method::POST, &path).bearer_auth(&token)).await.status, 200);
    gateway.advance(1000);
    let whole = json!({ "request_id": FIXTURE, "status": "CANCELLED", "submitted_at": NOON.seconds() });
    assert_eq!(gateway.get(&token, &format!("/request/{FIXTURE}")).await.json(), whole);
    // A submission at our own door has no name at the prototype's.
    let ours = gateway.post(&token, "/v1/requests", &json!({ "type": "partner", "payload": notebook() })).await.json();
    assert_eq!(ours["status"], "queued");
    let path = format!("/request/{}", ours["request_id"].as_str().unwrap());
    assert_eq!(gateway.get(&token, &path).await.status, 404);
}

#[tokio::test]
async fn requests_outlive_the_process() {
    let gateway = partner();
    let token = open_token(&gateway).await;
    submit(&gateway, &token, &notebook()).await;
    let gateway = Gateway::in_folder(gateway.stop(), super::TOML);
    gateway.advance(62);
    assert_eq!(gateway.get(&token, &format!("/request/{FIXTURE}")).await.json()["status"], "RUNNING");
    assert_eq!(submit(&gateway, &token, &notebook()).await["submitted_at"], NOON.seconds());
}

#[tokio::test]
async fn the_door_opens_by_the_scope_of_its_type_alone() {
    let toml = super::TOML.replacen("[types.partner]\n", "[types.partner]\nscope = \"sequencing\"\n", 1);
    let secret = "an-example-of-a-secret";
    let acme = client("acme", secret, &["requests:read", "requests:write", "sequencing"]);
    let gateway = Gateway::configured(&format!("{toml}\n{acme}"));
    let narrow = gateway.token("acme", secret, Some("sequencing")).await;
    let usual = gateway.token("acme", secret, Some("requests:read requests:write")).await;
    let id = submit(&gateway, &narrow, &notebook()).await["request_id"].as_str().unwrap().to_owned();
    let path = format!("/request/{id}");
    assert_eq!(gateway.get(&narrow, &path).await.json()["status"], "QUEUED");
    for refused in [gateway.get(&usual, &path).await, gateway.post(&usual, "/request", &notebook()).await] {
        let challenge = "error=\"insufficient_scope\", scope=\"sequencing\"";
        assert_eq!((refused.status, refused.header("www-authenticate").contains(challenge)), (403, true));
    }
}
