//! Who a client says it is, RFC 6749 section 2.3.1: rows D6 to D8 of the security requirements, for configured and added clients.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;

use crate::gateway::{Answer, Gateway, client};

const SECRET: &str = "an-example-of-a-secret";
const FORM: &str = "application/x-www-form-urlencoded";
const GRANT: &str = "grant_type=client_credentials";
/// An id that has to be escaped wherever it is sent.
const ID: &str = "https://a:b+c d&e=%";

async fn by_form(gateway: &Gateway, form: &str) -> Answer {
    Answer::to(gateway.call(Method::POST, "/oauth/token").header("content-type", FORM).body(form.to_owned())).await
}

async fn by_basic(gateway: &Gateway, credentials: &str, form: &str) -> Answer {
    let header = format!("Basic {}", STANDARD.encode(credentials));
    let call = gateway.call(Method::POST, "/oauth/token").header("authorization", header);
    Answer::to(call.header("content-type", FORM).body(form.to_owned())).await
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A gateway with the client acme configured, and one added under an id that has to be escaped; and the secret of that one.
async fn both() -> (Gateway, String) {
    let toml = client("root", SECRET, &["admin"]) + &client("acme", SECRET, &["requests:read"]);
    let gateway = Gateway::configured(&toml);
    let token = gateway.token("root", SECRET, None).await;
    let added =
        gateway.post(&token, "/v1/admin/clients", &json!({ "client_id": ID, "scopes": ["requests:read"] })).await;
    let secret = added.json()["client_secret"].as_str().unwrap().to_owned();
    let app = json!({ "client_id": "app", "public": true, "grants": ["device_code"] });
    assert_eq!(gateway.post(&token, "/v1/admin/clients", &app).await.status, 201);
    (gateway, secret)
}

#[tokio::test]
async fn credentials_come_encoded_by_basic_or_in_the_body() {
    let (gateway, added) = both().await;
    for (id, secret) in [("acme", SECRET), (ID, added.as_str())] {
        let (in_form, in_basic) =
            (format!("{GRANT}&client_id={}&client_secret={secret}", encoded(id)), format!("{}:{secret}", encoded(id)));
        let json = json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret });
        for answer in [
            by_form(&gateway, &in_form).await,
            by_basic(&gateway, &in_basic, GRANT).await,
            by_basic(&gateway, &in_basic, &format!("{GRANT}&client_id={}", encoded(id))).await,
            Answer::to(gateway.call(Method::POST, "/oauth/token").json(&json)).await,
        ] {
            assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{id}: {}", answer.text);
            assert_eq!(answer.json()["scope"], "requests:read");
        }
    }
}

#[tokio::test]
async fn whatever_is_wrong_is_answered_alike() {
    let (gateway, added) = both().await;
    let unknown = by_basic(&gateway, "nobody:nothing", GRANT).await;
    let said =
        json!({ "error": "invalid_client", "error_description": "the client is not known or its secret is wrong" });
    assert_eq!((unknown.status, unknown.json()), (401, said));
    assert_eq!((unknown.header("cache-control"), unknown.header("pragma")), ("no-store", "no-cache"));
    for credentials in [
        "acme:nothing".to_owned(),
        format!("{}:nothing", encoded(ID)),
        format!("acme:{added}"),
        format!("{}:{SECRET}", encoded(ID)),
        // A public client has no secret, not even an empty one.
        "app:".into(),
        format!("app:{SECRET}"),
        "acme:".into(),
    ] {
        let answer = by_basic(&gateway, &credentials, GRANT).await;
        assert_eq!((answer.status, &answer.text), (401, &unknown.text), "{credentials}");
    }
    // Who has a secret has to show it. Ten wrong attempts from one address are answered like this.
    for id in ["acme", &encoded(ID)] {
        let answer = by_form(&gateway, &format!("{GRANT}&client_id={id}")).await;
        assert_eq!((answer.status, &answer.text), (401, &unknown.text), "{id}");
    }
}

#[tokio::test]
async fn what_comes_twice_is_not_chosen_from() {
    let (gateway, _) = both().await;
    let good = format!("{GRANT}&client_id=acme&client_secret={SECRET}");
    assert_eq!(by_form(&gateway, &good).await.status, 200);
    for more in ["client_id=acme", "client_id=app", "client_secret=x", "scope=&scope=", GRANT] {
        let answer = by_form(&gateway, &format!("{good}&{more}")).await;
        let said = json!({ "error": "invalid_request", "error_description": "a parameter is repeated" });
        assert_eq!((answer.status, answer.json(), answer.header("cache-control")), (400, said, "no-store"), "{more}");
    }
    for more in ["client_secret=x", "client_id=app", &format!("client_id=acme&client_secret={SECRET}")] {
        let answer = by_basic(&gateway, &format!("acme:{SECRET}"), &format!("{GRANT}&{more}")).await;
        let description = "send the credentials by HTTP Basic or in the body, not both";
        let said = json!({ "error": "invalid_request", "error_description": description });
        assert_eq!((answer.status, answer.json()), (400, said), "{more}");
    }
}

#[tokio::test]
async fn an_added_client_gets_its_grants_and_scopes_alone() {
    let (gateway, added) = both().await;
    let credentials = format!("{}:{added}", encoded(ID));
    let answer = by_basic(&gateway, &credentials, &format!("{GRANT}&scope=requests:write")).await;
    let said = json!({
        "error": "invalid_scope", "error_description": "the scope requests:write is not one of those that can be had here: requests:read",
    });
    assert_eq!((answer.status, answer.json(), answer.header("cache-control")), (400, said, "no-store"));
    let answer = by_form(&gateway, &format!("{GRANT}&client_id=app")).await;
    let description = "this client may not use this grant: its `grants` do not name it";
    let said = json!({ "error": "unauthorized_client", "error_description": description });
    assert_eq!((answer.status, answer.json()), (400, said));
}
