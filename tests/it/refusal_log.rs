//! The access line of a refused request: why, by whom, what was expected and what was found; and nothing that could be used or that forges
//! a line.

use reqwest::Method;
use serde_json::{Value, json};

use crate::process::Gateway;
use crate::verify::keys::{RSA, encode};

const IDP: &str = "[verify]\nchain = [\"self\", \"idp\"]\n[verifiers.self]\nkind = \"self\"\n[verifiers.idp]\nkind = \"oidc\"\n\
                   issuer = \"https://idp.example/\"\naudience = [\"anteroom\"]\nkeys = \"file:idp.pem\"\n";

/// Starts a gateway, makes these calls one by one, and answers the lines that they left in its log, each with the call's trace id.
async fn lines(format: &str, calls: &[(Method, &str, Option<String>)]) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("idp.pem"), RSA.public_pem()).unwrap();
    let gateway = Gateway::configured(folder.path(), &format!("[log]\nformat = \"{format}\"\n{IDP}"), &[]);
    let mut trace_ids = Vec::new();
    for (method, path, authorization) in calls {
        let mut call = crate::gateway::http().request(method.clone(), format!("{}{path}", gateway.base()));
        if let Some(authorization) = authorization {
            call = call.header("authorization", authorization);
        }
        let answer = call.send().await.unwrap();
        trace_ids.push(answer.headers()["x-trace-id"].to_str().unwrap().to_owned());
    }
    let log = gateway.kill();
    let line = |id: String| {
        let mut lines = log.lines().filter(|line| line.contains(&id));
        let line = lines.next().unwrap_or_else(|| panic!("no line about {id} in\n{log}")).to_owned();
        assert_eq!(lines.next(), None, "one line is enough");
        (id, line)
    };
    for (_, _, authorization) in calls {
        let token = authorization.as_deref().unwrap_or_default().trim_start_matches("Bearer ");
        assert!(token.len() < 20 || !log.contains(token), "{log}");
    }
    trace_ids.into_iter().map(line).collect()
}

fn bearer(claims: &Value) -> String {
    format!("Bearer {}", RSA.sign(&json!({ "alg": "RS256", "kid": RSA.kid }), claims))
}

fn claims(change: &Value) -> Value {
    let mut claims =
        json!({ "iss": "https://idp.example/", "sub": "ada", "aud": "anteroom", "exp": 4_000_000_000_u64 });
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    claims
}

#[tokio::test]
async fn says_why_by_whom_and_what_was_found() {
    let get = |authorization| (Method::GET, "/v1/whoami", authorization);
    let evil = "https://evil.example/\n2026 INFO all is well\u{202e}\"";
    let calls = [
        get(None),
        get(Some("Bearer garbage!".into())),
        get(Some(bearer(&claims(&json!({ "iss": evil }))))),
        get(Some(bearer(&claims(&json!({ "aud": ["x".repeat(500)] }))))),
        get(Some(bearer(&claims(&json!({ "exp": 1_000_000_000 }))))),
        (Method::GET, "/v1/requests", Some(bearer(&claims(&json!({}))))),
        get(Some(bearer(&claims(&json!({}))))),
        (Method::POST, "/oauth/token", Some("Basic YWNtZTp3cm9uZw==".into())),
    ];
    let lines = lines("json", &calls).await;
    let found: Vec<Value> = lines
        .iter()
        .map(|(_, line)| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let names = ["status", "code", "reason", "verifier", "expected", "got", "owner"];
            line.as_object_mut().unwrap().retain(|name, _| names.contains(&name.as_str()));
            line
        })
        .collect();
    let now = found[4]["expected"].as_str().unwrap().to_owned();
    let long = format!("[\"{}…", "x".repeat(198));
    let expected = [
        json!({ "status": 401, "code": "unauthenticated", "reason": "token_missing" }),
        json!({
            "status": 401, "code": "unauthenticated", "reason": "token_malformed",
            "expected": "letters, digits and -._~+/ alone, with = at the end", "got": "\"'!' after 7 characters\"",
        }),
        json!({
            "status": 401, "code": "unauthenticated", "reason": "issuer_unknown",
            "expected": "an issuer that is trusted here",
            "got": "\"https://evil.example/\\n2026 INFO all is well\\u{202e}\\\"\"",
        }),
        json!({
            "status": 401, "code": "unauthenticated", "reason": "audience_mismatch", "verifier": "idp",
            "expected": "one of [\"anteroom\"]", "got": long,
        }),
        json!({
            "status": 401, "code": "unauthenticated", "reason": "token_expired", "verifier": "idp",
            "expected": now, "got": "\"2001-09-09T01:46:40.000Z\"",
        }),
        json!({
            "status": 403, "code": "insufficient_scope", "owner": ["https://idp.example/", "ada"],
            "expected": "the scope requests:read", "got": "[]",
        }),
        json!({ "status": 200, "owner": ["https://idp.example/", "ada"] }),
        // No grant_type; in the form of RFC 6749.
        json!({ "status": 400, "code": "invalid_request" }),
    ];
    assert_eq!(found, expected);
    assert!(now.starts_with("exp after 20") && now.ends_with(", by a leeway of 5s"), "{now}");
}

#[tokio::test]
async fn a_line_for_people_stays_one_line() {
    let evil = claims(&json!({ "iss": "https://evil.example/\r\n\u{1b}[31mred" }));
    let header = encode(json!({ "alg": "RS256", "crit": ["x\n"] }).to_string());
    let critical = format!("Bearer {header}.{}.AAAA", encode(evil.to_string()));
    let calls = [(Method::GET, "/v1/whoami", Some(bearer(&evil))), (Method::GET, "/v1/whoami", Some(critical))];
    let lines = lines("pretty", &calls).await;
    let tails = [
        " status=401 code=unauthenticated reason=issuer_unknown expected=\"an issuer that is trusted here\" \
         got=\"\\\"https://evil.example/\\\\r\\\\n\\\\u001b[31mred\\\"\" duration_us=",
        " status=401 code=unauthenticated reason=critical_header_unsupported expected=\"no critical extension\" \
         got=\"\\\"crit\\\"\" duration_us=",
    ];
    for ((id, line), tail) in lines.iter().zip(tails) {
        assert!(line.contains(&format!(" exchange trace_id={id} method=GET path=/v1/whoami{tail}")), "{line}");
    }
}
