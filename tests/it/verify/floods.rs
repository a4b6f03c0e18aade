//! Tokens that name keys which nobody has: what they can cause at the provider, and what they can not do to others.

use std::time::Duration;

use futures_util::future::{FutureExt, join_all};
use serde_json::json;

use super::fake_provider::{Provider, jwks};
use super::keys::{EC, OTHER_RSA, RSA, encode};
use super::outages::retry_after;
use super::subjects::{claims, word};
use wiremock::ResponseTemplate;

/// A token that everything is right with but its key and its signature.
fn made_up(provider: &Provider, kid: &str) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": kid });
    format!("{}.{}.{}", encode(header.to_string()), encode(claims(&provider.issuer).to_string()), encode([7; 256]))
}

/// Half of them within one moment, half of them spread over the rest of 30 seconds.
#[tokio::test]
async fn a_hundred_thousand_made_up_keys_cause_two_fetches_in_30_seconds() {
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    provider.settled().await;
    provider.later(100);
    let good = provider.token(&RSA, Some("rsa-1"));
    let claims = encode(claims(&provider.issuer).to_string());
    let signature = encode([7; 256]);
    for index in 0..100_000 {
        let header = encode(format!("{{\"alg\":\"RS256\",\"kid\":\"made-up-{index}\"}}"));
        let token = format!("{header}.{claims}.{signature}");
        assert_eq!(word(&provider.verify(&token).await), "key_unknown");
        if index >= 50_000 && index % 2000 == 0 {
            provider.later(1);
            assert_eq!(word(&provider.verify(&good).await), "accepted");
        }
    }
    assert_eq!(provider.fetches().await, 2, "the one at the start, and one more");
}

/// Whoever sends one made-up key every 30 seconds delays a new key by three minutes at most. Its tokens are not refused meanwhile.
#[tokio::test]
async fn made_up_keys_have_a_budget_that_fills_up_again() {
    let hourly = |answer: ResponseTemplate| answer.insert_header("cache-control", "max-age=3600");
    let provider = Provider::publishing(hourly(jwks(&[&RSA]))).await;
    provider.settled().await;
    for attempt in 1..=60 {
        provider.later(30);
        let verdict = provider.verify(&made_up(&provider, &attempt.to_string())).await;
        let is_asked = attempt <= 23 || attempt % 6 == 1;
        assert_eq!(word(&verdict), if is_asked { "key_unknown" } else { "unavailable" }, "{attempt}");
    }
    assert_eq!(provider.fetches().await, 1 + 20 + 9, "20 at a stretch, and one every three minutes");
    provider.answers(hourly(jwks(&[&EC])));
    for wait in [30, 1] {
        let verdict = provider.verdict(&EC, Some(EC.kid)).await;
        assert_eq!(retry_after(&verdict), Duration::from_secs(wait), "until the provider may be asked");
        assert_eq!(provider.judge(&RSA).await, "accepted", "known keys are not affected");
        provider.later(if wait == 30 { 29 } else { 1 });
    }
    assert_eq!(provider.judge(&EC).await, "accepted");
}

#[tokio::test]
async fn a_key_that_is_absent_is_not_asked_for_again_until_the_set_changes() {
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    provider.settled().await;
    let ask = async |kid: &str| {
        let verdict = word(&provider.verify(&made_up(&provider, kid)).await);
        (verdict, provider.fetches().await)
    };
    assert_eq!(ask("stranger").await, ("key_unknown", 2));
    provider.later(30);
    assert_eq!(ask("stranger").await, ("key_unknown", 2), "it is known to be absent");
    assert_eq!(ask("other").await, ("key_unknown", 3), "another one is not");
    provider.later(269);
    assert_eq!(ask("stranger").await, ("key_unknown", 3));
    provider.later(1);
    assert_eq!(ask("stranger").await, ("key_unknown", 4), "for five minutes");
    assert_eq!(provider.counted("jwks_unknown_kid_total{issuer=\"idp\",outcome=\"negative_cache\"}"), 2);
    assert_eq!(provider.counted("jwks_unknown_kid_total{issuer=\"idp\",outcome=\"refreshed_absent\"}"), 3);

    provider.later(30);
    provider.answers(jwks(&[&RSA, &EC]));
    assert_eq!(ask("third").await, ("key_unknown", 5), "this one has the change noticed");
    provider.later(30);
    assert_eq!(ask("third").await, ("key_unknown", 5), "the one that was asked for is still absent");
    assert_eq!(ask("stranger").await, ("key_unknown", 6), "what was absent before may be there now");
    assert_eq!(provider.judge(&EC).await, "accepted");
}

/// While the provider fails its backoff decides, and known keys are not affected.
#[tokio::test]
async fn a_flood_in_an_outage() {
    let provider = Provider::publishing(jwks(&[&RSA])).await;
    provider.settled().await;
    provider.answers(ResponseTemplate::new(500));
    provider.later(31);
    for index in 0..1000 {
        let verdict = provider.verify(&made_up(&provider, &index.to_string())).await;
        assert_eq!(retry_after(&verdict), Duration::from_secs(1), "whether there is such a key can not be told");
    }
    assert_eq!(provider.judge(&RSA).await, "accepted");
    assert_eq!(provider.judge(&EC).await, "unavailable", "a key that is new, though the known ones are fresh");
    assert_eq!(provider.fetches().await, 2);
    provider.answers(jwks(&[&RSA, &EC]));
    provider.settled_after(1).await;
    assert_eq!(provider.judge(&EC).await, "accepted", "an attempt that failed says nothing about any key");
}

#[tokio::test]
async fn a_herd_causes_one_fetch() {
    let provider = Provider::publishing(jwks(&[&RSA]).set_delay(Duration::from_millis(100))).await;
    let herd = join_all((0..100).map(|_| provider.judge(&RSA))).await;
    assert_eq!((herd, provider.fetches().await), (vec!["accepted"; 100], 1));

    provider.answers(jwks(&[&RSA, &OTHER_RSA]).set_delay(Duration::from_millis(100)));
    provider.later(30);
    let herd = join_all((0..50).map(|_| provider.judge(&OTHER_RSA))).await;
    assert_eq!((herd, provider.fetches().await), (vec!["accepted"; 50], 2), "with a fresh key id as well");
}

#[tokio::test]
async fn the_first_to_wait_may_leave() {
    let provider = Provider::publishing(jwks(&[&RSA]).set_delay(Duration::from_millis(200))).await;
    assert_eq!(provider.judge(&RSA).now_or_never(), None, "it waited, and is gone");
    assert_eq!(provider.judge(&RSA).await, "accepted");
    assert_eq!(provider.fetches().await, 1);
}
