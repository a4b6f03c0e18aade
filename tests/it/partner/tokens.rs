//! The prototype's door to tokens, open as it was.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{open_token, partner};
use crate::gateway::{Answer, NOON};

#[tokio::test]
async fn each_way_to_write_the_path_answers_one_key() {
    let gateway = partner();
    for path in ["/auth", "/auth/", "//auth", "//auth/"] {
        let answer = Answer::to(gateway.call(Method::GET, path)).await;
        let token = answer.json()["access_token"].clone();
        assert_eq!((answer.status, answer.json()), (200, json!({ "access_token": token })), "{path}");
    }
}

#[tokio::test]
async fn the_token_says_what_the_prototypes_did_and_what_is_needed_here() {
    let gateway = partner();
    let token = open_token(&gateway).await;
    let [header, claims, _signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let decode = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    assert_eq!(decode(header), json!({ "typ": "at+jwt", "alg": "HS256" }));
    let claims = decode(claims);
    let whole = json!({
        "iss": "me", "aud": "api-prototype", "sub": "who knows?", "iat": NOON.seconds(), "exp": NOON.seconds() + 604_800,
        "jti": claims["jti"], "scope": "requests:read requests:write",
    });
    assert_eq!(claims, whole);
    let caller = gateway.get(&token, "/v1/whoami").await.json();
    assert_eq!((&caller["subject"], &caller["client_id"]), (&json!("who knows?"), &Value::Null));
}

#[tokio::test]
async fn post_answers_in_the_words_of_oauth() {
    let gateway = partner();
    for path in ["/auth", "/oauth/token"] {
        let call = gateway.call(Method::POST, path).json(&json!({ "grant_type": "client_credentials" }));
        let answer = Answer::to(call).await;
        let whole = json!({
            "access_token": answer.json()["access_token"], "token_type": "Bearer", "expires_in": 604_800,
            "scope": "requests:read requests:write",
        });
        assert_eq!((answer.status, answer.json()), (200, whole));
    }
}

#[tokio::test]
async fn credentials_that_are_sent_are_judged() {
    let gateway = partner();
    let answer =
        Answer::to(gateway.call(Method::GET, "/auth/").basic_auth("Knuffle Bunny", Some("Aggle Flaggle"))).await;
    assert_eq!((answer.status, &answer.json()["error"]), (401, &json!("invalid_client")));
}

#[tokio::test]
async fn the_door_stays_shut_in_production() {
    let toml = super::TOML.replace("[server]", "[server]\nmode = \"production\"");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("anteroom.toml");
    std::fs::write(&file, toml).unwrap();
    let flags = anteroom::settings::Flags { config: Some(file), ..Default::default() };
    let refused = anteroom::settings::Settings::load(&flags, std::iter::empty()).expect_err("a refusal");
    let keys: Vec<_> = refused.mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["issuer.open"]);
}
