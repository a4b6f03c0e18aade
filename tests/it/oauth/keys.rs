//! Signing keys with ES256: published, kept over a restart, rotated without one, and none of their private parts ever told.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::Method;
use serde_json::{Value, json};

use super::SECRET;
use crate::gateway::{Answer, Gateway, NOON, client};
use crate::patience::patiently;

const PATH: &str = "/.well-known/jwks.json";
const ADMIN: &str = "/v1/admin/keys";

fn toml() -> String {
    format!("issuer.algorithm = \"ES256\"\n{}", client("acme", SECRET, &["requests:read", "admin"]))
}

async fn keys(gateway: &Gateway) -> Answer {
    Answer::to(gateway.call(Method::GET, PATH)).await
}

fn kid(token: &str) -> String {
    decode_header(token).unwrap().kid.unwrap()
}

fn kids(keys: &Answer) -> Vec<String> {
    keys.json()["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// D9: whoever has the published keys can check a token, with a library that is not ours.
#[tokio::test]
async fn a_token_is_checked_with_the_published_key() {
    let gateway = Gateway::configured(&toml());
    let token = gateway.token("acme", SECRET, Some("requests:read")).await;
    let published = keys(&gateway).await;
    assert_eq!((published.status, published.header("content-type")), (200, "application/json"));
    assert_eq!(published.header("cache-control"), "public, max-age=300");
    let key = &published.json()["keys"][0];
    let whole = json!({
        "kty": "EC", "crv": "P-256", "x": key["x"], "y": key["y"], "use": "sig", "alg": "ES256", "kid": kid(&token),
    });
    assert_eq!(published.json(), json!({ "keys": [whole] }));
    let set: JwkSet = serde_json::from_str(&published.text).unwrap();
    let key = DecodingKey::from_jwk(set.find(&kid(&token)).unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::ES256);
    rules.set_audience(&["anteroom"]);
    rules.set_issuer(&["http://localhost:8080"]);
    rules.validate_exp = false;
    let read = decode::<Value>(&token, &key, &rules).unwrap();
    assert_eq!((read.header.typ.as_deref(), read.header.alg), (Some("at+jwt"), Algorithm::ES256));
    let whole = json!({
        "iss": "http://localhost:8080", "aud": "anteroom", "sub": "acme", "client_id": "acme", "iat": NOON.seconds(),
        "exp": NOON.seconds() + 3600, "jti": read.claims["jti"], "scope": "requests:read",
    });
    assert_eq!(read.claims, whole);
    assert_eq!(gateway.get(&token, "/v1/whoami").await.status, 200);
}

#[tokio::test]
async fn the_keys_are_told_once_to_who_knows_them() {
    let gateway = Gateway::configured(&toml());
    let etag = keys(&gateway).await.header("etag").to_owned();
    let again = Answer::to(gateway.call(Method::GET, PATH).header("if-none-match", &etag)).await;
    assert_eq!((again.status, &*again.text, again.header("etag")), (304, "", &*etag));
    assert_eq!(again.header("cache-control"), "public, max-age=300");
}

#[tokio::test]
async fn with_a_secret_there_is_no_key_and_no_rotation() {
    let gateway = Gateway::configured(&client("acme", SECRET, &["admin"]));
    assert_eq!(keys(&gateway).await.json(), json!({ "keys": [] }));
    let token = gateway.token("acme", SECRET, None).await;
    assert_eq!(gateway.get(&token, ADMIN).await.json(), json!({ "items": [], "next_cursor": null }));
    let refused = gateway.post(&token, ADMIN, &json!({})).await;
    assert_eq!((refused.status, &refused.problem()["code"]), (409, &json!("keys_not_rotated")));
    assert!(refused.text.contains("issuer.secrets"), "{}", refused.text);
}

/// The algorithm is the configuration's: a token that names another is refused, whatever it is signed with.
#[tokio::test]
async fn the_published_key_is_no_secret_to_sign_with() {
    let gateway = Gateway::configured(&toml());
    let token = gateway.token("acme", SECRET, None).await;
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(&token).unwrap().claims;
    let header = jsonwebtoken::Header { typ: Some("at+jwt".into()), ..jsonwebtoken::Header::new(Algorithm::HS256) };
    let published = keys(&gateway).await.text;
    let forged =
        jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret(published.as_bytes())).unwrap();
    let refused = gateway.get(&forged, "/v1/whoami").await;
    assert_eq!((refused.status, &refused.problem()["code"]), (401, &json!("algorithm_not_allowed")));
}

/// D14: nobody's token dies of a rotation, and everybody can know the new key before it signs.
#[tokio::test]
async fn a_rotation_invalidates_no_token() {
    let gateway = Gateway::configured(&toml());
    let old = gateway.token("acme", SECRET, None).await;
    let etag = keys(&gateway).await.header("etag").to_owned();
    let rotated = gateway.post(&old, ADMIN, &json!({})).await;
    let signs_from = NOON.plus_millis(310_000);
    let published = keys(&gateway).await;
    let [first, second] = &kids(&published)[..] else { panic!("{}", published.text) };
    let whole = json!({ "items": [
        { "kid": first, "created_at": NOON, "signs_from": NOON, "retires_at": signs_from.plus_millis(3_600_000) },
        { "kid": second, "created_at": NOON, "signs_from": signs_from, "retires_at": null },
    ], "next_cursor": null });
    assert_eq!((rotated.status, rotated.json()), (200, whole.clone()));
    assert_eq!(gateway.get(&old, ADMIN).await.json(), whole);
    assert!(!rotated.text.contains("secret") && !published.text.contains("\"d\""));
    assert_ne!(published.header("etag"), etag);
    let again = gateway.post(&old, ADMIN, &json!({})).await;
    assert_eq!((again.status, &again.problem()["code"]), (409, &json!("keys_not_rotated")));
    gateway.advance(309);
    assert_eq!(kid(&gateway.token("acme", SECRET, None).await), *first);
    let last = gateway.token("acme", SECRET, None).await;
    gateway.advance(1);
    let new = gateway.token("acme", SECRET, None).await;
    assert_eq!(kid(&new), *second);
    for token in [&old, &last, &new] {
        assert_eq!(gateway.get(token, "/v1/whoami").await.status, 200);
    }
    gateway.advance(3599);
    assert_eq!(gateway.get(&last, "/v1/whoami").await.status, 401);
    assert_eq!(kids(&keys(&gateway).await).len(), 2);
    let retired = async {
        while kids(&keys(&gateway).await) != [second.clone()] {
            // More than once: what looks after the keys may be at work just when the clock moves, and looks again 5 s later.
            gateway.advance(6);
            tokio::task::yield_now().await;
        }
    };
    patiently(retired).await;
}

#[tokio::test]
async fn a_restart_keeps_the_keys() {
    let gateway = Gateway::configured(&toml());
    let token = gateway.token("acme", SECRET, None).await;
    let published = keys(&gateway).await.text;
    let gateway = Gateway::in_folder(gateway.stop(), &toml());
    assert_eq!(keys(&gateway).await.text, published);
    assert_eq!(gateway.get(&token, "/v1/whoami").await.status, 200);
}

/// D14: however long the tokens of a client, configured or added, or those of people live: the old key is believed until then.
#[tokio::test]
async fn an_old_key_is_kept_for_the_longest_life_of_a_token() {
    const DAY: i64 = 24 * 3600 * 1000;
    let lines = "issuer.algorithm = \"ES256\"\n[accounts]\nregistration = \"open\"\nlifetime = \"3 days\"\n";
    let slow = client("slow", SECRET, &["requests:read"]) + "lifetime = \"2 days\"\n";
    for (lines, added, days) in [("", None, 2), ("", Some("4 days"), 4), (lines, None, 3)] {
        let toml = if lines.is_empty() { toml() } else { format!("{lines}{}", client("acme", SECRET, &["admin"])) };
        let gateway = Gateway::configured(&format!("{toml}{slow}"));
        let operator = gateway.token("acme", SECRET, None).await;
        if let Some(lifetime) = added {
            let body = json!({ "client_id": "slower", "lifetime": lifetime });
            assert_eq!(gateway.post(&operator, "/v1/admin/clients", &body).await.status, 201);
        }
        let rotated = gateway.post(&operator, ADMIN, &json!({})).await.json();
        let until = NOON.plus_millis(310_000 + days * DAY);
        assert_eq!(rotated["items"][0]["retires_at"], json!(until), "{days} days");
    }
}
