//! C3: what is kept of an answer, how long, and that it is judged anew on every use.

use std::time::Duration;

use anteroom::core::clock::Clock;
use anteroom::core::policy::Audience;
use serde_json::json;

use super::{Idp, TOKEN, body, good, with};
use crate::verify::subjects::{NOW, now, verify, word};

#[tokio::test]
async fn an_answer_is_kept_for_as_long_as_configured() {
    for (lines, seconds) in [("", 30), ("cache = \"10s\"", 10), ("cache = \"1m\"", 60)] {
        let idp = Idp::configured(body(&good()), lines).await;
        assert_eq!(idp.judged().await, ("accepted", 1));
        // Revoked at once: accepted until the time is over, and no longer.
        idp.answers(body(&json!({ "active": false })));
        idp.clock.advance(Duration::from_millis(seconds * 1000 - 1));
        assert_eq!(idp.judged().await, ("accepted", 1), "{lines}");
        idp.clock.advance(Duration::from_millis(1));
        assert_eq!(idp.judged().await, ("token_inactive", 2), "{lines}");
        let counts = ["hit", "miss"]
            .map(|outcome| idp.counted(&format!("cache_total{{verifier=\"idp\",outcome=\"{outcome}\"}}")));
        assert_eq!(counts, [1, 2]);
    }
}

#[tokio::test]
async fn without_a_cache_each_request_asks() {
    let idp = Idp::configured(body(&good()), "cache = \"0s\"").await;
    assert_eq!(idp.judged().await, ("accepted", 1));
    assert_eq!(idp.judged().await, ("accepted", 2));
    idp.answers(body(&json!({ "active": false })));
    assert_eq!(idp.judged().await, ("token_inactive", 3));
    idp.answers(with(&json!({ "exp": null })));
    assert_eq!(idp.judged().await, ("accepted", 4));
}

#[tokio::test]
async fn that_a_token_is_inactive_is_soon_forgotten() {
    for (lines, seconds) in [("", 5), ("cache = \"2s\"", 2)] {
        for refused in [body(&json!({ "active": false })), with(&json!({ "iss": "https://other.example/" }))] {
            let idp = Idp::configured(refused, lines).await;
            let reason = idp.judge().await;
            idp.answers(body(&good()));
            idp.clock.advance(Duration::from_millis(seconds * 1000 - 1));
            assert_eq!(idp.judged().await, (reason, 1), "{lines}");
            idp.clock.advance(Duration::from_millis(1));
            assert_eq!(idp.judged().await, ("accepted", 2), "{lines}");
        }
    }
}

#[tokio::test]
async fn nothing_is_kept_past_the_end_of_its_token() {
    let idp = Idp::answering(with(&json!({ "exp": NOW + 10 }))).await;
    assert_eq!(idp.judged().await, ("accepted", 1));
    idp.clock.advance(Duration::from_millis(9999));
    assert_eq!(idp.judged().await, ("accepted", 1));
    idp.clock.advance(Duration::from_millis(1));
    // Within the leeway it is the issuer who decides.
    assert_eq!(idp.judged().await, ("accepted", 2));
    idp.later(5);
    assert_eq!(idp.judged().await.0, "token_expired");
}

/// The clock that a token's times are read by may be set; what is kept does not hide that.
#[tokio::test]
async fn times_and_audience_are_judged_on_every_use() {
    let idp = Idp::answering(with(&json!({ "nbf": NOW, "aud": ["anteroom", "billing"] }))).await;
    assert_eq!(idp.judged().await, ("accepted", 1));
    idp.clock.set(now().plus_millis(3_600_000 + 5000));
    assert_eq!(idp.judged().await, ("token_expired", 1));
    idp.clock.set(now().plus_millis(-5001));
    assert_eq!(idp.judged().await, ("token_not_yet_valid", 1));
    idp.clock.set(now());
    for (audience, expected) in [("billing", "accepted"), ("elsewhere", "audience_mismatch")] {
        let door = idp.chain.trust(&["idp".into()], Some(Audience { any: vec![audience.into()], all: Vec::new() }));
        assert_eq!(word(&verify(&idp.chain, TOKEN, &door, idp.clock.now()).await), expected);
    }
    assert_eq!(idp.judged().await, ("accepted", 1));
    let elsewhere = idp.chain.trust(&[], None);
    assert_eq!(word(&verify(&idp.chain, TOKEN, &elsewhere, idp.clock.now()).await), "token_malformed", "no JWT");
}

#[tokio::test]
async fn each_token_has_an_answer_of_its_own() {
    let idp = Idp::answering(body(&good())).await;
    assert_eq!(idp.judged().await, ("accepted", 1));
    idp.answers(body(&json!({ "active": false })));
    let other = format!("{TOKEN}A");
    assert_eq!((word(&idp.verify(&other).await), idp.calls().await), ("token_inactive", 2));
    assert_eq!(idp.judged().await, ("accepted", 2));
}
