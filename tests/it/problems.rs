//! What every answer has, whatever it is: a name for the exchange, the headers that protect, and a gateway known by its right address.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, client, problem};

const SECRET: &str = "an-example-of-a-secret";

/// Production on loopback, stopped without delay, with one client.
fn production(server: &str) -> Gateway {
    let client = client("acme", SECRET, &["requests:read", "requests:write"]);
    Gateway::configured(&format!("shutdown.delay = \"0s\"\n[server]\nmode = \"production\"\n{server}\n{client}"))
}

/// Calls that are answered in as many ways as there are.
async fn calls(gateway: &Gateway, token: &str) -> Vec<(u16, RequestBuilder)> {
    let id = gateway.submit(token).await;
    let get = |path: &str| gateway.call(Method::GET, path);
    let post = || gateway.call(Method::POST, "/v1/requests").bearer_auth(token);
    let one = format!("/v1/requests/{id}");
    let etag = gateway.get(token, &one).await.header("etag").to_owned();
    vec![
        (200, get("/healthz")),
        (200, get("/readyz")),
        (200, get("/openapi.json")),
        (200, get("/ui/")),
        (200, get(&one).bearer_auth(token)),
        (202, post().json(&json!({ "payload": 1 }))),
        (304, get(&one).bearer_auth(token).header("if-none-match", etag)),
        (307, get("/")),
        (400, post().json(&json!({}))),
        (401, get("/auth").bearer_auth("x")),
        (401, get("/v1/whoami")),
        (401, gateway.call(Method::POST, "/auth")),
        (404, get("/nothing")),
        (404, get("/v1/requests/x").bearer_auth(token)),
        (405, gateway.call(Method::DELETE, "/healthz")),
        (413, post().header("content-type", "application/json").body(vec![b' '; 2000])),
        (415, post().body("x")),
    ]
}

#[tokio::test]
async fn every_answer_protects_who_shows_it() {
    let gateway = Gateway::configured("server.max_body_bytes = 1000");
    let token = gateway.demo_token().await;
    for (status, call) in calls(&gateway, &token).await {
        let answer = Answer::to(call).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("referrer-policy", "no-referrer")]
        {
            assert_eq!(answer.header(name), value, "{status}");
        }
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; "), "{status}");
        assert!(
            answer.header("cache-control").starts_with("no-")
                || answer.header("cache-control").starts_with("private, no-")
        );
        for name in ["server", "x-powered-by", "strict-transport-security", "access-control-allow-origin", "set-cookie"]
        {
            assert_eq!(answer.header(name), "", "{status}");
        }
    }
}

#[tokio::test]
async fn every_exchange_has_a_name_of_its_own() {
    let gateway = Gateway::configured("server.max_body_bytes = 1000");
    let token = gateway.demo_token().await;
    let mut names = BTreeSet::new();
    let calls = calls(&gateway, &token).await;
    let count = calls.len();
    for (_, call) in calls {
        let answer = Answer::to(call).await;
        let name = answer.header("x-trace-id").to_owned();
        assert!(name.len() == 32 && name.bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{name}");
        let [version, trace_id, span_id, flags] = answer.header("traceparent").split('-').collect::<Vec<_>>()[..]
        else {
            panic!("{}", answer.header("traceparent"));
        };
        assert_eq!((version, trace_id, span_id.len(), flags), ("00", name.as_str(), 16, "01"));
        names.insert(name);
    }
    assert_eq!(names.len(), count);
}

#[tokio::test]
async fn a_callers_trace_goes_on() {
    let gateway = Gateway::start();
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let ask = async |traceparent: &str| {
        Answer::to(gateway.call(Method::GET, "/nothing").header("traceparent", traceparent)).await
    };
    let span = "00f067aa0ba902b7";
    for traceparent in [
        format!("00-{trace_id}-{span}-01"),
        format!("00-{trace_id}-{span}-00"),
        format!("cc-{trace_id}-{span}-01-more"),
    ] {
        let answer = ask(&traceparent).await;
        assert_eq!(answer.header("x-trace-id"), trace_id);
        assert_eq!(answer.json()["trace_id"], trace_id);
        let out = answer.header("traceparent");
        assert!(out.starts_with(&format!("00-{trace_id}-")) && !out.contains(span), "{out}");
    }
    let zeros = "0".repeat(32);
    for traceparent in [
        String::new(),
        "x".into(),
        trace_id.into(),
        format!("00-{trace_id}-{span}"),
        format!("00-{trace_id}-{span}-01-more"),
        format!("ff-{trace_id}-{span}-01"),
        format!("00-{}-{span}-01", trace_id.to_uppercase()),
        format!("00-{zeros}-{span}-01"),
        format!("00-{trace_id}-{}-01", &zeros[..16]),
        format!("00-{trace_id}0-{span}-01"),
        format!("00-{trace_id}-{span}-zz"),
    ] {
        let answer = ask(&traceparent).await;
        assert!(answer.header("x-trace-id").len() == 32 && answer.header("x-trace-id") != trace_id, "{traceparent}");
    }
}

#[tokio::test]
async fn development_serves_this_machine_only() {
    let gateway = Gateway::start();
    let whoami = |host: &str| gateway.call(Method::GET, "/healthz").header("host", host);
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.1.2.3:1", "[::1]:8080", "app.localhost", "localhost."]
    {
        assert_eq!(Answer::to(whoami(host)).await.status, 200, "{host}");
    }
    let detail = "In development mode the gateway serves only this machine, directly. \
                  Call it as localhost without a proxy, or set server.mode to \"production\".";
    let refused = problem(403, "development_mode", "Development mode", detail);
    for host in ["example.com", "localhost.example.com", "127.0.0.1.example.com", "192.0.2.1", "10.0.0.1:8080", ""] {
        let answer = Answer::to(whoami(host)).await;
        assert_eq!((answer.status, answer.problem()), (403, refused.clone()), "{host}");
    }
    for name in ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"] {
        let detail = format!(
            "The request carries {name}, so it came through a proxy, and in development mode the gateway serves only this machine. \
             Set server.mode to \"production\", or name the proxy in server.trusted_proxies."
        );
        let answer = Answer::to(whoami("localhost").header(name, "x")).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (403, problem(403, "development_mode", "Development mode", &detail))
        );
    }
    let gateway = production("");
    let call =
        gateway.call(Method::GET, "/healthz").header("host", "example.com").header("x-forwarded-for", "192.0.2.1");
    assert_eq!(Answer::to(call).await.status, 200);
}

/// What a submission calls the gateway, in `Location` and in its links.
async fn base(gateway: &Gateway, headers: &[(&str, &str)]) -> String {
    let token = gateway.token("acme", SECRET, None).await;
    let call = gateway.call(Method::POST, "/v1/requests").bearer_auth(&token).json(&json!({ "payload": 1 }));
    let answer = Answer::to(headers.iter().fold(call, |call, (name, value)| call.header(*name, *value))).await;
    let view = answer.json();
    let path = format!("/v1/requests/{}", view["request_id"].as_str().unwrap());
    let base = answer.header("location").strip_suffix(&path).unwrap().to_owned();
    let below = |name: &str| format!("{base}{path}{name}");
    let links = json!({ "self": below(""), "events": below("/events"), "payload": below("/payload"), "cancel": below("/cancel") });
    assert_eq!(view["links"], links);
    let call = gateway.call(Method::GET, &path).bearer_auth(&token);
    let call = headers.iter().fold(call, |call, (name, value)| call.header(*name, *value));
    assert_eq!(Answer::to(call).await.json(), view);
    base
}

const FORWARDED: [(&str, &str); 3] =
    [("x-forwarded-proto", "https"), ("x-forwarded-host", "gw.example"), ("x-forwarded-for", "192.0.2.7")];

#[tokio::test]
async fn the_public_address_is_the_configured_one() {
    let gateway = production("public_url = \"https://gw.example/anteroom\"");
    assert_eq!(base(&gateway, &[("host", "evil.example")]).await, "https://gw.example/anteroom");
    assert_eq!(base(&gateway, &FORWARDED).await, "https://gw.example/anteroom");
    let answer = Answer::to(gateway.call(Method::GET, "/healthz")).await;
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    let token = gateway.token("acme", SECRET, None).await;
    assert_eq!(gateway.get(&token, "/v1/whoami").await.json()["issuer"], "https://gw.example/anteroom");
    gateway.submit(&token).await;
    let list = gateway.get(&token, "/v1/requests?limit=1").await;
    assert!(list.header("link").starts_with("<https://gw.example/anteroom/v1/requests?limit=1&cursor="));
}

#[tokio::test]
async fn without_one_it_is_the_requests_own_host() {
    let gateway = production("");
    assert_eq!(base(&gateway, &[]).await, gateway.url(""));
    assert_eq!(base(&gateway, &[("host", "gw.internal:81")]).await, "http://gw.internal:81");
    // Nobody is trusted, so what claims to come from a proxy changes nothing.
    assert_eq!(base(&gateway, &FORWARDED).await, gateway.url(""));
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_another_is_not() {
    let trusting = production("trusted_proxies = [\"127.0.0.1\"]");
    assert_eq!(base(&trusting, &FORWARDED).await, "https://gw.example");
    assert_eq!(base(&trusting, &FORWARDED[..1]).await, trusting.url("").replace("http:", "https:"));
    assert_eq!(base(&trusting, &[("x-forwarded-proto", "ftp")]).await, trusting.url(""));
    for host in ["evil/../", "a b", "user@evil"] {
        let named = base(&trusting, &[("x-forwarded-host", host)]).await;
        assert!(!named.contains(host), "{named}");
        let beside_own = base(&trusting, &[("host", "gw.internal:81"), ("x-forwarded-host", host)]).await;
        assert_eq!(beside_own, "http://gw.internal:81");
    }
    let other = production("trusted_proxies = [\"192.0.2.1\"]");
    assert_eq!(base(&other, &FORWARDED).await, other.url(""));
}

#[tokio::test]
async fn a_trusted_proxy_says_whose_wrong_secrets_they_are() {
    let gateway = production("trusted_proxies = [\"127.0.0.1\"]");
    let attempt = async |number: usize, addresses: &str| {
        let call = gateway.call(Method::POST, "/auth").basic_auth(format!("nobody {number}"), Some("wrong"));
        Answer::to(call.header("x-forwarded-for", addresses)).await.status
    };
    for number in 0..10 {
        // What stands left of the last address was written by the client, who may write anything.
        assert_eq!(attempt(number, &format!("198.51.100.{number}, 192.0.2.7")).await, 401);
    }
    assert_eq!(attempt(10, "192.0.2.7").await, 429);
    assert_eq!(attempt(11, "192.0.2.7, 127.0.0.1").await, 429);
    assert_eq!(attempt(12, "192.0.2.8").await, 401);
}

/// Some proxies write the port of the client besides.
#[tokio::test]
async fn a_trusted_proxy_may_write_ports_and_brackets() {
    let gateway = production("trusted_proxies = [\"127.0.0.1\"]");
    let attempt = async |number: usize, addresses: &str| {
        let call = gateway.call(Method::POST, "/auth").basic_auth(format!("nobody {number}"), Some("wrong"));
        Answer::to(call.header("x-forwarded-for", addresses)).await.status
    };
    for number in 0..10 {
        assert_eq!(attempt(number, &format!("192.0.2.7:{}", 4000 + number)).await, 401);
        let form =
            ["[2001:db8::1]:4711", "[2001:db8::1]", "2001:db8::1", "[2001:db8::1]:4711, 127.0.0.1:80"][number % 4];
        assert_eq!(attempt(100 + number, form).await, 401);
    }
    assert_eq!(attempt(10, "192.0.2.7").await, 429);
    assert_eq!(attempt(110, "[2001:db8::1]:1").await, 429);
    assert_eq!(attempt(11, "192.0.2.8:4711").await, 401, "another client");
    for (number, unreadable) in ["192.0.2.9:x", "[192.0.2.9]", "[2001:db8::1", "unknown"].into_iter().enumerate() {
        assert_eq!(attempt(20 + number, unreadable).await, 401, "it counts as the proxy");
    }
}

/// A listener on every address has its IPv4 peers with addresses in the form of IPv6.
#[tokio::test]
async fn a_proxy_is_trusted_in_either_form_of_its_address() {
    let mut everywhere = production("bind = \"[::]:0\"\ntrusted_proxies = [\"127.0.0.1\"]");
    everywhere.address.set_ip(Ipv4Addr::LOCALHOST.into());
    let written_long = production("trusted_proxies = [\"::ffff:127.0.0.1\"]");
    for gateway in [everywhere, written_long] {
        assert_eq!(base(&gateway, &FORWARDED).await, "https://gw.example");
        for number in 0..12 {
            let client = ["192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7, ::ffff:127.0.0.1"][number % 3];
            let call = gateway.call(Method::POST, "/auth").basic_auth(format!("nobody {number}"), Some("wrong"));
            let answer = Answer::to(call.header("x-forwarded-for", client)).await;
            assert_eq!(answer.status, if number < 10 { 401 } else { 429 }, "{number}");
        }
    }
}

/// The headers by which a browser lets a page of another origin read an answer.
fn cors(answer: &Answer) -> (String, String) {
    let header = |name| answer.header(name).to_owned();
    (header("access-control-allow-origin"), header("access-control-allow-credentials"))
}

#[tokio::test]
async fn no_other_origin_may_read_unless_it_is_named() {
    let gateway = Gateway::start();
    let token = gateway.demo_token().await;
    let call = gateway.call(Method::GET, "/v1/whoami").bearer_auth(&token).header("origin", "https://app.example");
    assert_eq!(cors(&Answer::to(call).await), (String::new(), String::new()));
    let preflight = gateway.call(Method::OPTIONS, "/v1/whoami").header("origin", "https://app.example");
    let answer = Answer::to(preflight.header("access-control-request-method", "GET")).await;
    assert_eq!((answer.status, cors(&answer)), (405, (String::new(), String::new())));
}

#[tokio::test]
async fn a_named_origin_reads_every_answer() {
    let gateway = Gateway::configured(
        "server.cors_origins = [\"https://app.example\"]\nserver.max_body_bytes = 1000\nverify.token_header = \"x-access-tokens\"",
    );
    let token = gateway.demo_token().await;
    let (ours, other) = ("https://app.example", "https://app.example.evil");
    for (status, call) in calls(&gateway, &token).await {
        let from = |origin: &str| call.try_clone().unwrap().header("origin", origin);
        let answer = Answer::to(from(ours)).await;
        assert_eq!((answer.status, cors(&answer)), (status, (ours.into(), String::new())), "{}", answer.text);
        assert!(answer.header("access-control-expose-headers").to_lowercase().contains("x-trace-id"), "{status}");
        let mut vary = answer.headers.get_all("vary").iter();
        assert!(vary.any(|names| names.to_str().unwrap().contains("Origin")), "{status}");
        assert_eq!(cors(&Answer::to(from(other)).await).0, "", "{status}");
    }
    let preflight = async |origin: &str, method: &str, headers: &str| {
        let call = gateway.call(Method::OPTIONS, "/v1/requests").header("origin", origin);
        let call = call.header("access-control-request-method", method);
        Answer::to(call.header("access-control-request-headers", headers)).await
    };
    let answer = preflight(ours, "POST", "authorization, content-type, idempotency-key").await;
    assert_eq!((answer.status, cors(&answer).0, answer.header("access-control-max-age")), (200, ours.into(), "86400"));
    for (origin, method, headers, why) in [
        (other, "POST", "", "Its origin is not one of server.cors_origins."),
        (ours, "DELETE", "", "Its method is neither GET nor POST."),
        (ours, "POST", "x-evil", "One of its headers is none that the API reads."),
    ] {
        let detail = format!("The call that a page's browser asks about is not allowed. {why}");
        let expected = problem(400, "malformed", "Malformed request", &detail);
        assert_eq!(preflight(origin, method, headers).await.problem(), expected);
    }
    assert_eq!(preflight(ours, "POST", "x-access-tokens").await.status, 200);
}

#[tokio::test]
async fn a_path_that_is_not_there_is_told_so_whoever_asks() {
    let gateway = Gateway::start();
    let detail = "There is nothing here under this name, or it is somebody else's. Check the path and the id, and whose token this is.";
    let nothing: Value = problem(404, "not_found", "Not found", detail);
    for (method, path) in
        [(Method::GET, "/nothing"), (Method::POST, "/v1"), (Method::DELETE, "/v1/whoami/"), (Method::GET, "/v2")]
    {
        let answer = Answer::to(gateway.call(method, path)).await;
        assert_eq!((answer.status, answer.problem()), (404, nothing.clone()), "{path}");
    }
}
