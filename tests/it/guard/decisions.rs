//! Who may pass: each rule alone, all of them together, and the same from the cache.

use reqwest::Method;
use serde_json::{Value, json};

use super::{SECRET, ask, token, with_guards};
use crate::gateway::{Answer, problem};

/// A change of the claims of a good token.
type Change = fn(&mut Value);

#[tokio::test]
async fn every_rule_has_to_be_met() {
    let gateway = with_guards("");
    assert_eq!(ask(&gateway, "strict", &token(|_| ())).await.status, 200);
    let claim = "a claim that is asked for here";
    let changes: [(Change, &str, &str); 12] = [
        (|claims| claims["scope"] = json!("a d"), "the scope b", "a b c"),
        (|claims| claims["scope"] = json!("d"), "the scopes a, b", "a b c"),
        (|claims| claims["scope"] = json!("a b"), "every one of the scopes c, d", "a b c"),
        (|claims| claims["scope"] = json!("A B D"), "the scopes a, b", "a b c"),
        (|claims| claims["permissions"] = json!(["q"]), "the permission p", ""),
        (|claims| claims["permissions"] = json!(["p"]), "every one of the permissions q, r", ""),
        (|claims| claims["permissions"] = json!({ "p": "q" }), "the permission p", ""),
        (|claims| claims["permissions"] = json!(["not p", "q"]), "the permission p", ""),
        (|claims| claims["scope"] = json!(["not a", "b", "d"]), "the scope a", "a b c"),
        (|claims| claims["realm_access"]["roles"] = json!(["visitor"]), claim, ""),
        (|claims| claims["https://acme.example/tier"] = json!("silver"), claim, ""),
        (|claims| _ = claims.as_object_mut().unwrap().remove("realm_access"), claim, ""),
    ];
    for (change, lacks, scope) in changes {
        let refused = token(change);
        for _ in 0..2 {
            let answer = ask(&gateway, "strict", &refused).await;
            let detail = format!("The token is genuine and lacks {lacks}. Ask for a token with it.");
            let expected = problem(403, "insufficient_scope", "Insufficient scope", &detail);
            assert_eq!((answer.status, answer.problem()), (403, expected));
            let scope = if scope.is_empty() { String::new() } else { format!(", scope=\"{scope}\"") };
            let challenge = format!("Bearer realm=\"anteroom\", error=\"insufficient_scope\"{scope}");
            assert_eq!(answer.header("www-authenticate"), challenge);
        }
    }
}

#[tokio::test]
async fn decisions_are_counted_by_guard() {
    let gateway = with_guards("");
    let good = token(|_| ());
    let elsewhere = token(|claims| claims["iss"] = json!("https://down.example/"));
    for (guard, token, status) in [
        ("open", "none", 200),
        ("idp", &good, 200),
        ("idp", &good, 200),
        ("idp", "none", 401),
        ("ours", &good, 403),
        ("down", &elsewhere, 503),
        ("nobody", &good, 404),
    ] {
        assert_eq!(ask(&gateway, guard, token).await.status, status, "{guard}");
    }
    let metrics = gateway.operate("/metrics").await.text;
    let counted = metrics.lines().filter_map(|line| line.strip_prefix("anteroom_guard_decisions_total"));
    let mut counted: Vec<_> = counted.filter(|line| !line.ends_with(" 0")).collect();
    counted.sort_unstable();
    let expected = [
        "{guard=\"down\",result=\"unavailable\"} 1",
        "{guard=\"idp\",result=\"allowed\"} 2",
        "{guard=\"idp\",result=\"unauthenticated\"} 1",
        "{guard=\"open\",result=\"allowed\"} 1",
        "{guard=\"ours\",result=\"denied\"} 1",
    ];
    assert_eq!(counted, expected);
}

#[tokio::test]
async fn two_guards_judge_one_token_apart_from_the_cache_too() {
    let gateway = with_guards("");
    let own = gateway.token("acme", SECRET, None).await;
    let books = token(|claims| claims["aud"] = json!(["books", "api"]));
    for round in 0..3 {
        let code = async |guard: &str, token: &str| {
            let answer = ask(&gateway, guard, token).await;
            if answer.status == 200 { json!(null) } else { answer.problem()["code"].clone() }
        };
        let good = token(|_| ());
        assert_eq!(code("billing", &good).await, json!(null), "{round}");
        assert_eq!(code("books", &good).await, "audience_mismatch", "{round}");
        assert_eq!(code("any", &good).await, "issuer_unknown", "{round}");
        assert_eq!(code("ours", &good).await, "insufficient_scope", "{round}");
        assert_eq!(gateway.get(&good, "/v1/whoami").await.problem()["code"], "issuer_unknown", "{round}");
        for guard in ["billing", "books"] {
            assert_eq!(code(guard, &books).await, json!(null), "{round}");
        }
        assert_eq!(code("any", &own).await, json!(null), "{round}");
        assert_eq!(code("idp", &own).await, "issuer_unknown", "{round}");
        assert_eq!(code("billing", &own).await, "audience_mismatch", "{round}");
        assert_eq!(gateway.get(&own, "/v1/whoami").await.status, 200, "{round}");
    }
    gateway.advance(605);
    assert_eq!(ask(&gateway, "billing", &token(|_| ())).await.problem()["code"], "token_expired");
}

/// A provider's word that reads like a scope of ours is none, unless its list of scopes says so.
#[tokio::test]
async fn a_scope_of_ours_is_what_the_verifier_grants() {
    let gateway = with_guards("");
    let own = gateway.token("acme", SECRET, None).await;
    assert_eq!(ask(&gateway, "ours", &own).await.status, 200);
    let mapped = token(|claims| claims["scope"] = json!("write:requests"));
    assert_eq!(ask(&gateway, "ours", &mapped).await.header("x-anteroom-scopes"), "clerk requests:write write:requests");
    let same_word = token(|claims| claims["scope"] = json!("requests:write"));
    assert_eq!(ask(&gateway, "ours", &same_word).await.status, 403);
    assert_eq!(ask(&gateway, "idp", &same_word).await.header("x-anteroom-scopes"), "clerk");
    // The nested path of grants_from counts as well.
    let by_role = token(|claims| {
        claims["scope"] = json!("");
        claims["realm_access"]["roles"] = json!(["invoices:read"]);
    });
    assert_eq!(ask(&gateway, "billing", &by_role).await.status, 200);
}

#[tokio::test]
async fn a_refusal_has_the_same_body_as_anywhere_and_names_no_metadata_of_ours() {
    let gateway = with_guards("");
    let path = "/guard/billing";
    let missing = Answer::to(gateway.call(Method::GET, path)).await;
    let api = Answer::to(gateway.call(Method::GET, "/v1/whoami")).await;
    assert_eq!((missing.status, missing.problem()), (401, api.problem()));
    assert_eq!(missing.header("www-authenticate"), "Bearer realm=\"anteroom\"");
    let garbage = ask(&gateway, "billing", "garbage").await;
    let api = gateway.get("garbage", "/v1/whoami").await;
    assert_eq!((garbage.status, garbage.problem()), (401, api.problem()));
    let description = "error_description=\"The token is not well-formed.\"";
    let challenge = format!("Bearer realm=\"anteroom\", error=\"invalid_token\", {description}");
    assert_eq!(garbage.header("www-authenticate"), challenge);

    let down = ask(&gateway, "down", &token(|claims| claims["iss"] = json!("https://down.example/"))).await;
    let detail = "What is needed to check the token is not to be had from its issuer now. \
                  The token may be good: wait for `Retry-After` and send the request again.";
    let expected = problem(503, "verifier_unavailable", "Token can not be verified", detail);
    assert_eq!((down.status, down.problem()), (503, expected));
    assert!(down.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn any_method_asks_the_same_and_an_unknown_guard_lets_nobody_pass() {
    let gateway = with_guards("");
    let good = token(|_| ());
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
        let call = |path| gateway.call(method.parse().unwrap(), path);
        let passes = Answer::to(call("/guard/billing").bearer_auth(&good)).await;
        assert_eq!((passes.status, passes.text.as_str()), (200, ""), "{method}");
        assert_eq!(passes.header("x-anteroom-subject"), "anna", "{method}");
        assert_eq!(passes.header("cache-control"), "no-store", "{method}");
        assert_eq!(Answer::to(call("/guard/billing")).await.status, 401, "{method}");
        for path in ["/guard/nobody", "/guard/BILLING", "/guard/billing/more", "/guard/", "/guard/open%2F"] {
            assert_eq!(Answer::to(call(path).bearer_auth(&good)).await.status, 404, "{method} {path}");
        }
    }
}

/// What a browser asks before a call is a call to the service like any other: no layer of the API's answers for the guard.
#[tokio::test]
async fn no_preflight_passes_without_a_token() {
    let origin = "https://app.example";
    let gateway = with_guards(&format!("server.cors_origins = [\"{origin}\"]\n"));
    for (path, status) in [
        ("/guard/billing", 401),
        ("//guard//billing", 401),
        ("/%67uard/billing", 401),
        ("/guard/nobody", 404),
        ("/guard/open", 200),
    ] {
        let call = gateway.call(Method::OPTIONS, path).header("origin", origin);
        let answer = Answer::to(call.header("access-control-request-method", "GET")).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-allow")), "{path}");
    }
    let api = gateway.call(Method::OPTIONS, "/v1/whoami").header("origin", origin);
    let answer = Answer::to(api.header("access-control-request-method", "GET")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, origin));
}
