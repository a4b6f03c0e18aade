//! The document that says where the keys are: whose it is, how long it holds, and what becomes of keys that move.

use anteroom::verify::FetchErrorClass;
use wiremock::matchers::any;
use wiremock::{Mock, ResponseTemplate};

use super::fake_provider::{Provider, jwks};
use super::keys::{EC, RSA};

const DOCUMENT: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn it_must_name_the_issuer_exactly() {
    for (suffix, claimed, expected) in [
        ("", "", "accepted"),
        ("/", "/", "accepted"),
        ("/realms/acme", "/realms/acme", "accepted"),
        ("", "/", "unavailable"),
        ("/", "", "unavailable"),
        ("/realms/acme", "/realms/other", "unavailable"),
    ] {
        let provider = Provider::discovered(jwks(&[&RSA]), suffix).await;
        let uri = provider.server.uri();
        provider.describes(&format!("{uri}{claimed}"), &format!("{uri}/keys")).await;
        assert_eq!(provider.judge(&RSA).await, expected, "{suffix:?} against {claimed:?}");
        let error = provider.report().last_error.map(FetchErrorClass::name);
        assert_eq!(error, (expected == "unavailable").then_some("issuer"));
    }
}

#[tokio::test]
async fn it_can_not_lead_to_plain_http_elsewhere() {
    let provider = Provider::discovered(jwks(&[&RSA]), "").await;
    provider.describes(&provider.issuer, "http://169.254.169.254/latest/meta-data").await;
    assert_eq!(provider.judge(&RSA).await, "unavailable");
    assert_eq!(provider.report().last_error.map(FetchErrorClass::name), Some("address"));
}

#[tokio::test]
async fn it_holds_for_an_hour() {
    let provider = Provider::discovered(jwks(&[&RSA]), "").await;
    provider.describes(&provider.issuer, &format!("{}/keys", provider.issuer)).await;
    provider.settled().await;
    for fetches in 2..=7 {
        provider.settled_after(540).await;
        assert_eq!((provider.fetches().await, provider.calls(DOCUMENT).await), (fetches, 1));
    }
    provider.settled_after(540).await;
    assert_eq!((provider.fetches().await, provider.calls(DOCUMENT).await), (8, 2));

    // When it can not be had any more the keys are still where they were.
    provider.server.reset().await;
    Mock::given(wiremock::matchers::path("/keys")).respond_with(jwks(&[&EC])).mount(&provider.server).await;
    for _ in 0..8 {
        provider.settled_after(540).await;
    }
    assert_eq!(provider.report().consecutive_failures, 0);
    assert_eq!(provider.judge(&EC).await, "accepted");
}

#[tokio::test]
async fn keys_that_moved_are_found() {
    let provider = Provider::discovered(jwks(&[&RSA]), "").await;
    provider.describes(&provider.issuer, &format!("{}/keys", provider.issuer)).await;
    provider.settled().await;
    let move_to = async |at: &str, old: u16| {
        let address = format!("{}{at}", provider.issuer);
        provider.server.reset().await;
        provider.describes(&provider.issuer, &address).await;
        Mock::given(wiremock::matchers::path(at)).respond_with(jwks(&[&EC])).mount(&provider.server).await;
        Mock::given(any()).respond_with(ResponseTemplate::new(old)).mount(&provider.server).await;
    };
    // At once when the old address says that they are gone.
    for (index, status) in [404, 410].into_iter().enumerate() {
        move_to(&format!("/moved-{index}"), status).await;
        assert_eq!(provider.settled_after(540).await.consecutive_failures, 0, "{status}");
        assert_eq!(provider.calls(DOCUMENT).await, 1, "{status}");
    }
    assert_eq!(provider.judge(&EC).await, "accepted");
    // After five failures when it says anything else.
    move_to("/elsewhere", 500).await;
    provider.later(540);
    for failures in 1..=5 {
        let report = provider.settled_after(0).await;
        assert_eq!((report.consecutive_failures, provider.calls(DOCUMENT).await), (failures, 0));
        provider.clock.advance(report.next_refresh.unwrap());
    }
    assert_eq!(provider.settled().await.consecutive_failures, 0);
    assert_eq!((provider.calls("/elsewhere").await, provider.calls(DOCUMENT).await), (1, 1));
}
