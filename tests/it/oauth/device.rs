//! The device grant, RFC 8628: `/oauth/device`, and the token endpoint while the person has not decided.

use reqwest::Method;
use serde_json::{Value, json};

use super::{FORM, SECRET, assert_malformed, assert_refused, assert_unproven};
use crate::gateway::{Answer, Gateway, client};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub(super) const PENDING: &str = "the person has not confirmed it yet: ask again after the interval";
const TOO_EARLY: &str =
    "the person has not confirmed it yet, and this was too early: wait for 5 seconds more from now on";
const UNKNOWN: &str = "the device code is not known, or it was used before";

/// A gateway with a public client for devices, a second one, and a client with a secret.
pub(super) fn configuration() -> String {
    let acme = client("acme", SECRET, &["requests:read", "requests:write"]);
    let device = "public = true\ngrants = [\"device_code\"]\nscopes = [\"requests:read\", \"requests:write\"]\n";
    format!(
        "{acme}[clients.tv]\nname = \"The <b>TV</b>\"\n{device}[clients.radio]\n{device}\
         [clients.app]\npublic = true\nredirect_uris = [\"https://app.example/\"]\n"
    )
}

fn gateway() -> Gateway {
    Gateway::configured(&configuration())
}

async fn post(gateway: &Gateway, path: &str, form: &str) -> Answer {
    Answer::to(gateway.call(Method::POST, path).header("content-type", FORM).body(form.to_owned())).await
}

/// Begins, as the client `tv`; the device code and the user code.
pub(super) async fn begin(gateway: &Gateway) -> (String, String) {
    let answer = post(gateway, "/oauth/device", "client_id=tv").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
    (text("device_code"), text("user_code"))
}

pub(super) async fn poll(gateway: &Gateway, client_id: &str, device_code: &str) -> Answer {
    let form = [("grant_type", GRANT), ("client_id", client_id), ("device_code", device_code)];
    let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    post(gateway, "/oauth/token", &body).await
}

#[tokio::test]
async fn a_device_gets_a_code_for_itself_and_one_to_show() {
    let gateway = gateway();
    let answer = post(&gateway, "/oauth/device", "client_id=tv&scope=requests:read").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text);
    let body = answer.json();
    let (device_code, user_code) = (body["device_code"].as_str().unwrap(), body["user_code"].as_str().unwrap());
    assert_eq!(device_code.len(), 43, "256 bits as base64url");
    let (first, second) = user_code.split_once('-').unwrap();
    let letters = |part: &str| part.len() == 4 && part.chars().all(|c| "BCDFGHJKLMNPQRSTVWXZ".contains(c));
    assert!(letters(first) && letters(second), "{user_code}");
    let page = gateway.url("/device");
    let whole = json!({
        "device_code": device_code, "user_code": user_code, "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"), "expires_in": 600, "interval": 5,
    });
    assert_eq!(body, whole);
    let (other, _) = begin(&gateway).await;
    assert_ne!(other, device_code);
}

#[tokio::test]
async fn the_client_is_authenticated_and_may_use_the_grant() {
    let gateway = gateway();
    let may_not = "this client may not use this grant: its `grants` do not name it";
    for (form, error, description) in [
        ("client_id=app", "unauthorized_client", may_not),
        (
            "client_id=tv&scope=admin",
            "invalid_scope",
            "the scope admin is not one of those that can be had here: requests:read requests:write",
        ),
    ] {
        assert_refused(&post(&gateway, "/oauth/device", form).await, 400, error, description);
    }
    let by_secret = gateway.call(Method::POST, "/oauth/device").basic_auth("acme", Some(SECRET));
    assert_refused(&Answer::to(by_secret).await, 400, "unauthorized_client", may_not);
    for form in ["client_id=nobody", "client_id=acme", "client_id=tv&client_secret=guessed"] {
        assert_unproven(&post(&gateway, "/oauth/device", form).await);
    }
    assert_malformed(&post(&gateway, "/oauth/device", "client_id=tv&client_id=tv").await, "a parameter is repeated");
    assert_refused(&poll(&gateway, "app", "x").await, 400, "unauthorized_client", may_not);
}

#[tokio::test]
async fn who_asks_too_early_waits_longer_from_then_on() {
    let gateway = gateway();
    let (device_code, _) = begin(&gateway).await;
    // After how many seconds, and whether that is too early: it is at first after less than 5, then after less than 10, then 15.
    for (after, early) in [(0, false), (4, true), (9, true), (15, false), (14, true), (20, false)] {
        gateway.advance(after);
        let (error, description) = if early { ("slow_down", TOO_EARLY) } else { ("authorization_pending", PENDING) };
        assert_refused(&poll(&gateway, "tv", &device_code).await, 400, error, description);
    }
}

#[tokio::test]
async fn a_device_that_never_waits_is_slowed_down_to_the_end() {
    let gateway = gateway();
    let (device_code, _) = begin(&gateway).await;
    assert_refused(&poll(&gateway, "tv", &device_code).await, 400, "authorization_pending", PENDING);
    for _ in 0..130 {
        assert_refused(&poll(&gateway, "tv", &device_code).await, 400, "slow_down", TOO_EARLY);
    }
    gateway.advance(599);
    assert_refused(&poll(&gateway, "tv", &device_code).await, 400, "slow_down", TOO_EARLY);
    gateway.advance(1);
    let expired = "the device code has expired: begin again";
    assert_refused(&poll(&gateway, "tv", &device_code).await, 400, "expired_token", expired);
}

#[tokio::test]
async fn a_device_code_is_its_clients_own() {
    let gateway = gateway();
    let (device_code, user_code) = begin(&gateway).await;
    for (client_id, code) in [("radio", &*device_code), ("tv", "x"), ("tv", &*user_code), ("tv", "a\0b")] {
        assert_refused(&poll(&gateway, client_id, code).await, 400, "invalid_grant", UNKNOWN);
    }
    assert_malformed(&poll(&gateway, "tv", "").await, "the parameter device_code is missing");
    assert_refused(&poll(&gateway, "tv", &device_code).await, 400, "authorization_pending", PENDING);
}

#[tokio::test]
async fn nobody_fills_the_store_with_devices() {
    let gateway = gateway();
    for _ in 0..30 {
        begin(&gateway).await;
    }
    gateway.advance(20);
    let answer = post(&gateway, "/oauth/device", "client_id=tv").await;
    assert_refused(&answer, 429, "temporarily_unavailable", "too many devices have begun to wait");
    assert_eq!(answer.header("retry-after"), "40");
    gateway.advance(40);
    begin(&gateway).await;
}

/// Anybody has a public client's id, and a household 256 networks of 2^64 addresses.
#[tokio::test]
async fn who_begins_many_devices_stops_nobody_else() {
    let box_ = client("box", SECRET, &["requests:read"]) + "grants = [\"device_code\"]\n";
    let gateway = Gateway::configured(&format!(
        "[shutdown]\ndelay = \"0s\"\n[server]\ntrusted_proxies = [\"127.0.0.1\"]\n{}{box_}",
        configuration()
    ));
    let begin = async |from: String, secret: Option<&str>| {
        let call = gateway.call(Method::POST, "/oauth/device").header("x-forwarded-for", from);
        let call = match secret {
            Some(secret) => call.basic_auth("box", Some(secret)),
            None => call.header("content-type", FORM).body("client_id=tv"),
        };
        Answer::to(call).await.status
    };
    for number in 0..30 {
        assert_eq!(begin(format!("2001:db8:0:{number:x}::1"), None).await, 200);
    }
    assert_eq!(begin("2001:db8:0:ff::1".into(), None).await, 429, "the same household");
    for number in 0..570 {
        assert_eq!(begin(format!("198.51.100.{}", number / 30), None).await, 200);
    }
    assert_eq!(begin("198.51.100.19".into(), None).await, 200, "who has begun none may begin");
    assert_eq!(begin("198.51.100.0".into(), None).await, 429);
    assert_eq!(begin("198.51.100.0".into(), Some(SECRET)).await, 200, "a client with a secret has its own");
}

#[tokio::test]
async fn a_device_waits_on_when_the_gateway_starts_anew() {
    let gateway = gateway();
    let (device_code, _) = begin(&gateway).await;
    let gateway = Gateway::in_folder(gateway.stop(), &configuration());
    let answer = poll(&gateway, "tv", &device_code).await;
    assert_refused(&answer, 400, "authorization_pending", PENDING);
    let files = std::fs::read_dir(gateway.folder.path().join("data")).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        let holds = bytes.windows(device_code.len()).any(|window| window == device_code.as_bytes());
        assert!(!holds, "{} holds the device code", file.display());
    }
    let said: Value = answer.json();
    assert!(!said.to_string().contains(&device_code));
}
