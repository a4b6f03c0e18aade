//! What a proxy says of the call that it asks about, and who is believed in that.

use reqwest::Method;

use super::{token, with_guards};
use crate::gateway::{Answer, Gateway, problem};

const PRODUCTION: &str = "[server]\nmode = \"production\"\n";
const TRUSTING: &str = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n";

/// The guards, with tokens in the query allowed.
fn with_queries(server: &str) -> Gateway {
    with_guards(&format!("verify.token_in_query = true\n{server}"))
}

async fn ask(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> Answer {
    let call = gateway.call(Method::GET, path);
    Answer::to(headers.iter().fold(call, |call, (name, value)| call.header(*name, *value))).await
}

#[tokio::test]
async fn the_token_in_a_forwarded_address_counts_when_a_trusted_proxy_says_so() {
    let (trusting, other) = (with_queries(TRUSTING), with_queries(PRODUCTION));
    let good = token(|_| ());
    let address = format!("/invoices/7?page=1&access_token={good}#x");
    for name in ["x-forwarded-uri", "x-original-uri"] {
        assert_eq!(ask(&trusting, "/guard/billing", &[(name, &address)]).await.status, 200, "{name}");
        assert_eq!(ask(&other, "/guard/billing", &[(name, &address)]).await.status, 401, "{name}");
    }
    // Caddy keeps the query of the call when it asks: the same token, not a second one.
    let (path, bearer) = (format!("/guard/billing?access_token={good}"), format!("Bearer {good}"));
    assert_eq!(ask(&trusting, &path, &[("x-forwarded-uri", &address)]).await.status, 200);
    assert_eq!(ask(&trusting, &path, &[("x-forwarded-uri", "/invoices/7")]).await.status, 401);
    assert_eq!(ask(&other, &path, &[("x-forwarded-uri", "/invoices/7")]).await.status, 200);
    let repeated = ask(&trusting, "/guard/billing", &[("x-forwarded-uri", &address), ("authorization", &bearer)]).await;
    assert_eq!((repeated.status, repeated.problem()["code"].as_str()), (400, Some("token_repeated")));
    let fresh = with_guards(TRUSTING);
    assert_eq!(ask(&fresh, "/guard/billing", &[("x-forwarded-uri", &address)]).await.status, 401);
}

#[tokio::test]
async fn what_a_proxy_says_twice_and_differently_is_refused() {
    let trusting = with_queries(TRUSTING);
    let bearer = format!("Bearer {}", token(|_| ()));
    let agree = [("x-forwarded-uri", "/a"), ("x-original-uri", "/a"), ("x-forwarded-method", "PUT")];
    let with_token = |headers: &[(&'static str, &'static str)]| {
        let call = trusting.call(Method::GET, "/guard/billing").header("authorization", &bearer);
        headers.iter().fold(call, |call, (name, value)| call.header(*name, *value))
    };
    assert_eq!(Answer::to(with_token(&agree)).await.status, 200);
    for (headers, names) in [
        ([("x-forwarded-uri", "/a"), ("x-original-uri", "/b")], "x-forwarded-uri and x-original-uri"),
        ([("x-forwarded-uri", "/a"), ("x-forwarded-uri", "/b")], "x-forwarded-uri and x-original-uri"),
        ([("x-forwarded-uri", "/a"), ("x-original-uri", "/ä")], "x-forwarded-uri and x-original-uri"),
        ([("x-forwarded-method", "GET"), ("x-original-method", "PUT")], "x-forwarded-method and x-original-method"),
    ] {
        let answer = Answer::to(with_token(&headers)).await;
        let detail = format!("The headers {names} do not agree, or are no text.");
        assert_eq!(answer.problem(), problem(400, "malformed", "Malformed request", &detail));
    }
}

/// nginx passes on what was sent, and a path need not be text. A query has to be: there could be a token in it.
#[tokio::test]
async fn a_path_that_is_no_text_is_the_services_business() {
    let trusting = with_queries(TRUSTING);
    let good = token(|_| ());
    let ask = async |address: &[u8]| {
        let call = trusting.call(Method::GET, "/guard/billing").bearer_auth(&good);
        Answer::to(call.header("x-original-uri", reqwest::header::HeaderValue::from_bytes(address).unwrap()))
            .await
            .status
    };
    for (address, status) in [
        (&b"/b\xfccher"[..], 200),
        ("/bücher?wort=ä".as_bytes(), 200),
        (b"/b\xfccher?x=1#\xff", 200),
        (b"/b\xfccher?x=\xff", 400),
        (b"/?\xff&access_token=x", 400),
        (b"/b\xfccher?access_token=x", 400),
    ] {
        assert_eq!(ask(address).await, status, "{}", address.escape_ascii());
    }
}

/// Development mode is for one's own machine: what came through a proxy is refused, unless the proxy is one that is named.
#[tokio::test]
async fn development_mode_serves_the_proxies_that_are_named_alone() {
    let (plain, named) = (with_guards(""), with_guards(&format!("{TRUSTING}mode = \"development\"\n")));
    for name in
        ["x-forwarded-uri", "x-forwarded-method", "x-original-uri", "x-original-method", "x-forwarded-for", "via"]
    {
        let refused = ask(&plain, "/guard/open", &[(name, "127.0.0.1")]).await;
        assert_eq!((refused.status, refused.problem()["code"].as_str()), (403, Some("development_mode")), "{name}");
        assert_eq!(ask(&named, "/guard/open", &[(name, "127.0.0.1")]).await.status, 200, "{name}");
    }
    assert_eq!(ask(&named, "/guard/open", &[("host", "evil.example")]).await.status, 403);
}
