//! `/oauth/token`: tokens by client credentials, and every way not to get one.

use anteroom::core::clock::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, NOON, client};

mod alone;
mod authorize;
mod clock;
mod code;
mod device;
mod device_page;
mod flow;
mod introspect;
mod keys;
mod killed;
mod metadata;
mod pages;
mod people;
mod refresh;
mod revoke;
mod settings;
mod together;

pub(crate) use flow::Browser;

const OFFERED: &str = "the grants that are offered are: client_credentials, authorization_code, refresh_token, \
                       urn:ietf:params:oauth:grant-type:device_code";
const FORM: &str = "application/x-www-form-urlencoded";
const SECRET: &str = "an-example-of-a-secret-of-a-client";

fn acme() -> Gateway {
    Gateway::configured(&client("acme", SECRET, &["requests:read", "requests:write"]))
}

fn ask(gateway: &Gateway) -> RequestBuilder {
    gateway.call(Method::POST, "/oauth/token")
}

/// A form that is sent to an endpoint of the authorization server.
fn form_call(gateway: &Gateway, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    gateway.call(Method::POST, path).header("content-type", FORM).body(body)
}

async fn ask_form(gateway: &Gateway, form: &str) -> Answer {
    Answer::to(ask(gateway).header("content-type", FORM).body(form.to_owned())).await
}

/// One asks as acme by HTTP Basic.
async fn ask_as(gateway: &Gateway, secret: &str, form: &str) -> Answer {
    let call = ask(gateway).basic_auth("acme", Some(secret)).header("content-type", FORM);
    Answer::to(call.body(form.to_owned())).await
}

/// The token in a good answer, which is checked whole.
fn token(answer: &Answer, scope: &str) -> String {
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{}", answer.text);
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let body = answer.json();
    let token = body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(body, json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": scope }));
    token
}

const ERRORS: &str = include_str!("../../docs/errors.md");

fn assert_refused(answer: &Answer, status: u16, error: &str, description: &str) {
    assert!(ERRORS.contains(&format!("| `{error}` |")), "docs/errors.md lacks {error}");
    let body = json!({ "error": error, "error_description": description });
    assert_eq!((answer.status, answer.json()), (status, body));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let challenge = if status == 401 { "Basic realm=\"anteroom\", charset=\"UTF-8\"" } else { "" };
    assert_eq!(answer.header("www-authenticate"), challenge);
}

fn assert_malformed(answer: &Answer, description: &str) {
    assert_refused(answer, 400, "invalid_request", description);
}

fn assert_unproven(answer: &Answer) {
    assert_refused(answer, 401, "invalid_client", "the client is not known or its secret is wrong");
}

fn assert_nothing_sent(answer: &Answer) {
    let description = "no client id and secret were sent: send them by HTTP Basic or in the body";
    assert_refused(answer, 401, "invalid_client", description);
}

const BOTH: &str = "requests:read requests:write";
const GRANT: &str = "grant_type=client_credentials";

#[tokio::test]
async fn the_credentials_come_by_basic_form_or_json() {
    let gateway = acme();
    let by_body = format!("{GRANT}&client_id=acme&client_secret={SECRET}");
    let json = json!({ "grant_type": "client_credentials", "client_id": "acme", "client_secret": SECRET });
    for answer in [
        ask_as(&gateway, SECRET, GRANT).await,
        ask_as(&gateway, SECRET, &format!("{GRANT}&client_id=acme")).await,
        ask_form(&gateway, &by_body).await,
        Answer::to(ask(&gateway).header("content-type", format!("{FORM}; charset=UTF-8")).body(by_body)).await,
        Answer::to(ask(&gateway).json(&json)).await,
    ] {
        let token = token(&answer, BOTH);
        assert_eq!(gateway.get(&token, "/v1/whoami").await.json()["subject"], "acme");
    }
}

#[tokio::test]
async fn the_token_says_exactly_this() {
    let gateway = acme();
    let decode = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let token = token(&ask_as(&gateway, SECRET, GRANT).await, BOTH);
        let [header, claims, _signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
        assert_eq!(decode(header), json!({ "typ": "at+jwt", "alg": "HS256" }));
        let claims = decode(claims);
        let id = claims["jti"].as_str().unwrap().to_owned();
        assert_eq!(URL_SAFE_NO_PAD.decode(&id).unwrap().len(), 16);
        let whole = json!({
            "iss": "http://localhost:8080", "aud": "anteroom", "sub": "acme", "client_id": "acme",
            "iat": NOON.seconds(), "exp": NOON.seconds() + 3600, "jti": id, "scope": BOTH,
        });
        assert_eq!(claims, whole);
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn several_audiences_are_an_array() {
    let issuer = "[issuer]\nurl = \"https://gw.example\"\naudience = [\"one\", \"two\"]\n";
    let gateway = Gateway::configured(&format!("{issuer}{}", client("acme", SECRET, &["admin"])));
    let token = token(&ask_as(&gateway, SECRET, GRANT).await, "admin");
    let caller = gateway.get(&token, "/v1/whoami").await.json();
    assert_eq!((&caller["audience"], &caller["issuer"]), (&json!(["one", "two"]), &json!("https://gw.example")));
}

#[tokio::test]
async fn a_scope_narrows_and_never_widens() {
    let gateway = acme();
    for (asked, granted) in [
        ("requests:read", "requests:read"),
        ("requests%3Awrite+requests%3Aread", BOTH),
        ("requests:write%20requests:write", "requests:write"),
        ("", BOTH),
    ] {
        token(&ask_as(&gateway, SECRET, &format!("{GRANT}&scope={asked}")).await, granted);
    }
    for (asked, beyond) in
        [("requests:read%20admin", "admin"), ("requests", "requests"), ("a%0Ab", "a\\nb"), ("Admin", "Admin")]
    {
        let answer = ask_as(&gateway, SECRET, &format!("{GRANT}&scope={asked}")).await;
        let description = format!("the scope {beyond} is not one of those that can be had here: {BOTH}");
        assert_refused(&answer, 400, "invalid_scope", &description);
    }
}

#[tokio::test]
async fn both_ways_at_once_are_refused() {
    let gateway = acme();
    let description = "send the credentials by HTTP Basic or in the body, not both";
    for more in
        [format!("client_id=acme&client_secret={SECRET}"), format!("client_secret={SECRET}"), "client_id=x".into()]
    {
        assert_malformed(&ask_as(&gateway, SECRET, &format!("{GRANT}&{more}")).await, description);
    }
    let halves = "client_id and client_secret must come together";
    // An id alone is that of a public client, and acme is none.
    assert_unproven(&ask_form(&gateway, &format!("{GRANT}&client_id=acme")).await);
    assert_malformed(&ask_form(&gateway, &format!("{GRANT}&client_secret={SECRET}")).await, halves);
}

#[tokio::test]
async fn a_header_that_is_not_basic_is_refused() {
    let gateway = acme();
    let not_basic = "the header Authorization is not HTTP Basic with an id and a secret";
    let good = format!("Basic {}", STANDARD.encode(format!("acme:{SECRET}")));
    for header in ["Bearer abc", "Basic", "Basic ?", "Basic YWNtZQ==", "Basic //8="] {
        let call = ask(&gateway).header("authorization", header).header("content-type", FORM).body(GRANT);
        assert_refused(&Answer::to(call).await, 401, "invalid_client", not_basic);
    }
    let twice = "the header Authorization came twice";
    let call = ask(&gateway).header("authorization", &good).header("authorization", &good);
    assert_malformed(&Answer::to(call.header("content-type", FORM).body(GRANT)).await, twice);
    let call = ask(&gateway).header("authorization", good.replace("Basic", "bASIC"));
    token(&Answer::to(call.header("content-type", FORM).body(GRANT)).await, BOTH);
}

#[tokio::test]
async fn basic_credentials_are_form_encoded() {
    let (id, secret) = ("https://a:b+c", "100% s&cret=+ with an ü in it");
    let gateway = Gateway::configured(&client(id, secret, &["requests:read"]));
    let encoded = "https%3A%2F%2Fa%3Ab%2Bc:100%25%20s%26cret%3D%2B%20with%20an%20%C3%BC%20in%20it";
    let plain_plus = "https%3A//a%3Ab+c:100% s&cret=+ with an ü in it";
    for credentials in [encoded, plain_plus] {
        let header = format!("Basic {}", STANDARD.encode(credentials));
        let call = ask(&gateway).header("authorization", header).header("content-type", FORM).body(GRANT);
        token(&Answer::to(call).await, "requests:read");
    }
}

#[tokio::test]
async fn the_grant_and_every_parameter_are_read_strictly() {
    let gateway = acme();
    let missing = "the parameter grant_type is missing";
    assert_malformed(&ask_as(&gateway, SECRET, "scope=requests:read").await, missing);
    assert_malformed(&Answer::to(ask(&gateway)).await, missing);
    let answer = ask_as(&gateway, SECRET, "grant_type=password").await;
    assert_refused(&answer, 400, "unsupported_grant_type", OFFERED);
    for form in [format!("{GRANT}&{GRANT}"), format!("{GRANT}&scope=requests:read&scope=admin")] {
        assert_malformed(&ask_as(&gateway, SECRET, &form).await, "a parameter is repeated");
    }
    let repeated = r#"{"grant_type":"client_credentials","grant_type":"client_credentials"}"#;
    let answer = Answer::to(ask(&gateway).header("content-type", "application/json").body(repeated)).await;
    assert_malformed(&answer, "a parameter is repeated");
    for body in [r#"{"grant_type":1}"#, "[]", "{", r#"{"grant_type":"client_credentials"} x"#, "\"text\""] {
        let answer = Answer::to(ask(&gateway).header("content-type", "application/json").body(body)).await;
        assert_malformed(&answer, "the body is not a JSON object of texts, or a member is repeated");
    }
    assert_nothing_sent(&ask_form(&gateway, GRANT).await);
}

/// RFC 6749 section 3.2.
#[tokio::test]
async fn a_parameter_without_a_value_counts_as_left_out() {
    let gateway = acme();
    let empty = "client_id=&client_secret=&scope=&code=";
    token(&ask_as(&gateway, SECRET, &format!("{GRANT}&{empty}")).await, BOTH);
    let json = json!({ "grant_type": "client_credentials", "client_id": "acme", "client_secret": SECRET, "scope": "" });
    token(&Answer::to(ask(&gateway).json(&json)).await, BOTH);
    assert_malformed(&ask_as(&gateway, SECRET, "grant_type=").await, "the parameter grant_type is missing");
    assert_nothing_sent(&ask_form(&gateway, &format!("{GRANT}&client_id=&client_secret=")).await);
    assert_unproven(&ask_form(&gateway, &format!("{GRANT}&client_id=acme&client_secret=")).await);
    for twice in ["scope=&scope=", "scope=requests:read&scope="] {
        assert_malformed(&ask_as(&gateway, SECRET, &format!("{GRANT}&{twice}")).await, "a parameter is repeated");
    }
}

/// A fault of the store's is told with when to try again, RFC 7009 section 2.2.1, wherever a client calls.
#[tokio::test]
async fn a_fault_of_the_store_says_when_to_try_again() {
    let store = "[store]\nurl = \"sqlite:anteroom.db\"\n";
    let gateway = Gateway::configured(&format!("{store}{}", client("acme", SECRET, &["requests:read"])));
    let token = gateway.token("acme", SECRET, None).await;
    gateway.break_records();
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/device"] {
        let form =
            [("grant_type", "client_credentials"), ("token", &*token), ("client_id", "added"), ("client_secret", "x")];
        let answer = Answer::to(form_call(&gateway, path, &form)).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{path}: {}", answer.text);
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    }
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_client_look_alike() {
    let gateway = acme();
    let wrong = ask_as(&gateway, "not-the-secret", GRANT).await;
    assert_unproven(&wrong);
    for (id, secret) in [("nobody", SECRET), ("ACME", SECRET), ("", SECRET), ("acme", "")] {
        let call = ask(&gateway).basic_auth(id, Some(secret)).header("content-type", FORM).body(GRANT);
        let answer = Answer::to(call).await;
        assert_eq!((answer.status, &answer.text), (401, &wrong.text), "{id}");
    }
    let in_query = format!("/oauth/token?{GRANT}&client_id=acme&client_secret={SECRET}");
    let call = gateway.call(Method::POST, &in_query).header("content-type", FORM).body(GRANT);
    assert_nothing_sent(&Answer::to(call).await);
}

#[tokio::test]
async fn wrong_secrets_are_slowed_down_and_the_right_one_never() {
    let gateway = acme();
    for _ in 0..10 {
        assert_unproven(&ask_as(&gateway, "wrong", GRANT).await);
    }
    let throttled = "too many attempts with wrong credentials";
    for (advance, wait) in [(0, "60"), (20, "40")] {
        gateway.advance(advance);
        let answer = ask_as(&gateway, "wrong", GRANT).await;
        assert_refused(&answer, 429, "temporarily_unavailable", throttled);
        assert_eq!(answer.header("retry-after"), wait);
        token(&ask_as(&gateway, SECRET, GRANT).await, BOTH);
    }
    gateway.advance(40);
    assert_unproven(&ask_as(&gateway, "wrong", GRANT).await);
}

/// D11: who tries many ids from one address is slowed down as well, and the rightful one at the same address is not.
#[tokio::test]
async fn wrong_secrets_are_counted_by_address_as_well() {
    let gateway = acme();
    let guess = async |number: usize| {
        let call = ask(&gateway).basic_auth(format!("guess-{number}"), Some("wrong")).header("content-type", FORM);
        Answer::to(call.body(GRANT)).await
    };
    for number in 0..10 {
        assert_unproven(&guess(number).await);
    }
    let answer = guess(10).await;
    assert_refused(&answer, 429, "temporarily_unavailable", "too many attempts with wrong credentials");
    assert_eq!(answer.header("retry-after"), "60");
    token(&ask_as(&gateway, SECRET, GRANT).await, BOTH);
    // Wherever a client proves who it is.
    for path in ["/oauth/introspect", "/oauth/revoke", "/oauth/device"] {
        let call = form_call(&gateway, path, &[("token", "x")]).basic_auth("guess", Some("wrong"));
        assert_eq!(Answer::to(call).await.status, 429, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_read_is_told_in_the_form_of_oauth() {
    let gateway = Gateway::configured(&format!("server.max_body_bytes = 200\n{}", client("acme", SECRET, &["admin"])));
    let media_type = "The body is neither a form nor JSON, or it is compressed. \
                      Send it as `application/x-www-form-urlencoded` or `application/json`, not compressed.";
    for content_type in ["text/plain", "multipart/form-data; boundary=x", "application/jsonp"] {
        let answer = Answer::to(ask(&gateway).header("content-type", content_type).body(GRANT)).await;
        assert_refused(&answer, 415, "invalid_request", media_type);
    }
    let compressed = ask(&gateway).header("content-type", FORM).header("content-encoding", "gzip").body(GRANT);
    assert_refused(&Answer::to(compressed).await, 415, "invalid_request", media_type);
    let answer = ask_as(&gateway, SECRET, &format!("{GRANT}&scope={}", "x".repeat(200))).await;
    let too_large = "The body is larger than the gateway reads. Send less, or have server.max_body_bytes raised.";
    assert_refused(&answer, 413, "invalid_request", too_large);
}

#[tokio::test]
async fn a_token_dies_at_the_second_it_names() {
    let gateway = Gateway::configured("issuer.lifetime = \"2s\"");
    let call = ask(&gateway).basic_auth("demo", Some(gateway.demo_secret()));
    let answer = Answer::to(call.header("content-type", FORM).body(GRANT)).await.json();
    assert_eq!(answer["expires_in"], 2);
    let token = answer["access_token"].as_str().unwrap();
    let dies = (NOON.seconds() + 2) * 1000;
    gateway.clock.set(Timestamp::from_millis(dies - 1));
    assert_eq!(gateway.get(token, "/v1/whoami").await.status, 200);
    gateway.clock.set(Timestamp::from_millis(dies));
    let refused = gateway.get(token, "/v1/whoami").await;
    assert_eq!((refused.status, &refused.json()["code"]), (401, &json!("token_expired")));
}
