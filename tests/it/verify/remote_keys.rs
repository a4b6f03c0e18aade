//! The life of a key set while its provider is well: fetched, kept fresh, changed.

use std::time::Duration;

use anteroom::core::clock::Clock;
use anteroom::core::verdict::{Reason, Verdict};
use anteroom::verify::{KeyReport, KeySetReport, KeySetState};
use serde_json::json;
use wiremock::ResponseTemplate;
use wiremock::matchers::{header, path};

use super::fake_provider::{GREATEST, LEAST, Provider, jwks};
use super::keys::{EC, OTHER_RSA, RSA, hmac};
use super::subjects::{claims, now, word};
use crate::idp::RSA_ALGORITHMS;
use crate::patience::until;

#[tokio::test]
async fn a_rotation_is_picked_up_at_once() {
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    assert_eq!(provider.judge(&RSA).await, "accepted");
    provider.answers(jwks(&[&RSA, &OTHER_RSA]));
    assert_eq!(provider.judge(&OTHER_RSA).await, "accepted");
    assert_eq!(provider.judge(&RSA).await, "accepted");
    assert_eq!(provider.fetches().await, 2);

    let Verdict::Rejected(refusal) = provider.verdict(&EC, Some("ec\n1")).await else { panic!("accepted") };
    let evidence = refusal.evidence.unwrap();
    let told = (refusal.reason, evidence.expected.as_str(), evidence.unverified_found.as_str());
    assert_eq!(told, (Reason::KeyUnknown, r#"one of ["rsa-1", "rsa-2"]"#, r#""ec\n1""#));
    assert_eq!(provider.fetches().await, 2, "one refetch in 30 seconds");
    provider.answers(jwks(&[&EC]));
    provider.later(29);
    assert_eq!(provider.judge(&EC).await, "key_unknown");
    provider.later(1);
    assert_eq!(provider.judge(&EC).await, "accepted");
    assert_eq!(provider.judge(&RSA).await, "key_unknown", "withdrawn");
    assert_eq!(provider.fetches().await, 3);
    for (outcome, count) in [("refreshed_found", 2), ("refreshed_absent", 0), ("cooldown", 3), ("negative_cache", 0)] {
        let series = format!("jwks_unknown_kid_total{{issuer=\"idp\",outcome=\"{outcome}\"}}");
        assert_eq!(provider.counted(&series), count, "{outcome}");
    }
}

/// The task fetches ahead of expiry, at 70 to 90 % of the lifetime, whether tokens come or not.
#[tokio::test]
async fn keys_are_fetched_ahead_of_their_expiry() {
    for (cache_control, lifetime) in [
        (None, 600),
        (Some("public, max-age=120"), 120),
        (Some("max-age=1"), 60),
        (Some("no-cache"), 60),
        (Some("no-store, max-age=900"), 60),
        (Some("max-age=900, no-store"), 60),
        (Some("max-age=31536000"), 86_400),
        (Some("max-age=banana"), 600),
    ] {
        let with = |answer: ResponseTemplate| match cache_control {
            Some(value) => answer.insert_header("cache-control", value),
            None => answer,
        };
        for (chance, part) in [(LEAST, 70), (GREATEST, 90)] {
            let provider = Provider::configured(with(jwks(&[&RSA, &EC])), "", chance).await;
            let report = provider.settled().await;
            assert_eq!(
                report.next_refresh.map(|left| left.as_millis()),
                Some(lifetime * part * 10),
                "{cache_control:?}"
            );
            assert_eq!(provider.judge(&RSA).await, "accepted");
            let token = provider.token(&RSA, Some("rsa-1"));
            assert_eq!(word(&provider.verify(&token).await), "accepted");
            provider.answers(with(jwks(&[&EC])));
            let due = u64::try_from(lifetime * part / 100).unwrap();
            assert_eq!(provider.settled_after(due - 1).await.keys.len(), 2);
            assert_eq!((word(&provider.verify(&token).await), provider.fetches().await), ("accepted", 1));
            assert_eq!(provider.settled_after(1).await.keys.len(), 1, "withdrawn keys are dropped at once");
            assert_eq!(word(&provider.verify(&token).await), "key_unknown", "{cache_control:?}: from memory neither");
            assert_eq!(provider.fetches().await, 3, "{cache_control:?}: for all that is known it may be a new one");
        }
    }
}

#[tokio::test]
async fn how_the_keys_get_on_is_told() {
    let provider = Provider::publishing(jwks(&[&RSA, &EC])).await;
    let nothing = KeySetReport {
        state: KeySetState::Empty,
        age: None,
        next_refresh: None,
        consecutive_failures: 0,
        last_error: None,
        keys: Vec::new(),
    };
    assert_eq!(provider.report(), nothing);
    provider.settled().await;
    provider.later(100);
    let key = |id: &str, algorithms: &[&str], first_seen| KeyReport {
        id: Some(id.into()),
        algorithms: algorithms.iter().copied().map(str::to_owned).collect(),
        first_seen,
    };
    let fresh = KeySetReport {
        state: KeySetState::Fresh,
        age: Some(Duration::from_secs(100)),
        next_refresh: Some(Duration::from_secs(440)),
        keys: vec![key("rsa-1", &RSA_ALGORITHMS, now()), key("ec-1", &["ES256"], now())],
        ..nothing
    };
    assert_eq!(provider.report(), fresh);

    provider.answers(jwks(&[&OTHER_RSA, &EC]));
    provider.settled_after(440).await;
    let report = provider.report();
    assert_eq!(report.age, Some(Duration::ZERO));
    let later = now().plus_millis(540_000);
    assert_eq!(report.keys, [key("rsa-2", &RSA_ALGORITHMS, later), key("ec-1", &["ES256"], now())]);
}

/// What did not change is not sent again, holds for as long as it says, and is not a new generation of keys.
#[tokio::test]
async fn keys_that_did_not_change_are_confirmed() {
    let tagged = jwks(&[&RSA]).insert_header("etag", "\"1\"").insert_header("cache-control", "max-age=100");
    let provider = Provider::publishing(tagged.clone()).await;
    provider.settled().await;
    let token = provider.token(&RSA, Some("rsa-1"));
    assert_eq!(word(&provider.verify(&token).await), "accepted");
    provider.server.reset().await;
    let confirmed = ResponseTemplate::new(304).insert_header("cache-control", "max-age=1000");
    let same = wiremock::Mock::given(path("/keys")).and(header("if-none-match", "\"1\"")).respond_with(confirmed);
    let guard = same.mount_as_scoped(&provider.server).await;
    let report = provider.settled_after(90).await;
    assert_eq!((report.state, report.next_refresh), (KeySetState::Fresh, Some(Duration::from_mins(15))));
    assert_eq!(provider.counted("jwks_fetch_total{issuer=\"idp\",result=\"not_modified\"}"), 1);
    assert_eq!(report.keys[0].first_seen, now());
    drop(guard);
    // The same keys in another order, and then one that is another: the number of signature checks is not to be seen from here,
    // but a key that changed under its old name must not be mistaken for the one that a token was accepted by.
    let renamed = OTHER_RSA.named("rsa-1");
    wiremock::Mock::given(path("/keys")).respond_with(jwks(&[&renamed])).mount(&provider.server).await;
    assert_eq!(word(&provider.verify(&token).await), "accepted");
    let report = provider.settled_after(900).await;
    assert_eq!(report.keys[0].first_seen, provider.clock.now());
    assert_eq!(word(&provider.verify(&token).await), "signature_invalid");
}

/// What a set says twice does not hide what it says anew.
#[tokio::test]
async fn a_key_that_takes_the_place_of_a_double_is_noticed() {
    let provider = Provider::publishing(jwks(&[&RSA, &RSA])).await;
    assert_eq!(provider.judge(&RSA).await, "accepted");
    provider.answers(jwks(&[&RSA, &OTHER_RSA]));
    assert_eq!(provider.judge(&OTHER_RSA).await, "accepted");
    provider.answers(jwks(&[&RSA, &RSA]));
    provider.settled_after(540).await;
    assert_eq!(provider.judge(&OTHER_RSA).await, "key_unknown", "withdrawn");
    assert_eq!(provider.judge(&RSA).await, "accepted");
}

#[tokio::test]
async fn bad_tokens_are_refused_without_keys() {
    let provider = Provider::publishing(ResponseTemplate::new(500)).await;
    let mut expired = claims(&provider.issuer);
    expired["exp"] = 1.into();
    let token = RSA.sign(&json!({ "alg": "RS256", "kid": "rsa-1" }), &expired);
    assert_eq!(word(&provider.verify(&token).await), "token_expired");
    assert_eq!(provider.judge(&hmac(b"x")).await, "algorithm_not_allowed");
    assert_eq!(provider.fetches().await, 0, "what no key could help fetches none");
}

#[tokio::test]
async fn the_task_ends_with_its_verifier() {
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    provider.settled().await;
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    until(|| alive() == 1).await;
    let Provider { chain, server, .. } = provider;
    drop(chain);
    until(|| alive() == 0).await;
    drop(server);
}
