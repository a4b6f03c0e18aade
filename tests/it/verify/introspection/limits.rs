//! C4: how often the provider is asked, whatever is sent to the gateway.

use std::time::Duration;

use anteroom::core::verdict::Verdict;
use futures_util::StreamExt;
use futures_util::future::{join, join_all};
use futures_util::stream::FuturesUnordered;
use reqwest::Method;
use serde_json::json;

use super::faults::table;
use super::{Idp, SECRET, TOKEN, body, good, retry_after};
use crate::gateway::{Answer, Gateway};
use crate::verify::keys::hmac;
use crate::verify::subjects::{ISSUER, claims, word};

fn count(verdicts: &[Verdict], expected: &str) -> usize {
    verdicts.iter().filter(|verdict| word(verdict) == expected).count()
}

#[tokio::test]
async fn fifty_requests_with_one_token_ask_once() {
    for cache in ["30s", "0s"] {
        let idp = Idp::configured(body(&good()), &format!("cache = \"{cache}\"")).await;
        let verdicts = join_all((0..50).map(|_| idp.verify(TOKEN))).await;
        assert_eq!((count(&verdicts, "accepted"), idp.calls().await), (50, 1), "{cache}");
    }
}

#[tokio::test]
async fn so_do_fifty_callers_of_the_gateway() {
    let idp = Idp::answering(body(&good()).set_delay(Duration::from_millis(300))).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    let gateway = Gateway::in_folder(folder, &table(&idp.server.uri()));
    let ask = || Answer::to(gateway.call(Method::GET, "/v1/whoami").bearer_auth(TOKEN));
    let answers = join_all((0..50).map(|_| ask())).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json()["subject"] == "acme"));
    assert_eq!(idp.calls().await, 1);
}

#[tokio::test]
async fn what_is_no_token_is_not_asked_about() {
    let idp = Idp::answering(body(&good())).await;
    for (token, expected) in [
        ("", "token_malformed"),
        ("short-as-a-word", "token_malformed"),
        ("with a space in it, and long", "token_malformed"),
        ("umläute-are-not-among-them", "token_malformed"),
        ("padding=in-the-middle-of-it", "token_malformed"),
        ("<script>alert(1)</script>", "token_malformed"),
        (&"x".repeat(8193), "token_too_large"),
        // A JWT is for the verifier of its issuer, and there is none.
        ("eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4Iiwic3ViIjoieCIsImV4cCI6MX0.AAAA", "issuer_unknown"),
        ("ey.x.y", "token_malformed"),
    ] {
        assert_eq!(word(&idp.verify(token).await), expected, "{token}");
    }
    assert_eq!(idp.calls().await, 0);
    for token in ["exactly-sixteen_", &"x".repeat(8192), "v4.public.is-no-jwt-but-a-paseto"] {
        assert_eq!(word(&idp.verify(token).await), "accepted", "{token}");
    }
}

#[tokio::test]
async fn a_flood_of_made_up_tokens_is_kept_from_the_provider() {
    let idp = Idp::configured(body(&good()), "rate = 20").await;
    assert_eq!(idp.judged().await, ("accepted", 1));
    idp.answers(body(&json!({ "active": false })));
    let flood = async |round: u32| {
        let mut verdicts = Vec::new();
        for number in 0..500 {
            verdicts.push(idp.verify(&format!("made-up-in-round-{round}-{number}")).await);
        }
        assert!(verdicts.iter().all(|verdict| retry_after(verdict) <= 1));
        (count(&verdicts, "token_inactive"), count(&verdicts, "unavailable"))
    };
    assert_eq!(flood(1).await, (19, 481));
    assert_eq!(idp.judged().await, ("accepted", 20), "a known token is not held up");
    idp.clock.advance(Duration::from_millis(250));
    assert_eq!(flood(2).await, (5, 495));
    idp.later(29);
    assert_eq!(flood(3).await, (20, 480), "what was not used does not add up beyond a second");
    idp.answers(body(&good()));
    idp.later(1);
    assert_eq!(flood(4).await.1, 480);
    assert_eq!(idp.judged().await, ("accepted", 66), "nor one whose answer has to be renewed");
    assert_eq!(idp.counted("limited_total{verifier=\"idp\"}"), 481 + 495 + 480 + 480);
    // Once it is known to be inactive, it is one of many.
    idp.answers(body(&json!({ "active": false })));
    idp.later(30);
    assert_eq!(idp.judge().await, "token_inactive");
    idp.later(6);
    flood(5).await;
    assert_eq!(idp.judge().await, "unavailable");
}

/// While the provider hangs, only so many tokens wait for it, and only so many requests with one token.
#[tokio::test]
async fn who_waits_is_bounded() {
    let idp = Idp::configured(body(&good()).set_delay(Duration::from_mins(1)), "rate = 1000").await;
    let time_goes_by = async {
        idp.asked(64).await;
        idp.later(2);
    };
    let tokens: Vec<_> = (0..100).map(|number| format!("a-token-with-number-{number}")).collect();
    let verdicts = join(join_all(tokens.iter().map(|token| idp.verify(token))), time_goes_by).await.0;
    assert_eq!((count(&verdicts, "unavailable"), idp.calls().await), (100, 64));
    assert_eq!(idp.counted("limited_total{verifier=\"idp\"}"), 36);

    let idp = Idp::answering(body(&good()).set_delay(Duration::from_mins(1))).await;
    let time_goes_by = async {
        idp.asked(1).await;
        idp.later(2);
    };
    let verdicts = join(join_all((0..300).map(|_| idp.verify(TOKEN))), time_goes_by).await.0;
    assert_eq!((count(&verdicts, "unavailable"), idp.calls().await), (300, 1));
    assert_eq!(idp.counted("limited_total{verifier=\"idp\"}"), 300 - 65, "who asks, and 64 who join");
}

/// Neither from a place for tokens that were active nor from one for a new token.
#[tokio::test]
async fn a_crowd_with_one_made_up_token_keeps_nobody_out() {
    let idp = Idp::answering(body(&good())).await;
    assert_eq!(idp.judged().await, ("accepted", 1));
    idp.later(30);
    idp.answers(body(&good()).set_delay(Duration::from_mins(1)));
    let crowd = join_all((0..600).map(|_| idp.verify("made-up-by-a-crowd-of-six-hundred")));
    let others = async {
        idp.asked(2).await;
        idp.answers(body(&good()));
        let verdicts = (idp.judge().await, word(&idp.verify("a-new-token-of-somebody").await));
        idp.later(2);
        verdicts
    };
    let (crowd, others) = join(crowd, others).await;
    assert_eq!((others, count(&crowd, "unavailable")), (("accepted", "accepted"), 600));
}

/// However many issuers hang, only a part of what the server has in work waits for them.
#[tokio::test]
async fn issuers_that_hang_do_not_stop_the_others() {
    let idp = Idp::answering(body(&good()).set_delay(Duration::from_mins(1))).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    let first = table(&idp.server.uri());
    let second = first.replace("idp]", "jwts]").replace(ISSUER, "https://second.example/") + "tokens = \"jwt\"\n";
    let toml = format!("[server]\nmax_in_flight = 16\n{first}{second}[verifiers.self]\nkind = \"self\"\n");
    let gateway = Gateway::in_folder(folder, &toml);
    let own = gateway.demo_token().await;
    let jwt = |number: u32| {
        let mut claims = claims("https://second.example/");
        claims["jti"] = number.into();
        hmac(b"a secret that nobody here knows").sign(&json!({ "alg": "HS256", "typ": "at+jwt" }), &claims)
    };
    let tokens: Vec<_> = (0..6).flat_map(|number| [jwt(number), format!("an-opaque-token-{number}")]).collect();
    let ask = |token: &String| Answer::to(gateway.call(Method::GET, "/v1/whoami").bearer_auth(token));
    let mut answers: FuturesUnordered<_> = tokens.iter().map(ask).collect();
    for _ in 0..8 {
        assert_eq!(answers.next().await.unwrap().problem()["code"], "verifier_unavailable");
    }
    assert_eq!(ask(&own).await.status, 200);
    idp.asked(4).await;
    gateway.advance(2);
    while let Some(answer) = answers.next().await {
        assert_eq!(answer.problem()["code"], "verifier_unavailable");
    }
    assert_eq!(idp.calls().await, 4, "a quarter of sixteen");
}
