//! A provider that is down, slow or talks nonsense: what serves meanwhile, and how soon it is found again.

use std::time::Duration;

use anteroom::core::clock::Clock;
use anteroom::core::verdict::Verdict;
use anteroom::verify::{FetchErrorClass, KeySetState, NotRefreshed};
use futures_util::future::{FutureExt, join_all};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::fake_provider::{GREATEST, LEAST, Provider, failures, jwks};
use super::keys::{EC, OTHER_RSA, RSA};
use super::subjects::{claims, word};

pub(super) fn retry_after(verdict: &Verdict) -> Duration {
    match verdict {
        Verdict::Unavailable { retry_after } => *retry_after,
        other => panic!("keys that can not be had must not refuse a token: {other:?}"),
    }
}

#[tokio::test]
async fn old_keys_serve_through_an_outage() {
    for (what, failure, class) in failures() {
        let provider = Provider::publishing(jwks(&[&RSA])).await;
        provider.settled().await;
        let token = provider.token(&RSA, Some("rsa-1"));
        provider.answers(failure);
        let report = provider.settled_after(540).await;
        assert_eq!((report.state, report.consecutive_failures), (KeySetState::Fresh, 1), "{what}");
        assert_eq!(report.last_error.map(FetchErrorClass::name), Some(class), "{what}");
        assert_eq!(provider.counted(&format!("jwks_fetch_total{{issuer=\"idp\",result=\"{class}\"}}")), 1, "{what}");
        assert_eq!(provider.judge(&EC).await, "unavailable", "{what}: though the known keys are fresh");
        assert_eq!(provider.settled_after(60).await.state, KeySetState::Stale, "{what}");
        assert_eq!(provider.judge(&RSA).await, "accepted", "{what}");
        assert_eq!(provider.judge(&EC).await, "unavailable", "{what}: whether that key is new can not be told");
        provider.later(3599);
        assert_eq!(word(&provider.verify(&token).await), "accepted", "{what}: to the last second");
        assert_eq!(provider.settled_after(1).await.state, KeySetState::Expired, "{what}");
        let verdict = provider.verdict(&RSA, Some("rsa-1")).await;
        assert!((1..=60).contains(&retry_after(&verdict).as_secs()), "{what}: {verdict:?}");
        assert_eq!(provider.counted("jwks_stale_served_total{issuer=\"idp\"}"), 2, "{what}");

        provider.answers(jwks(&[&RSA]));
        provider.settled_after(retry_after(&verdict).as_secs()).await;
        assert_eq!(provider.judge(&RSA).await, "accepted", "{what}: back within the backoff");
        assert_eq!(provider.report().consecutive_failures, 0);
    }
}

/// It is known how many tokens passed that would not have without the old keys.
#[tokio::test]
async fn what_old_keys_let_through_is_counted_once() {
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    provider.settled().await;
    let early = provider.token(&RSA, Some("rsa-1"));
    assert_eq!(word(&provider.verify(&early).await), "accepted");
    provider.answers(jwks(&[&RSA, &EC]));
    provider.settled_after(540).await;
    provider.answers(ResponseTemplate::new(500));
    provider.settled_after(540).await;
    assert_eq!(provider.settled_after(60).await.state, KeySetState::Stale);
    let forged = OTHER_RSA.named("rsa-1");
    let (header, mut claims) = (json!({ "alg": "RS256", "kid": "rsa-1" }), claims(&provider.issuer));
    claims["exp"] = 1.into();
    let expired = RSA.sign(&header, &claims);
    claims["exp"] = (provider.clock.now().seconds() + 10).into();
    let brief = RSA.sign(&header, &claims);
    for (what, token, expected, count) in [
        ("of another generation of keys", &early, "accepted", 1),
        ("from memory", &early, "accepted", 2),
        ("forged", &provider.token(&forged, Some("rsa-1")), "signature_invalid", 2),
        ("expired", &expired, "token_expired", 2),
        ("for the first time", &brief, "accepted", 3),
    ] {
        assert_eq!(word(&provider.verify(token).await), expected, "{what}");
        assert_eq!(provider.counted("jwks_stale_served_total{issuer=\"idp\"}"), count, "{what}");
    }
    provider.later(60);
    assert_eq!(word(&provider.verify(&brief).await), "token_expired");
    assert_eq!(provider.counted("jwks_stale_served_total{issuer=\"idp\"}"), 3, "expired, from memory");
}

#[tokio::test]
async fn the_window_for_old_keys_is_what_is_configured() {
    for (lines, window) in [("stale_if_error = \"0s\"", 0), ("stale_if_error = \"24h\"", 86_400)] {
        let provider = Provider::configured(jwks(&[&RSA]), lines, GREATEST).await;
        provider.settled().await;
        provider.answers(ResponseTemplate::new(500));
        provider.settled_after(540).await;
        provider.settled_after(59 + window).await;
        assert_eq!(provider.judge(&RSA).await, "accepted", "{lines}");
        provider.settled_after(1).await;
        assert_eq!(provider.judge(&RSA).await, "unavailable", "{lines}");
    }
}

/// Each wait is drawn from a range that doubles up to a minute, so that many gateways do not come back at once.
#[tokio::test]
async fn a_provider_that_fails_is_asked_less_and_less() {
    for (chance, waits) in [(GREATEST, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]), (LEAST, [250; 8])] {
        let provider = Provider::configured(ResponseTemplate::new(500), "", chance).await;
        for wait in waits {
            let report = provider.settled().await;
            assert_eq!(report.next_refresh, Some(Duration::from_millis(wait)));
            provider.clock.advance(Duration::from_millis(wait));
        }
        provider.answers(jwks(&[&RSA]));
        assert_eq!(provider.settled().await.consecutive_failures, 0);
        assert_eq!(provider.fetches().await, 9);
        provider.answers(ResponseTemplate::new(500));
        let report = provider.settled_after(540).await;
        assert_eq!(report.next_refresh, Some(Duration::from_millis(waits[0])), "from the beginning");
    }
}

#[tokio::test]
async fn a_provider_may_say_when_to_come_back() {
    let busy = |value: &str| ResponseTemplate::new(429).insert_header("retry-after", value);
    let dated = busy("Sun, 22 Nov 2026 06:01:30 GMT").insert_header("date", "Sun, 22 Nov 2026 06:00:00 GMT");
    for (answer, wait) in [(busy("40"), 40), (busy("86400"), 300), (busy("0"), 1), (busy("soon"), 1), (dated, 90)] {
        let provider = Provider::publishing(answer).await;
        assert_eq!(provider.settled().await.next_refresh, Some(Duration::from_secs(wait)));
        let verdict = provider.verdict(&RSA, Some("rsa-1")).await;
        assert_eq!(retry_after(&verdict).as_secs(), wait.min(60), "what clients are told stays bearable");
    }
}

#[tokio::test]
async fn without_keys_it_is_unavailable_and_recovers() {
    for (what, failure, class) in failures() {
        let provider = Provider::publishing(failure).await;
        provider.settled().await;
        for _ in 0..20 {
            assert_eq!(retry_after(&provider.verdict(&RSA, Some("rsa-1")).await).as_secs(), 1, "{what}");
            assert_eq!(retry_after(&provider.verdict(&RSA, None).await).as_secs(), 1, "{what}");
        }
        assert_eq!(provider.fetches().await, 1, "{what}: tokens do not hurry the backoff");
        let report = provider.report();
        assert_eq!(
            (report.state, report.last_error.map(FetchErrorClass::name)),
            (KeySetState::Empty, Some(class)),
            "{what}"
        );
        provider.answers(jwks(&[&RSA]));
        provider.settled_after(1).await;
        assert_eq!(provider.judge(&RSA).await, "accepted", "{what}");
    }
}

/// Nobody waits long for a provider that takes the connection and says nothing.
#[tokio::test]
async fn a_provider_that_hangs() {
    let silence = || jwks(&[&RSA]).set_delay(Duration::from_mins(10));
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    provider.settled().await;
    provider.answers(silence());
    provider.later(600);
    let judged = provider.judge(&RSA).now_or_never();
    assert_eq!(judged, Some("accepted"), "at once, where old keys serve");

    let provider = Provider::publishing(jwks(&[&RSA])).await;
    provider.settled().await;
    provider.answers(silence());
    provider.later(30);
    assert_eq!(provider.judge_while(&EC, 2, 1000).await, "unavailable", "after a second, for a key that is not known");
    let absent = provider.counted("jwks_unknown_kid_total{issuer=\"idp\",outcome=\"refreshed_absent\"}");
    assert_eq!(absent, 0, "that it is absent was not said");

    let provider = Provider::publishing(silence()).await;
    assert_eq!(provider.judge_while(&RSA, 1, 1000).await, "unavailable", "after a second, where there are none");
    assert_eq!(provider.report().state, KeySetState::Loading);
    let waiting = join_all((0..300).map(|_| provider.judge(&RSA).map(|it| (it, provider.clock.clone()))));
    let mut waiting = Box::pin(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    let crowded = provider.judge(&RSA).now_or_never();
    assert_eq!(crowded, Some("unavailable"), "256 may wait, and the rest is told at once");
    provider.later(1);
    assert!(waiting.await.iter().all(|(verdict, _)| *verdict == "unavailable"));
}

#[tokio::test]
async fn readiness_waits_for_keys_as_configured() {
    for (startup, at_start, in_time, after, expired) in [
        ("degraded", true, true, true, true),
        ("wait", false, false, true, true),
        ("require", false, false, false, false),
    ] {
        let lines = format!("startup = \"{startup}\"");
        let provider = Provider::configured(ResponseTemplate::new(500), &lines, GREATEST).await;
        let is_ready = || provider.chain.is_ready();
        assert_eq!(is_ready(), at_start, "{startup}");
        provider.settled_after(14).await;
        assert_eq!(is_ready(), in_time, "{startup}");
        provider.settled_after(1).await;
        assert_eq!(is_ready(), after, "{startup}");
        provider.answers(jwks(&[&RSA]));
        provider.settled_after(60).await;
        assert!(is_ready(), "{startup}: there are keys");
        provider.answers(ResponseTemplate::new(500));
        provider.settled_after(4200).await;
        assert_eq!(is_ready(), expired, "{startup}: too old");

        let provider = Provider::configured(jwks(&[&RSA]), &lines, GREATEST).await;
        provider.settled().await;
        assert!(is_ready_of(&provider), "{startup}: at once with keys");
    }
}

fn is_ready_of(provider: &Provider) -> bool {
    provider.chain.is_ready() && provider.chain.readiness()[0].is_ready
}

#[tokio::test]
async fn an_operator_does_not_wait_for_the_backoff() {
    let provider = Provider::publishing(ResponseTemplate::new(500)).await;
    provider.settled().await;
    let failed = provider.chain.refresh("idp").await.unwrap_err();
    assert!(matches!(failed, NotRefreshed::Failed(class) if class.name() == "http"), "{failed:?}");
    provider.answers(jwks(&[&RSA]));
    assert_eq!(provider.chain.refresh("idp").await, Ok(()));
    assert_eq!(provider.chain.refresh("idp").await, Ok(()), "outside the budget");
    assert_eq!(provider.judge(&RSA).await, "accepted");
    assert_eq!(provider.fetches().await, 4);
    let together = join_all((0..5).map(|_| provider.chain.refresh("idp"))).await;
    assert_eq!((together, provider.fetches().await), (vec![Ok(()); 5], 5), "one flight");
    assert_eq!(provider.chain.refresh("nobody").await, Err(NotRefreshed::NoVerifier));
}

/// What a fetch brings that is under way when the operator calls may be what was published before.
#[tokio::test]
async fn what_an_operator_has_fetched_is_not_older_than_the_call() {
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    provider.settled().await;
    provider.answers(jwks(&[&RSA]).set_delay(Duration::from_millis(500)));
    provider.later(540);
    while provider.fetches().await < 2 {
        tokio::task::yield_now().await;
    }
    provider.answers(jwks(&[&OTHER_RSA]));
    let together = join_all((0..5).map(|_| provider.chain.refresh("idp"))).await;
    assert_eq!((together, provider.fetches().await), (vec![Ok(()); 5], 3), "one more, for all of them");
    let ids: Vec<_> = provider.report().keys.into_iter().map(|key| key.id.unwrap()).collect();
    assert_eq!(ids, ["rsa-2"]);
}
