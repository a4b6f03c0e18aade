//! `/device`: a person lets a device in, and what the device gets for it; RFC 8628 sections 3.3 and 3.4.

use reqwest::Method;
use serde_json::json;

use super::assert_refused;
use super::device::{begin, configuration, poll};
use super::flow::{Browser, assert_no_grant, encoded, member, refresh, standing};
use crate::gateway::{Answer, Gateway};

const UNKNOWN: &str = "No device waits with this code: it is mistyped, was used, or is older than ten minutes.";
const USED: &str = "the device code is not known, or it was used before";

fn toml() -> String {
    let box_ = "[clients.box]\npublic = true\ngrants = [\"device_code\", \"refresh_token\"]\n";
    format!("[accounts]\nlogin = \"any\"\n{}{box_}", configuration())
}

fn gateway() -> Gateway {
    Gateway::configured(&toml())
}

/// The page that asks for the code, once a person has logged in.
async fn entry(browser: &Browser<'_>) -> Answer {
    let page = browser.log_in("/device").await;
    assert_page(&page, 200, "Connect a device");
    page
}

fn assert_page(page: &Answer, status: u16, title: &str) {
    assert_eq!(page.status, status, "{}", page.text);
    assert!(page.text.contains(&format!("<h1>{title}</h1>")), "{title} in {}", page.text);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(!page.text.contains("<script") && page.text.contains("<html lang=\"en\">"), "{}", page.text);
}

fn assert_alert(page: &Answer, status: u16, alert: &str) {
    assert_page(page, status, "Connect a device");
    assert!(page.text.contains(&format!("<p role=\"alert\">{alert}</p>")), "{alert} in {}", page.text);
}

/// Types the code and decides.
async fn decide(browser: &Browser<'_>, user_code: &str, decision: &str) -> Answer {
    let question = browser.submit("/device", &entry(browser).await, &[("user_code", user_code)]).await;
    assert_eq!(question.status, 200, "{}", question.text);
    browser.submit("/device", &question, &[("decision", decision)]).await
}

#[tokio::test]
async fn a_person_lets_a_device_in_and_it_gets_one_token() {
    let gateway = gateway();
    let (device_code, user_code) = begin(&gateway).await;
    assert_eq!(poll(&gateway, "tv", &device_code).await.json()["error"], "authorization_pending");
    let browser = Browser::new(&gateway);
    let page = browser.log_in(&format!("/device?user_code={user_code}")).await;
    assert_page(&page, 200, "Connect a device");
    assert!(page.text.contains(&format!("value=\"{user_code}\"")), "{}", page.text);
    let typed = user_code.replace('-', " ").to_lowercase();
    let question = browser.submit("/device", &page, &[("user_code", &typed)]).await;
    assert_page(&question, 200, "Allow The &lt;b&gt;TV&lt;/b&gt;?");
    for told in
        [&*user_code, "</strong> (<code>tv</code>) asks", "requests:read", "requests:write", "<strong>ada</strong>"]
    {
        assert!(question.text.contains(told), "{told} in {}", question.text);
    }
    let connected = browser.submit("/device", &question, &[("decision", "allow")]).await;
    assert_page(&connected, 200, "The device is connected");
    assert!(!question.text.contains("<b>") && !connected.text.contains("<b>"), "a client's name stays text");
    // However early it asks: there is nothing to wait for any more.
    let answer = poll(&gateway, "tv", &device_code).await;
    let token = member(&answer, "access_token");
    let whole = json!({
        "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": "requests:read requests:write",
    });
    assert_eq!((answer.json(), answer.header("cache-control")), (whole, "no-store"));
    let caller = gateway.get(&token, "/v1/whoami").await.json();
    assert_eq!((&caller["client_id"], caller["subject"] == "tv"), (&json!("tv"), false), "{caller}");
    assert_refused(&poll(&gateway, "tv", &device_code).await, 400, "invalid_grant", USED);
    let page = browser.get("/device").await;
    let again = browser.submit("/device", &page, &[("user_code", &user_code)]).await;
    assert_alert(&again, 404, UNKNOWN);
}

#[tokio::test]
async fn a_device_that_may_refresh_goes_on_without_the_person() {
    let gateway = gateway();
    let call = gateway.call(Method::POST, "/oauth/device").header("content-type", super::FORM);
    let codes = Answer::to(call.body("client_id=box&scope=requests:read")).await;
    let (device_code, user_code) = (member(&codes, "device_code"), member(&codes, "user_code"));
    decide(&Browser::new(&gateway), &user_code, "allow").await;
    let answer = poll(&gateway, "box", &device_code).await;
    // As the client `app`, whose it is not.
    assert_no_grant(&refresh(&gateway, &member(&answer, "refresh_token"), &[]).await);
    let form =
        [("grant_type", "refresh_token"), ("client_id", "box"), ("refresh_token", &*member(&answer, "refresh_token"))];
    let next = super::flow::token(&gateway, &form).await;
    assert_eq!(member(&next, "scope"), "requests:read");
    assert_eq!(standing(&gateway, &member(&next, "access_token")).await.0, 200);
}

#[tokio::test]
async fn what_a_person_denies_stays_denied() {
    let gateway = gateway();
    let (device_code, user_code) = begin(&gateway).await;
    let page = decide(&Browser::new(&gateway), &user_code, "deny").await;
    assert_page(&page, 200, "The device is not connected");
    for _ in 0..2 {
        let answer = poll(&gateway, "tv", &device_code).await;
        assert_refused(&answer, 400, "access_denied", "the person has denied it");
    }
    let browser = Browser::new(&gateway);
    let again = browser.submit("/device", &entry(&browser).await, &[("user_code", &user_code)]).await;
    assert_alert(&again, 404, UNKNOWN);
}

#[tokio::test]
async fn a_decision_outlives_the_gateway_and_is_redeemed_once() {
    let first = gateway();
    let (device_code, user_code) = begin(&first).await;
    decide(&Browser::new(&first), &user_code, "allow").await;
    let second = Gateway::in_folder(first.stop(), &toml());
    member(&poll(&second, "tv", &device_code).await, "access_token");
    let third = Gateway::in_folder(second.stop(), &toml());
    assert_refused(&poll(&third, "tv", &device_code).await, 400, "invalid_grant", USED);
}

#[tokio::test]
async fn only_a_form_of_this_page_that_a_person_sends_counts() {
    let gateway = gateway();
    let (device_code, user_code) = begin(&gateway).await;
    let fields = [("user_code", &*user_code), ("decision", "allow")];
    let stranger = Browser::new(&gateway).send("/device", &fields).await;
    assert_page(&stranger, 200, "Log in");
    let browser = Browser::new(&gateway);
    let page = entry(&browser).await;
    let stale = "This page was open for too long, or your browser keeps no cookies of this site. Please try again.";
    assert_alert(&browser.send("/device", &fields).await, 403, stale);
    let question = browser.submit("/device", &page, &[("user_code", &user_code)]).await;
    let token = question.text.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let forged = browser.call(Method::POST, "/device").header("origin", "https://evil.example");
    let body = encoded(&[fields[0], fields[1], ("form_token", token)]);
    let forged = Answer::to(forged.header("content-type", super::FORM).body(body)).await;
    assert_alert(&forged, 403, stale);
    assert_eq!(poll(&gateway, "tv", &device_code).await.json()["error"], "authorization_pending");
}

#[tokio::test]
async fn whoever_guesses_codes_is_stopped_and_learns_nothing() {
    let gateway = gateway();
    let (_, user_code) = begin(&gateway).await;
    let browser = Browser::new(&gateway);
    let page = entry(&browser).await;
    let wrong = if user_code.starts_with('B') { "CBBB-BBBB" } else { "BBBB-BBBB" };
    for _ in 0..10 {
        assert_alert(&browser.submit("/device", &page, &[("user_code", wrong)]).await, 404, UNKNOWN);
    }
    // What can be no code is no guess.
    assert_alert(&browser.submit("/device", &page, &[("user_code", "\"><script>")]).await, 404, UNKNOWN);
    gateway.advance(15);
    let stopped = "There were too many codes that no device waits with. Please wait before you try again.";
    let answer = browser.submit("/device", &page, &[("user_code", &user_code)]).await;
    assert_alert(&answer, 429, stopped);
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    gateway.advance(wait);
    let question = browser.submit("/device", &page, &[("user_code", &user_code)]).await;
    assert_page(&question, 200, "Allow The &lt;b&gt;TV&lt;/b&gt;?");
    gateway.advance(600);
    let late = browser.submit("/device", &question, &[("decision", "allow")]).await;
    assert_alert(&late, 404, UNKNOWN);
}
