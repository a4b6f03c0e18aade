//! Where a token may be: `Authorization: Bearer`, another place by configuration alone, and never two at once. The rows
//! are those of the systems that the gateway takes the place of.

use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, challenge, problem};
use crate::process;

const EVERYWHERE: &str =
    "[verify]\ntoken_header = \"X-Access-Tokens\"\ntoken_in_query = true\ntoken_in_form = true\n[server]\n";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn whoami(gateway: &Gateway, query: &str) -> RequestBuilder {
    gateway.call(Method::GET, &format!("/v1/whoami{query}"))
}

#[tokio::test]
async fn a_named_header_has_the_token_alone() {
    let gateway = Gateway::configured("verify.token_header = \"x-access-tokens\"");
    let token = gateway.demo_token().await;
    let by = |value: &str| whoami(&gateway, "").header("X-Access-Tokens", value);
    assert_eq!(Answer::to(by(&token)).await.json()["subject"], "demo");
    assert_eq!(gateway.get(&token, "/v1/whoami").await.status, 200);
    // Credentials of another scheme are no token.
    let basic = by(&token).basic_auth("demo", Some("x"));
    assert_eq!(Answer::to(basic).await.status, 200);
    for value in [&format!("Bearer {token}"), "", "ä"] {
        assert_eq!(Answer::to(by(value)).await.problem()["code"], "token_malformed", "{value}");
    }
}

#[tokio::test]
async fn the_query_has_it_and_nobody_after_sees_it_r14() {
    let gateway = Gateway::configured(EVERYWHERE);
    let token = gateway.demo_token().await;
    for _ in 0..3 {
        gateway.submit(&token).await;
    }
    let list = |query: &str| gateway.call(Method::GET, &format!("/v1/requests?{query}"));
    let answer = Answer::to(list(&format!("limit=1&access%5ftoken={token}&type=default"))).await;
    assert_eq!((answer.status, answer.json()["items"].as_array().unwrap().len()), (200, 1));
    let cursor = answer.json()["next_cursor"].as_str().unwrap().to_owned();
    let link =
        format!("<{}>; rel=\"next\"", gateway.url(&format!("/v1/requests?limit=1&type=default&cursor={cursor}")));
    assert_eq!(answer.header("link"), link);
    let cache = answer.header("cache-control");
    assert!(cache == "no-store" || cache.contains("private"), "{cache}");
    assert_eq!(Answer::to(list(&format!("access_token={token}"))).await.status, 200);
    assert_eq!(Answer::to(list("access_token=")).await.problem()["code"], "token_malformed");

    // Where it is not allowed, it is a parameter like any other: none that is known.
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let list = gateway.call(Method::GET, &format!("/v1/requests?access_token={token}"));
    assert_eq!(Answer::to(list.try_clone().unwrap()).await.problem()["code"], "token_missing");
    let refused = Answer::to(list.bearer_auth(&token)).await;
    assert_eq!((refused.status, refused.text.contains(&token)), (400, false));
}

#[tokio::test]
async fn a_form_has_it_r14() {
    let gateway = Gateway::configured(EVERYWHERE);
    let token = gateway.demo_token().await;
    let id = gateway.submit(&token).await;
    let cancel = || gateway.call(Method::POST, &format!("/v1/requests/{id}/cancel"));
    let code = async |call: RequestBuilder| Answer::to(call).await.problem()["code"].clone();
    assert_eq!(
        code(cancel().header(FORM.0, "text/plain").body(format!("access_token={token}"))).await,
        "token_missing"
    );
    assert_eq!(code(cancel().header(FORM.0, FORM.1).body(format!("token={token}"))).await, "token_missing");
    let too_large = format!("access_token={token}&x={}", "x".repeat(100_000));
    assert_eq!(code(cancel().header(FORM.0, FORM.1).body(too_large)).await, "payload_too_large");
    // RFC 6750 section 2.2: not with a method whose body means nothing.
    let read = whoami(&gateway, "").header(FORM.0, FORM.1).body(format!("access_token={token}"));
    assert_eq!(code(read).await, "token_missing");
    let cancelled = cancel().header(FORM.0, "Application/X-WWW-Form-Urlencoded; charset=utf-8");
    let cancelled = Answer::to(cancelled.body(format!("a=b&access_token={token}"))).await;
    assert_eq!((cancelled.status, cancelled.json()["status"].clone()), (200, json!("cancelled")));
    // Bodies of other types are not touched.
    assert_eq!(
        gateway.post(&token, "/v1/requests", &json!({ "payload": { "access_token": token } })).await.status,
        202
    );

    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let call = gateway.call(Method::POST, "/v1/requests/x/cancel").header(FORM.0, FORM.1);
    assert_eq!(Answer::to(call.body(format!("access_token={token}"))).await.problem()["code"], "token_missing");
}

/// The bound is of forms alone, so another key than that of all bodies would have to be named, and there is none.
#[tokio::test]
async fn a_form_that_is_too_large_for_a_token_is_told_so() {
    let answer = async |gateway: &Gateway, length: usize| {
        let call = gateway.call(Method::POST, "/v1/requests/x/cancel").header(FORM.0, FORM.1);
        Answer::to(call.body("x".repeat(length))).await
    };
    let too_large = |detail: &str| problem(413, "payload_too_large", "Payload too large", detail);
    let gateway = Gateway::configured(EVERYWHERE);
    let detail = "Where a form may carry the token, a form of more than 32768 bytes is not read, with a token in it or without. \
        Send less; or send the body as JSON, and the token as `Authorization: Bearer TOKEN`.";
    assert_eq!(answer(&gateway, 32_769).await.problem(), too_large(detail));
    assert_eq!(answer(&gateway, 32_768).await.problem()["code"], "token_missing");
    let gateway = Gateway::configured(&format!("{EVERYWHERE}max_body_bytes = 1000\n"));
    let detail = "The body is larger than the gateway reads. Send less, or have server.max_body_bytes raised.";
    assert_eq!(answer(&gateway, 1001).await.problem(), too_large(detail));
}

#[tokio::test]
async fn two_tokens_are_one_too_many_r14() {
    let gateway = Gateway::configured(EVERYWHERE);
    let token = gateway.demo_token().await;
    let detail = "The request carries more than one token, and which one counts is not guessed at. Send one token, in one place.";
    let expected = problem(400, "token_repeated", "Token repeated", detail);
    let query = format!("?access_token={token}");
    let form = format!("access_token={token}");
    let cancel =
        |query: &str| gateway.call(Method::POST, &format!("/v1/requests/x/cancel{query}")).header(FORM.0, FORM.1);
    for call in [
        whoami(&gateway, "").bearer_auth(&token).bearer_auth(&token),
        whoami(&gateway, "").bearer_auth(&token).basic_auth("demo", Some("x")),
        whoami(&gateway, "").bearer_auth(&token).header("x-access-tokens", &token),
        whoami(&gateway, "").header("x-access-tokens", &token).header("x-access-tokens", "x"),
        whoami(&gateway, &query).bearer_auth(&token),
        whoami(&gateway, &query).header("x-access-tokens", &token),
        whoami(&gateway, &format!("{query}&access_token=")),
        cancel("").bearer_auth(&token).body(form.clone()),
        cancel(&query).body(form.clone()),
        cancel("").body(format!("{form}&{form}")),
    ] {
        let answer = Answer::to(call).await;
        assert_eq!((answer.status, answer.problem()), (400, expected.clone()));
        assert_eq!(answer.header("www-authenticate"), challenge(&gateway, ", error=\"invalid_request\""));
    }
    let cookie = whoami(&gateway, "").bearer_auth(&token).header("cookie", format!("access_token={token}"));
    assert_eq!(Answer::to(cookie).await.status, 200);
}

#[test]
fn a_header_that_means_something_else_can_not_have_it() {
    for (name, problem) in [
        ("Authorization", "means something else"),
        ("cookie", "means something else"),
        ("Content-Type", "means something else"),
        ("x-forwarded-access-token", "means something else"),
        ("Transfer-Encoding", "means something else"),
        ("user-agent", "means something else"),
        ("TE", "means something else"),
        ("Forwarded", "means something else"),
        ("X-Real-IP", "means something else"),
        ("X-Request-Id", "means something else"),
        ("X-Requested-With", "means something else"),
        ("Sec-Fetch-Mode", "means something else"),
        ("X-Anteroom-Subject", "means something else"),
        ("x_access_tokens", "can not be the name of a header"),
        ("x access", "can not be the name of a header"),
        ("", "can not be the name of a header"),
    ] {
        let mistakes = Gateway::refusal(&format!("verify.token_header = {name:?}"));
        let told: Vec<_> = mistakes.iter().map(|mistake| (mistake.key.as_str(), mistake.problem.as_str())).collect();
        assert_eq!(told, [("verify.token_header", format!("\"{name}\" {problem}").as_str())]);
    }
}

/// The whole log of a gateway that was sent tokens everywhere.
#[tokio::test]
async fn a_token_is_never_logged_and_loose_places_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let toml = format!(
        "log = {{ format = \"json\", level = \"trace\" }}\n{EVERYWHERE}trusted_proxies = [\"127.0.0.1\"]\n\
         [guards.billing]\nauthenticated = true\n[types.default]\n\
         stages = [{{ after = \"0s\", stage = \"a\", status = \"queued\" }}, {{ after = \"1s\", stage = \"b\", status = \"failed\" }}]\n"
    );
    let mut gateway = process::Gateway::configured(folder.path(), &toml, &[]);
    let token = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXRva2Vu.c2VjcmV0LXRva2Vu";
    let http = crate::gateway::http();
    let call = |method, path: &str| http.request(method, format!("{}{path}", gateway.base()));
    let forwarded = format!("/büro/7;access_token={token}?access_token={token}");
    let forwarded = HeaderValue::from_bytes(forwarded.as_bytes()).unwrap();
    for (call, status) in [
        (call(Method::GET, &format!("/v1/whoami?access_token={token}")), 401),
        (call(Method::GET, &format!("/v1/nothing?access_token={token}")), 404),
        (call(Method::POST, "/v1/requests").header(FORM.0, FORM.1).body(format!("access_token={token}")), 401),
        (call(Method::GET, "/v1/whoami").header("x-access-tokens", token), 401),
        (
            call(Method::GET, "/guard/billing")
                .header("x-forwarded-uri", &forwarded)
                .header("x-forwarded-method", "PUT"),
            401,
        ),
    ] {
        assert_eq!(Answer::to(call).await.status, status);
    }
    gateway.terminate();
    let (_, log) = gateway.end();
    assert!(!log.contains("c2VjcmV0LXRva2Vu"), "{log}");
    for key in ["verify.token_in_query is on", "verify.token_in_form is on"] {
        assert_eq!(log.matches(key).count(), 1, "{log}");
    }
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let decision = lines.into_iter().find(|line| line["path"] == "/guard/{guard}").unwrap();
    let told = ["guard", "guarded_method", "guarded_path", "status"].map(|name| decision[name].clone());
    assert_eq!(told, [json!("billing"), json!("PUT"), json!("/b%C3%BCro/7"), json!(401)]);
}
