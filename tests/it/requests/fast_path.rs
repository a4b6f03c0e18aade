//! A read that is answered out of memory is answered as the routes would: a query, which means nothing there, leads to them.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;

use super::{PATH, SECRET, four_clients};
use crate::gateway::{Answer, Gateway};

/// What does not depend on the exchange.
fn told(answer: &Answer) -> (u16, HeaderMap, String) {
    let mut headers = answer.headers.clone();
    for own in ["date", "x-trace-id", "traceparent"] {
        assert!(headers.remove(own).is_some(), "{own}: {answer:?}");
    }
    (answer.status, headers, answer.text.clone())
}

/// Reads a request as it comes, and through the routes: the answers are the same.
async fn read(gateway: &Gateway, token: &str, id: &str, known: Option<&str>) -> Answer {
    let ask = |query: &str| {
        let call = gateway.call(Method::GET, &format!("{PATH}/{id}{query}")).bearer_auth(token);
        Answer::to(match known {
            Some(etag) => call.header("if-none-match", etag),
            None => call,
        })
    };
    let routed = ask("?routed").await;
    for _ in 0..2 {
        let direct = ask("").await;
        if routed.status < 400 {
            assert_eq!(told(&direct), told(&routed));
        } else {
            // Its trace_id is in the body.
            assert_eq!((told(&direct).0, told(&direct).1), (told(&routed).0, told(&routed).1));
            assert_eq!(direct.problem(), routed.problem());
        }
    }
    routed
}

#[tokio::test]
async fn a_read_is_answered_alike_however_it_comes() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let mut etags = Vec::new();
    for seconds in [0, 1, 4, 10, 8 * 24 * 3600] {
        gateway.advance(seconds);
        // The token does not live as long as the request.
        let token = gateway.demo_token().await;
        let answer = read(&gateway, &token, &id, None).await;
        assert_eq!(answer.status, 200);
        let etag = answer.header("etag").to_owned();
        assert_eq!(read(&gateway, &token, &id, Some(&etag)).await.status, 304);
        assert_eq!(read(&gateway, &token, &id, Some("\"another\"")).await.status, 200);
        etags.push((etag, answer.json()["links"].get("payload").is_some()));
    }
    assert_eq!(etags[0], etags[1]);
    assert_ne!(etags[1].0, etags[2].0);
    assert_ne!(etags[2].0, etags[3].0);
    assert_eq!(
        (etags[3].0 == etags[4].0, etags[3].1, etags[4].1),
        (true, true, false),
        "the payload is kept no longer"
    );
}

#[tokio::test]
async fn what_somebody_does_to_a_request_shows_at_once() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    assert_eq!(read(&gateway, &token, &id, None).await.json()["status"], "queued");
    assert_eq!(gateway.post(&token, &format!("{PATH}/{id}/cancel"), &json!({})).await.status, 200);
    assert_eq!(read(&gateway, &token, &id, None).await.json()["status"], "cancelled");
    let erased = Answer::to(gateway.call(Method::DELETE, &format!("{PATH}/{id}")).bearer_auth(&token)).await;
    assert_eq!(erased.status, 204);
    assert_eq!(read(&gateway, &token, &id, None).await.status, 410);
}

#[tokio::test]
async fn nobody_is_let_in_who_would_not_be() {
    let gateway = four_clients();
    let token = gateway.token("anna", SECRET, None).await;
    let id = gateway.submit(&token).await;
    assert_eq!(read(&gateway, &token, &id, None).await.status, 200);
    let others = [("bob", 404), ("reader", 404), ("writer", 403)];
    for (client, status) in others {
        let other = gateway.token(client, SECRET, None).await;
        assert_eq!(read(&gateway, &other, &id, None).await.status, status, "{client}");
    }
    for (bad, code) in [
        (format!("{token}x"), "signature_invalid"),
        (forged(&token), "signature_invalid"),
        ("x".into(), "token_malformed"),
    ] {
        assert_eq!(read(&gateway, &bad, &id, None).await.problem()["code"], code);
    }
    let form = format!("token={token}");
    let revoke = gateway.call(Method::POST, "/oauth/revoke").basic_auth("anna", Some(SECRET));
    let revoke = revoke.header("content-type", "application/x-www-form-urlencoded").body(form);
    assert_eq!(Answer::to(revoke).await.status, 200);
    assert_eq!(read(&gateway, &token, &id, None).await.problem()["code"], "token_revoked");

    let token = gateway.token("anna", SECRET, None).await;
    assert_eq!(read(&gateway, &token, &id, None).await.status, 200);
    gateway.advance(24 * 3600);
    assert_eq!(read(&gateway, &token, &id, None).await.problem()["code"], "token_expired");
}

/// A token whose signature is that of another.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    format!("{signed}.{first}{}", &signature[1..])
}

#[tokio::test]
async fn a_share_that_is_used_up_is_told_alike() {
    let gateway = Gateway::configured("[quotas]\nrequests_per_second = 1\nburst = 2\n");
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    assert_eq!(gateway.get(&token, &format!("{PATH}/{id}")).await.status, 200);
    assert_eq!(read(&gateway, &token, &id, None).await.problem()["code"], "quota_exceeded");
    gateway.advance(1);
    assert_eq!(gateway.get(&token, &format!("{PATH}/{id}")).await.status, 200);
}

#[tokio::test]
async fn each_read_is_counted_once() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let count = async |line: &str| {
        let metrics = gateway.operate("/metrics").await.text;
        let of = |text: &str| text.strip_prefix(line).map(|count| count.trim().parse::<u64>().unwrap());
        metrics.lines().find_map(of).unwrap_or(0)
    };
    let exchanges = "anteroom_http_requests_total{method=\"GET\",path=\"/v1/requests/{request_id}\",status=\"200\"}";
    let accepted = "anteroom_verifications_total{verifier=\"self\",result=\"accepted\"}";
    let before = count(accepted).await;
    for _ in 0..5 {
        read(&gateway, &token, &id, None).await;
    }
    assert_eq!((count(exchanges).await, count(accepted).await - before), (15, 15));
    let refused = "anteroom_verifications_total{verifier=\"self\",result=\"signature_invalid\"}";
    read(&gateway, &forged(&token), &id, None).await;
    assert_eq!((count(refused).await, count(exchanges).await), (3, 15));
}
