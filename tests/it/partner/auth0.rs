//! The prototype's other tokens: Auth0's, by a key from a file and with no scopes.

use serde_json::{Value, json};

use super::{FIXTURE, TOML, notebook, open_token};
use crate::gateway::{Gateway, NOON};
use crate::verify::keys::{OTHER_RSA, RSA, Signer};

/// As `config/partner.toml` says to do it: the tenant in the chain, its key beside the file.
fn with_auth0() -> Gateway {
    let toml = TOML.replacen("chain = [\"self\"]", "chain = [\"self\", \"auth0\"]", 1);
    assert_ne!(toml, TOML);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("auth0.pem"), RSA.public_pem()).unwrap();
    Gateway::in_folder(folder, &toml)
}

/// The claims of an Auth0 token for a machine.
fn claims(client: &str) -> Value {
    json!({
        "iss": "https://TENANT.auth0.com/", "sub": format!("{client}@clients"), "aud": "api-prototype", "iat": NOON.seconds(),
        "exp": NOON.seconds() + 86_400, "azp": client, "gty": "client-credentials",
    })
}

fn sign(signer: &Signer, claims: &Value) -> String {
    signer.sign(&json!({ "alg": "RS256", "typ": "JWT", "kid": "Hf3kLq0eXw9tZ" }), claims)
}

#[tokio::test]
async fn a_token_of_auth0s_serves_by_its_grants() {
    let gateway = with_auth0();
    let token = sign(&RSA, &claims("abc"));
    let caller = json!({
        "issuer": "https://TENANT.auth0.com/", "subject": "abc@clients", "client_id": "abc",
        "scopes": ["requests:read", "requests:write"], "permissions": [], "audience": ["api-prototype"], "email": null,
        "expires_at": "2026-11-23T06:12:03.000Z",
    });
    assert_eq!(gateway.get(&token, "/v1/whoami").await.json(), caller);
    let submitted = gateway.post(&token, "/request", &notebook()).await.json();
    let id = submitted["request_id"].as_str().unwrap();
    assert_ne!(id, FIXTURE);
    let whole = json!({
        "request": notebook(), "sub": "abc@clients", "request_id": id, "submitted_at": NOON.seconds(),
    });
    assert_eq!(submitted, whole);
    let status = json!({ "request_id": id, "status": "QUEUED", "submitted_at": NOON.seconds() });
    assert_eq!(gateway.get(&token, &format!("/request/{id}")).await.json(), status);
}

#[tokio::test]
async fn each_subject_sees_its_own() {
    let gateway = with_auth0();
    let mut same_subject = claims("abc");
    same_subject["sub"] = json!("who knows?");
    let tokens =
        [open_token(&gateway).await, sign(&RSA, &claims("abc")), sign(&RSA, &claims("xyz")), sign(&RSA, &same_subject)];
    let mut ids = Vec::new();
    for token in &tokens[..3] {
        ids.push(gateway.post(token, "/request", &notebook()).await.json()["request_id"].as_str().unwrap().to_owned());
    }
    for (reader, token) in tokens.iter().enumerate() {
        for (owner, id) in ids.iter().enumerate() {
            let answer = gateway.get(token, &format!("/request/{id}")).await;
            let expected = if reader == owner { 200 } else { 404 };
            assert_eq!(answer.status, expected, "{reader} reads what {owner} submitted");
            assert!(reader == owner || answer.text == "\"No such request_id\"", "{}", answer.text);
        }
    }
    // The subject of the one issuer is not that of the other, and the name of a request follows from the subject alone.
    gateway.advance(7);
    let again = gateway.post(&tokens[3], "/request", &notebook()).await.json();
    assert_eq!((&again["request_id"], &again["submitted_at"]), (&json!(FIXTURE), &json!(NOON.seconds() + 7)));
}

#[tokio::test]
async fn what_the_prototype_let_through_is_refused() {
    let gateway = with_auth0();
    let with = |name: &str, value: Value| {
        let mut claims = claims("abc");
        claims[name] = value;
        claims
    };
    let mut without_end = claims("abc");
    without_end.as_object_mut().unwrap().remove("exp");
    for (claims, code) in [
        (with("iss", json!("http://evil-auth0-lookalike/")), "issuer_unknown"),
        (with("iss", json!("https://TENANT.auth0.com")), "issuer_unknown"),
        (with("iss", json!("me")), "algorithm_not_allowed"),
        (with("aud", json!("another")), "audience_mismatch"),
        (with("exp", json!(NOON.seconds() - 3600)), "token_expired"),
        (with("sub", Value::Null), "claims_invalid"),
        (without_end, "claims_invalid"),
    ] {
        let answer = gateway.get(&sign(&RSA, &claims), "/v1/whoami").await;
        assert_eq!((answer.status, &answer.problem()["code"]), (401, &json!(code)), "{claims}");
    }
    let forged = gateway.get(&sign(&OTHER_RSA, &claims("abc")), "/v1/whoami").await;
    assert_eq!((forged.status, &forged.problem()["code"]), (401, &json!("signature_invalid")));
}
