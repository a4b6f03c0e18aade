//! `/healthz` and `/readyz`, bare and detailed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway};
use crate::idp::{Idp, RSA_ALGORITHMS, readiness_when};
use crate::patience::patiently;
use crate::verify::keys::RSA;

const PRODUCTION: &str = "shutdown.delay = \"0s\"\nserver.mode = \"production\"\n";

async fn bare(gateway: &Gateway, method: Method, path: &str) -> (u16, String) {
    let answer = Answer::to(gateway.call(method, path)).await;
    (answer.status, answer.text)
}

#[tokio::test]
async fn a_started_gateway_is_alive_and_ready() {
    let gateway = Gateway::configured(&format!("{PRODUCTION}store.url = \"memory:\"\n"));
    for path in ["/healthz", "/readyz"] {
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(bare(&gateway, method, path).await, (200, String::new()), "{path}");
        }
    }
    let issuer = json!({ "name": "self", "issuer": "http://localhost:8080", "ready": true, "keys": null, "introspection": null });
    let store = json!({
        "ready": true, "kind": "memory", "durability": "none: forgotten when the process ends", "full": false,
    });
    let whole = json!({ "ready": true, "stopping": false, "store": store, "issuers": [issuer], "problems": [] });
    let detailed = gateway.operate("/readyz").await;
    assert_eq!((detailed.status, detailed.json()), (200, whole));
    assert_eq!(gateway.operate("/healthz").await.status, 200);
}

/// What the detailed readiness says of the keys of the issuer `idp`, but for when they are fetched next.
fn keys(readiness: &Value) -> Value {
    let mut keys = readiness["issuers"][0]["keys"].clone();
    let next = keys.as_object_mut().unwrap().remove("next_refresh_seconds").unwrap();
    assert!(next.as_u64().is_some_and(|seconds| seconds <= 600), "{next}");
    keys
}

#[tokio::test]
async fn a_provider_that_is_down_is_named_and_takes_nothing_else_away() {
    let idp = Idp::publishing(&[]).await;
    idp.fail(500);
    let gateway = Gateway::configured(&format!("{PRODUCTION}{}", idp.toml("")));
    let readiness = readiness_when(&gateway, |keys| keys["consecutive_failures"] == 1).await;
    let issuer = idp.issuer();
    let problem = format!("idp: there are no keys of {issuer} yet (http): its tokens are answered 503.");
    assert_eq!((&readiness["ready"], &readiness["problems"]), (&json!(true), &json!([problem])));
    let part = &readiness["issuers"][0];
    assert_eq!((&part["name"], &part["issuer"], &part["ready"]), (&json!("idp"), &json!(issuer), &json!(false)));
    let none = json!({
        "state": "empty", "age_seconds": null, "consecutive_failures": 1, "last_error": "http", "keys": [],
    });
    assert_eq!(keys(&readiness), none);
    assert_eq!(bare(&gateway, Method::GET, "/readyz").await, (200, String::new()));
    let answer = gateway.get(&idp.token(&RSA), "/v1/whoami").await;
    assert_eq!((answer.status, &answer.problem()["code"]), (503, &json!("verifier_unavailable")));

    idp.publish(&[&RSA]);
    gateway.advance(60);
    let readiness = readiness_when(&gateway, |keys| keys["state"] == "fresh").await;
    let key = json!({ "id": "rsa-1", "algorithms": RSA_ALGORITHMS, "first_seen": "2026-11-22T06:13:03.482Z" });
    let one = json!({
        "state": "fresh", "age_seconds": 0, "consecutive_failures": 0, "last_error": null, "keys": [key],
    });
    assert_eq!((&readiness["problems"], keys(&readiness)), (&json!([]), one));
    assert_eq!(readiness["issuers"][0]["ready"], true);
    assert_eq!(gateway.get(&idp.token(&RSA), "/v1/whoami").await.status, 200);
}

#[tokio::test]
async fn a_provider_that_is_required_takes_readiness_away_until_it_is_there() {
    let idp = Idp::publishing(&[]).await;
    let gateway = Gateway::configured(&format!("{PRODUCTION}{}", idp.toml("startup = \"require\"")));
    let readiness = readiness_when(&gateway, |keys| keys["consecutive_failures"] == 1).await;
    assert_eq!((&readiness["ready"], &readiness["issuers"][0]["ready"]), (&json!(false), &json!(false)));
    assert_eq!(gateway.operate("/readyz").await.status, 503);
    assert_eq!(bare(&gateway, Method::GET, "/readyz").await, (503, String::new()));
    assert_eq!(bare(&gateway, Method::GET, "/healthz").await, (200, String::new()));
    idp.publish(&[&RSA]);
    gateway.advance(60);
    readiness_when(&gateway, |keys| keys["state"] == "fresh").await;
    assert_eq!(bare(&gateway, Method::GET, "/readyz").await, (200, String::new()));
}

#[tokio::test]
async fn a_gateway_that_stops_says_so_to_operators_too() {
    let mut gateway = Gateway::configured("server.mode = \"production\"\nshutdown.delay = \"5s\"\n");
    gateway.begin_to_stop();
    // The order to stop reaches the gateway in its own time.
    patiently(async { while gateway.operate("/readyz").await.status != 503 {} }).await;
    let readiness = gateway.operate("/readyz").await.json();
    assert_eq!((&readiness["ready"], &readiness["stopping"]), (&json!(false), &json!(true)));
    assert_eq!(readiness["problems"], json!(["The gateway is shutting down."]));
    gateway.advance(5);
    let admin = gateway.admin.unwrap();
    gateway.stop();
    assert!(std::net::TcpStream::connect(admin).is_err(), "nobody listens for operators any more");
}
