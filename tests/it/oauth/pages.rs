//! What the pages for people have in common: whose form counts, how one logs out, and how one is told that something went wrong.

use reqwest::Method;

use super::FORM;
use super::authorize::assert_page;
use super::flow::{APP_URI, Browser, configuration, encoded, gateway, hidden, request};
use crate::gateway::{Answer, Gateway, break_records, http};
use crate::process::Gateway as Process;

const STALE: &str = "This page was open for too long, or your browser keeps no cookies of this site. Please try again.";

/// One that could be a session's.
const COOKIE: &str = "anteroom_session=0123456789012345678901234567890123456789012";

/// That it is a page that tells this, and by what the operator can find it.
fn assert_told(answer: &Answer, status: u16, told: &str) {
    assert_page(answer, status, "");
    assert!(answer.text.contains(&format!("<p>{told}</p>")), "{told} in {}", answer.text);
    let trace_id = format!("<code>{}</code>", answer.header("x-trace-id"));
    assert!(answer.text.contains(&trace_id), "{trace_id} in {}", answer.text);
}

#[tokio::test]
async fn without_its_store_the_gateway_tells_people_on_a_page() {
    let gateway = Gateway::configured(&format!("[store]\nurl = \"sqlite:anteroom.db\"\n{}", configuration()));
    let (browser, asked) = (Browser::new(&gateway), request("app", APP_URI, &[]));
    let consent = browser.log_in(&asked).await;
    gateway.break_records();
    for answer in [
        browser.get(&asked).await,
        browser.get("/device").await,
        browser.submit(&asked, &consent, &[("decision", "allow")]).await,
        browser.submit("/device", &consent, &[("user_code", "BBBB-BBBB")]).await,
        browser.submit("/oauth/login", &consent, &[("name", "ada"), ("password", "x"), ("to", "authorize?x")]).await,
        browser.submit("/oauth/logout", &consent, &[]).await,
    ] {
        assert_told(&answer, 503, "This can not be done at the moment. Please try again shortly.");
        assert_eq!(answer.header("retry-after"), "5");
        assert!(!answer.text.contains("Idempotency-Key"), "{}", answer.text);
    }
}

/// One line for each, by which the operator finds what a person or a program was told.
#[tokio::test]
async fn what_fails_here_is_logged_once_under_its_trace_id() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = Process::configured(folder.path(), "[store]\nurl = \"sqlite:anteroom.db\"\n", &[]);
    break_records(&folder.path().join("data"));
    let page = http().get(format!("{}/device", gateway.base())).header("cookie", COOKIE);
    let token = http().post(format!("{}/oauth/token", gateway.base())).basic_auth("added", Some("x"));
    let token = token.header("content-type", FORM).body("grant_type=client_credentials");
    let answers = [Answer::to(page).await, Answer::to(token).await];
    gateway.terminate();
    let (_, log) = gateway.end();
    for answer in answers {
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{}", answer.text);
        let is_about = |line: &&str| line.contains("ERROR") && line.contains(answer.header("x-trace-id"));
        let lines: Vec<_> = log.lines().filter(is_about).collect();
        assert!(lines.len() == 1 && lines[0].contains("no such table"), "{lines:?} in {log}");
    }
}

#[tokio::test]
async fn a_form_that_is_none_is_told_on_a_page() {
    let gateway = gateway();
    let (browser, asked) = (Browser::new(&gateway), request("app", APP_URI, &[]));
    let consent = browser.log_in(&asked).await;
    let neither = "The form says neither &quot;allow&quot; nor &quot;deny&quot;.";
    assert_told(&browser.submit(&asked, &consent, &[("decision", "perhaps")]).await, 400, neither);
    for path in ["/oauth/login", "/oauth/logout", "/device", &asked] {
        let twice = browser.send(path, &[("decision", "allow"), ("decision", "deny")]).await;
        assert_told(&twice, 400, "A field of the form is repeated.");
        let json = browser.call(Method::POST, path).header("content-type", "application/json").body("{}");
        assert_told(&Answer::to(json).await, 415, "Only a form is read here, as a browser sends it.");
    }
}

/// The session is ended, and not the cookie alone.
#[tokio::test]
async fn who_logs_out_is_logged_out() {
    let gateway = gateway();
    let (browser, asked) = (Browser::new(&gateway), request("app", APP_URI, &[]));
    let consent = browser.log_in(&asked).await;
    let device = browser.get("/device").await;
    for (page, action) in [(&consent, "logout"), (&device, "oauth/logout")] {
        let form = format!("<form method=\"post\" action=\"{action}\">");
        assert!(page.text.contains(&form) && page.text.contains("Log out"), "{form} in {}", page.text);
    }
    let session = browser.cookie.borrow().clone();
    let forged = browser.send("/oauth/logout", &[("form_token", "x")]).await;
    assert_page(&forged, 403, "");
    assert!(forged.text.contains("<h1>You are still logged in</h1>") && forged.text.contains(STALE), "{}", forged.text);
    assert!(browser.get(&asked).await.text.contains("<h1>Allow The App?</h1>"));
    let done = browser.submit("/oauth/logout", &forged, &[]).await;
    assert_page(&done, 200, "");
    assert!(done.text.contains("<h1>You are logged out</h1>"), "{}", done.text);
    assert_eq!(done.header("set-cookie"), "anteroom_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    // Whoever has kept the cookie has kept nothing.
    browser.cookie.replace(session);
    for path in [&*asked, "/device"] {
        assert!(browser.get(path).await.text.contains("<h1>Log in</h1>"), "{path}");
    }
    let again = browser.send("/oauth/logout", &[]).await;
    assert!(again.text.contains("<h1>You are logged out</h1>"), "{}", again.text);
}

#[tokio::test]
async fn another_person_can_connect_a_device_from_the_same_browser() {
    let gateway = gateway();
    let browser = Browser::new(&gateway);
    let page = browser.log_in("/device?user_code=WDJB-MJHT").await;
    assert!(page.text.contains("<a href=\"device?user_code=WDJB-MJHT&amp;prompt=login\">Log in as somebody else</a>"));
    let login = browser.get("/device?user_code=WDJB-MJHT&prompt=login").await;
    assert_page(&login, 200, "");
    let answer = browser.submit("/oauth/login", &login, &[("name", "bob"), ("password", "x")]).await;
    assert_eq!((answer.status, answer.header("location")), (303, "../device?user_code=WDJB-MJHT"));
    let page = browser.get("/device?user_code=WDJB-MJHT").await;
    assert!(page.text.contains("<strong>bob</strong>") && page.text.contains("value=\"WDJB-MJHT\""), "{}", page.text);
}

/// Another program of the same host can put a cookie before ours.
#[tokio::test]
async fn a_cookie_that_is_none_of_ours_logs_nobody_out() {
    let gateway = gateway();
    let (browser, asked) = (Browser::new(&gateway), request("app", APP_URI, &[]));
    browser.log_in(&asked).await;
    let session = browser.cookie.borrow().clone();
    for before in ["anteroom_session=x", "anteroom_session=", "anteroom_session=\"\"", "anteroom_session"] {
        browser.cookie.replace(format!("{before}; {session}"));
        assert!(browser.get(&asked).await.text.contains("<h1>Allow The App?</h1>"), "{before}");
    }
}

#[tokio::test]
async fn a_form_of_another_site_or_origin_does_nothing() {
    let gateway = gateway();
    let (browser, asked) = (Browser::new(&gateway), request("app", APP_URI, &[]));
    let consent = browser.log_in(&asked).await;
    for (site, status) in [("cross-site", 403), ("same-site", 403), ("none", 303), ("same-origin", 303)] {
        let mut fields = hidden(&consent);
        fields.push(("decision".into(), "allow".into()));
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let call = browser.call(Method::POST, &asked).header("content-type", FORM).header("sec-fetch-site", site);
        assert_eq!(Answer::to(call.body(encoded(&fields))).await.status, status, "{site}");
    }
}

/// With `public_url` the scheme is known, and a page on a plain connection is not ours.
#[tokio::test]
async fn a_form_of_a_plain_connection_does_nothing_on_https() {
    let server = "[server]\nmode = \"production\"\npublic_url = \"https://gw.example\"\n[shutdown]\ndelay = \"0s\"\n";
    let toml = configuration().replace("login = \"any\"", "registration = \"off\"");
    let gateway = Gateway::configured(&format!("{server}{toml}"));
    let browser = Browser::new(&gateway);
    let login = browser.get(&request("app", APP_URI, &[])).await;
    let (plain, tls) = (gateway.url(""), gateway.url("").replace("http:", "https:"));
    for (origin, is_stale) in
        [("https://gw.example", false), (&*tls, false), ("http://gw.example", true), (&*plain, true), ("null", true)]
    {
        let mut fields = hidden(&login);
        fields.extend([("name".into(), "ada".into()), ("password".into(), "x".into())]);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let call = browser.call(Method::POST, "/oauth/login").header("content-type", FORM).header("origin", origin);
        let answer = Answer::to(call.body(encoded(&fields))).await;
        assert_eq!((answer.status, answer.text.contains(STALE)), (403, is_stale), "{origin}: {}", answer.text);
    }
}
