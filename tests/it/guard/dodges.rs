//! What a caller could try against the proxies of `deploy/`: to be somebody else, to be let in elsewhere, or to put a guard out.

use serde_json::json;

use super::proxies::{Proxy, bearer, caddy, nginx, reached};
use super::token;

const WHOLE: [&str; 5] = [
    "x-anteroom-client: shop",
    "x-anteroom-email: anna@acme.example",
    "x-anteroom-issuer: https://idp.example/",
    "x-anteroom-scopes: a b clerk d invoices:read",
    "x-anteroom-subject: anna",
];

fn is(status: u16, head: &str) -> bool {
    head.starts_with("HTTP/1.") && head[8..].starts_with(&format!(" {status} "))
}

fn keeps_out(proxy: &Proxy) {
    takes_no_identity_out(proxy);
    refuses_paths_with_two_meanings(proxy);
    keeps_the_token(proxy);
    passes_what_is_odd_and_harmless(proxy);
}

/// `Connection` names what a proxy takes out; and an upgrade that the proxy does not know would be a tunnel.
fn takes_no_identity_out(proxy: &Proxy) {
    let good = bearer(token(|_| ()));
    for names in ["close, X-Anteroom-Scopes", "X-Anteroom-Subject, x-anteroom-issuer", "te, x-anteroom-email"] {
        let (head, body) = proxy.call("/billing/", &[&good, &format!("Connection: {names}")]);
        assert!(is(200, &head), "{names}: {head}");
        assert_eq!(reached(&body), WHOLE, "{names}");
    }
    for upgrades in [&["Upgrade: h2c"][..], &["Upgrade: h2c", "Upgrade: websocket"], &["Upgrade: websocket, h2c"]] {
        let settings = ["Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"];
        let (head, body) = proxy.call("/billing/", &[&[&*good], &settings[..], upgrades].concat());
        assert!(is(200, &head), "{upgrades:?}: {head}");
        assert!(!body.contains("h2c") && !body.to_lowercase().contains("http2"), "{upgrades:?}: {body}");
        assert_eq!(reached(&body), WHOLE, "{upgrades:?}");
    }
}

/// What the proxy and the service could read in two ways reaches no service, by whichever guard's rules.
fn refuses_paths_with_two_meanings(proxy: &Proxy) {
    let good = bearer(token(|_| ()));
    for path in [
        "/billing//../open/x",
        "/open/../billing/",
        "/open/..;/billing/",
        "/open/;x/billing",
        "/open/%2e%2E/billing/",
        "/open/.%2e/billing/",
        "/open/..%2fbilling/",
        "/open/x%2F..%2f..%2Fbilling/",
        "/open/..%5Cbilling/",
        "/open//billing/",
        "/open/./billing/",
        "/open/x/..",
        "/open/x/..?y",
    ] {
        for lines in [&[][..], &[&*good]] {
            let (head, body) = proxy.call(path, lines);
            assert!(is(400, &head), "{path}: {head}");
            assert!(!body.contains("HTTP/1."), "{path}: {body}");
        }
    }
    for path in ["/open/a..b/.well-known/x.y/...", "/open/?next=/../x//y;z", "/open/a%2Fb"] {
        let (head, body) = proxy.call(path, &[]);
        assert!(is(200, &head) && body.starts_with(&format!("GET {path} HTTP/1.")), "{path}: {head} {body}");
    }
}

/// In whichever header it came.
fn keeps_the_token(proxy: &Proxy) {
    let good = token(|_| ());
    for line in [bearer(good.clone()), format!("X-Access-Tokens: {good}")] {
        let (head, body) = proxy.call("/billing/", &[&line]);
        assert!(is(200, &head) && !body.contains(&good), "{head} {body}");
        assert_eq!(reached(&body), WHOLE);
    }
}

fn passes_what_is_odd_and_harmless(proxy: &Proxy) {
    let good = bearer(token(|_| ()));
    let (head, body) = proxy.call("/billing/bücher", &[&good]);
    assert!(is(200, &head), "{head}");
    assert_eq!(reached(&body), WHOLE);
    let (head, body) = proxy.raw(&format!("GET /billing/ HTTP/1.0\r\n{good}\r\n\r\n"));
    assert!(is(200, &head), "{head}");
    assert_eq!(reached(&body), WHOLE);
    // An identity that is longer than the head of an answer usually is.
    let wide = bearer(token(|claims| claims["realm_access"]["roles"] = json!(["é".repeat(1_500)])));
    let (head, body) = proxy.call("/idp/", &[&wide]);
    assert!(is(200, &head), "{head}");
    assert!(body.contains(&"%C3%A9".repeat(1_500)), "{body}");
}

/// More headers than the gateway reads.
fn many() -> Vec<String> {
    (0..120).map(|number| format!("X-{number}: 1")).collect()
}

#[tokio::test]
async fn nginx_keeps_callers_from_dodging_a_guard() {
    let proxy = Proxy::start(nginx).await;
    keeps_out(&proxy);
    let (good, many) = (bearer(token(|_| ())), many());
    let lines: Vec<&str> = many.iter().map(String::as_str).chain([&*good]).collect();
    assert!(is(200, &proxy.call("/billing/", &lines).0), "a decision needs none of them");
    assert!(is(401, &proxy.call("/billing/", &lines[..120]).0));
}

#[tokio::test]
async fn caddy_keeps_callers_from_dodging_a_guard() {
    let proxy = Proxy::start(caddy).await;
    keeps_out(&proxy);
    let many = many();
    let lines: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(is(431, &proxy.call("/open/", &lines).0));
    // WebSockets pass, and those alone.
    let good = bearer(token(|_| ()));
    let (_, body) = proxy.call("/billing/", &[&good, "Connection: Upgrade", "Upgrade: WebSocket"]);
    assert!(body.contains("\nConnection: Upgrade\n") && body.contains("\nUpgrade: websocket\n"), "{body}");
    assert_eq!(reached(&body), WHOLE);
    let (head, body) = proxy.call("/billing/", &["Connection: Upgrade", "Upgrade: websocket"]);
    assert!(is(401, &head) && !body.contains("HTTP/1."), "{head} {body}");
}
