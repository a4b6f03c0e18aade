//! How often a provider is asked: as often as it says, and less often when it says so; RFC 8628 sections 3.2 and 3.5.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anteroom::app::SystemClock;
use anteroom::core::clock::Clock;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{DOCUMENT, answer, given, run_as};

/// Logs in at a provider that says this of the interval, and answers these errors before it gives a token. The time between two calls:
/// from the codes to the first question, and so on.
async fn pauses(interval: Option<u64>, errors: &'static [&'static str]) -> Vec<Duration> {
    let server = MockServer::start().await;
    let url = server.uri();
    let (calls, clock) = (Arc::new(Mutex::new(Vec::new())), Arc::new(SystemClock::start()));
    let codes = json!({
        "device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": "https://idp.example/device", "expires_in": 300,
        "interval": interval,
    });
    let document = json!({
        "issuer": url, "token_endpoint": format!("{url}/token"), "device_authorization_endpoint": format!("{url}/device"),
    });
    answer(&server, "GET", DOCUMENT, 200, document).await;
    let (begun, asked) = (Arc::clone(&calls), Arc::clone(&calls));
    let (its_clock, their_clock) = (Arc::clone(&clock), clock);
    let give_codes = move |_: &wiremock::Request| {
        begun.lock().unwrap().push(its_clock.monotonic());
        ResponseTemplate::new(200).set_body_json(without_null(&codes))
    };
    Mock::given(method("POST")).and(path("/device")).respond_with(give_codes).mount(&server).await;
    let tell = move |_: &wiremock::Request| {
        let mut calls = asked.lock().unwrap();
        calls.push(their_clock.monotonic());
        match errors.get(calls.len() - 2) {
            Some(error) => ResponseTemplate::new(400).set_body_json(json!({ "error": error })),
            None => ResponseTemplate::new(200).set_body_json(given("t", 60)),
        }
    };
    Mock::given(method("POST")).and(path("/token")).respond_with(tell).mount(&server).await;
    let ended = tokio::task::spawn_blocking(move || {
        let home = tempfile::tempdir().unwrap();
        run_as(home.path(), &["login", "--discovery-url", &url], "")
    });
    let (code, _, told) = ended.await.unwrap();
    assert_eq!(code, Some(0), "{told}");
    let calls = calls.lock().unwrap();
    calls.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect()
}

fn without_null(value: &Value) -> Value {
    let members = value.as_object().unwrap().clone();
    Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect())
}

#[tokio::test]
async fn a_provider_is_asked_no_more_often_than_it_says() {
    let (told, untold, slowed) = tokio::join!(
        pauses(Some(6), &[]),
        pauses(None, &[]),
        pauses(Some(1), &["authorization_pending", "slow_down", "authorization_pending"]),
    );
    for (pauses, seconds) in [(told, &[6][..]), (untold, &[5]), (slowed, &[1, 1, 6, 6])] {
        let are_long_enough =
            pauses.iter().zip(seconds).all(|(pause, seconds)| *pause >= Duration::from_secs(*seconds));
        assert!(are_long_enough && pauses.len() == seconds.len(), "{pauses:?}, and not {seconds:?}");
    }
}
