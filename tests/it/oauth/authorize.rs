//! `/oauth/authorize`: what a person sees, where their browser goes on to, and where it never does.

use reqwest::Method;
use serde_json::json;

use super::flow::{
    APP_URI, Browser, CHALLENGE, SITE_SECRET, SITE_URI, VERIFIER, configuration, gateway, member, parameter, redeem,
    request,
};
use crate::gateway::{Answer, Gateway};

/// A page in whole but for its text: its headers, and that nothing in it is a script, or bound to a place.
pub(super) fn assert_page(answer: &Answer, status: u16, onward: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (status, "text/html; charset=utf-8"), "{}", answer.text);
    let policy = answer.header("content-security-policy");
    let (style, rest) =
        policy.strip_prefix("default-src 'none'; style-src 'sha256-").unwrap().split_once("='; ").unwrap();
    assert_eq!(style.len(), 43);
    assert_eq!(rest, format!("form-action 'self'{onward}; base-uri 'none'; frame-ancestors 'none'"));
    assert_eq!((answer.header("x-frame-options"), answer.header("cache-control")), ("DENY", "no-store"));
    assert_eq!((answer.header("referrer-policy"), answer.header("location")), ("same-origin", ""));
    assert!(answer.text.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{}", answer.text);
    for bad in ["<script", "<img", "<link", "href=\"/", "action=\"/", "http-equiv"] {
        assert!(!answer.text.contains(bad), "{bad} in {}", answer.text);
    }
}

#[tokio::test]
async fn a_person_logs_in_and_allows_what_is_asked_for() {
    let gateway = gateway();
    let (browser, asked) = (Browser::new(&gateway), request("app", APP_URI, &[]));
    let login = browser.get(&asked).await;
    assert_page(&login, 200, " https://app.example");
    let cookie = login.header("set-cookie").to_owned();
    let (value, attributes) = cookie.strip_prefix("anteroom_session=").unwrap().split_once("; ").unwrap();
    assert_eq!((value.len(), attributes), (43, "Path=/; Max-Age=28800; HttpOnly; SameSite=Lax"));
    for field in ["<label for=\"name\">Name</label>", "<label for=\"password\">Password</label>", "action=\"login\""] {
        assert!(login.text.contains(field), "{field} in {}", login.text);
    }

    let logged_in = browser.submit("/oauth/login", &login, &[("name", "ada"), ("password", "x")]).await;
    let session = logged_in.header("set-cookie").to_owned();
    assert!(session.starts_with("anteroom_session=") && !session.contains(value), "a new one at login: {session}");
    assert_eq!((logged_in.status, logged_in.text.as_str()), (303, ""));
    let consent = browser.get(&format!("/oauth/{}", logged_in.header("location"))).await;
    assert_page(&consent, 200, " https://app.example");
    for told in [
        "<h1>Allow The App?</h1>",
        "<strong>The App</strong> (<code>app</code>) asks",
        "Read your requests, their status and their results (<code>requests:read</code>)",
        "Submit and cancel your requests (<code>requests:write</code>)",
        "<strong>ada</strong>",
        "<code>https://app.example</code>",
    ] {
        assert!(consent.text.contains(told), "{told} in {}", consent.text);
    }
    assert!(!consent.text.contains("admin"), "what the person may not do: {}", consent.text);

    let allowed = browser.submit(&asked, &consent, &[("decision", "allow")]).await;
    let code = parameter(&allowed, "code");
    let whole = format!("{APP_URI}&code={code}&state=a+b%26c&iss=http%3A%2F%2Flocalhost%3A8080");
    assert_eq!(
        (allowed.header("location"), allowed.header("cache-control"), code.len()),
        (whole.as_str(), "no-store", 43)
    );
    let issued = redeem(&gateway, &code, &[]).await;
    let (access, refresh) = (member(&issued, "access_token"), member(&issued, "refresh_token"));
    let whole = json!({
        "access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh,
        "scope": "requests:read requests:write",
    });
    assert_eq!((issued.json(), issued.header("cache-control")), (whole, "no-store"));
    let caller = gateway.get(&access, "/v1/whoami").await.json();
    assert_eq!((&caller["subject"], &caller["client_id"]), (&json!("any:ada"), &json!("app")));
    gateway.submit(&access).await;
}

#[tokio::test]
async fn who_is_logged_in_and_is_not_asked_goes_on_at_once_for_eight_hours() {
    let gateway = gateway();
    let (browser, asked) = (Browser::new(&gateway), request("site", SITE_URI, &[]));
    browser.code(&asked).await;
    parameter(&browser.get(&asked).await, "code");
    gateway.advance(8 * 3600 - 1);
    parameter(&browser.get(&asked).await, "code");
    gateway.advance(1);
    assert_page(&browser.get(&asked).await, 200, " https://site.example");
}

/// RFC 9700 section 2.1, D2: the browser goes nowhere that is not certainly the client's.
#[tokio::test]
async fn an_unknown_client_or_address_is_a_page_and_never_a_redirect() {
    let gateway = gateway();
    let bad = [
        request("nobody", APP_URI, &[]),
        request("", APP_URI, &[]),
        request("app", "", &[]),
        request("app", "https://app.example/cb", &[]),
        request("app", "https://app.example/cb?tenant=a&more", &[]),
        request("app", "https://evil.example/cb?tenant=a", &[]),
        request("app", SITE_URI, &[]),
        request("app", "http://127.0.0.1.evil.example/cb", &[]),
        request("app", "http://127.0.0.1:80@evil.example/cb", &[]),
        request("app", "javascript:alert(1)", &[]),
        format!("{}&client_id=site", request("app", APP_URI, &[])),
        format!("{}&redirect_uri=https://evil.example", request("app", APP_URI, &[])),
        "/oauth/authorize".to_owned(),
    ];
    for asked in bad {
        let answer = Browser::new(&gateway).get(&asked).await;
        assert_page(&answer, 400, "");
        assert!(answer.text.contains("<h1>This link does not work</h1>") && !answer.text.contains("evil"), "{asked}");
    }
}

/// RFC 8252 section 7.3.
#[tokio::test]
async fn a_program_on_this_machine_takes_any_port() {
    let gateway = gateway();
    let uri = "http://127.0.0.1:49152/cb";
    let code = Browser::new(&gateway).code(&request("app", uri, &[])).await;
    member(&redeem(&gateway, &code, &[("redirect_uri", uri)]).await, "access_token");
    // One with a secret is no program on somebody's machine.
    let toml = configuration().replace(SITE_URI, "http://127.0.0.1/cb");
    let gateway = Gateway::configured(&toml);
    assert_page(&Browser::new(&gateway).get(&request("site", uri, &[])).await, 400, "");
}

/// D3, and RFC 6749 section 4.1.2.1: told to the client, with its state and who answers.
#[tokio::test]
async fn what_else_is_wrong_is_told_to_the_client() {
    let gateway = gateway();
    let repeated = |name: &str| format!("{}&{name}=x", request("app", APP_URI, &[]));
    let cases = [
        (request("app", APP_URI, &[("code_challenge", "")]), "invalid_request"),
        (request("app", APP_URI, &[("code_challenge_method", "")]), "invalid_request"),
        (request("app", APP_URI, &[("code_challenge_method", "plain")]), "invalid_request"),
        (request("app", APP_URI, &[("code_challenge", &CHALLENGE[1..])]), "invalid_request"),
        (request("app", APP_URI, &[("code_challenge", &CHALLENGE.replace('-', "+"))]), "invalid_request"),
        (request("app", APP_URI, &[("response_type", "")]), "invalid_request"),
        (request("app", APP_URI, &[("response_type", "token")]), "unsupported_response_type"),
        (request("app", APP_URI, &[("response_mode", "fragment")]), "invalid_request"),
        (request("app", APP_URI, &[("request_uri", "https://evil.example")]), "request_uri_not_supported"),
        (request("app", APP_URI, &[("request", "x.y.z")]), "request_not_supported"),
        (request("app", APP_URI, &[("prompt", "none login")]), "invalid_request"),
        (request("app", APP_URI, &[("prompt", "none")]), "login_required"),
        (repeated("scope") + "&scope=y", "invalid_request"),
        (repeated("code_challenge"), "invalid_request"),
    ];
    for (asked, error) in cases {
        let answer = Browser::new(&gateway).get(&asked).await;
        assert_eq!(parameter(&answer, "error"), error, "{asked}");
        assert_eq!(parameter(&answer, "state"), "a b&c");
        assert_eq!(parameter(&answer, "iss"), "http://localhost:8080");
        assert!(
            answer.header("location").starts_with(&format!("{APP_URI}&error="))
                && answer.header("set-cookie").is_empty()
        );
    }
    let two_states = Browser::new(&gateway).get(&repeated("state")).await;
    assert!(!two_states.header("location").contains("state="), "which is meant is not guessed at");
}

/// D3: a secret is no reason to do without PKCE, and neither is a method that is left out, which RFC 7636 has mean `plain`.
#[tokio::test]
async fn a_client_with_a_secret_needs_pkce_as_well() {
    let gateway = gateway();
    for but in [
        &[("code_challenge", ""), ("code_challenge_method", "")][..],
        &[("code_challenge_method", "")],
        &[("code_challenge_method", "plain")],
        &[("code_challenge", VERIFIER), ("code_challenge_method", "plain")],
        &[("code_challenge", "")],
    ] {
        let answer = Browser::new(&gateway).get(&request("site", SITE_URI, but)).await;
        assert_eq!(parameter(&answer, "error"), "invalid_request", "{but:?}");
        assert!(parameter(&answer, "error_description").starts_with("PKCE is required"), "{but:?}");
    }
    let code = Browser::new(&gateway).code(&request("site", SITE_URI, &[])).await;
    let proven = [("client_id", "site"), ("client_secret", SITE_SECRET), ("redirect_uri", SITE_URI)];
    for verifier in ["", CHALLENGE] {
        let answer = redeem(&gateway, &code, &[&proven[..], &[("code_verifier", verifier)]].concat()).await;
        assert_eq!(answer.status, 400, "{verifier}: {}", answer.text);
    }
    member(&redeem(&gateway, &code, &proven).await, "access_token");
}

#[tokio::test]
async fn what_is_asked_for_is_narrowed_to_what_can_be_had() {
    let gateway = gateway();
    let asked = request("app", APP_URI, &[("scope", "openid requests:read admin")]);
    let code = Browser::new(&gateway).code(&asked).await;
    assert_eq!(member(&redeem(&gateway, &code, &[]).await, "scope"), "requests:read");
    for none in ["openid", "admin", "requests:work"] {
        let answer = Browser::new(&gateway).log_in(&request("app", APP_URI, &[("scope", none)])).await;
        assert_eq!(parameter(&answer, "error"), "invalid_scope", "{none}");
    }
    // What the person may do and the client may not.
    let answer = Browser::new(&gateway).log_in(&request("site", SITE_URI, &[("scope", "requests:write")])).await;
    assert_eq!(parameter(&answer, "error"), "invalid_scope");
    let code = Browser::new(&gateway).code(&request("site", SITE_URI, &[])).await;
    let proven = [("client_id", "site"), ("client_secret", SITE_SECRET), ("redirect_uri", SITE_URI)];
    assert_eq!(member(&redeem(&gateway, &code, &proven).await, "scope"), "requests:read");
}

#[tokio::test]
async fn prompt_says_how_the_person_is_asked() {
    let gateway = gateway();
    let browser = Browser::new(&gateway);
    browser.code(&request("site", SITE_URI, &[])).await;
    let silently = browser.get(&request("site", SITE_URI, &[("prompt", "none")])).await;
    parameter(&silently, "code");
    let asking = browser.get(&request("app", APP_URI, &[("prompt", "none")])).await;
    assert_eq!(parameter(&asking, "error"), "consent_required");
    let consent = browser.get(&request("site", SITE_URI, &[("prompt", "consent")])).await;
    assert!(consent.text.contains("<h1>Allow site?</h1>"), "{}", consent.text);
    let login = browser.get(&request("site", SITE_URI, &[("prompt", "login")])).await;
    assert!(login.text.contains("<h1>Log in</h1>"), "{}", login.text);
    let after = browser.submit("/oauth/login", &login, &[("name", "bob"), ("password", "x")]).await;
    parameter(&browser.get(&format!("/oauth/{}", after.header("location"))).await, "code");
}

#[tokio::test]
async fn who_says_no_is_taken_at_their_word() {
    let gateway = gateway();
    let (browser, asked) = (Browser::new(&gateway), request("app", APP_URI, &[]));
    let consent = browser.log_in(&asked).await;
    let answer = browser.submit(&asked, &consent, &[("decision", "deny")]).await;
    assert_eq!((parameter(&answer, "error"), parameter(&answer, "state")), ("access_denied".into(), "a b&c".into()));
}

/// No page of another origin can log a person in or consent for them.
#[tokio::test]
async fn a_form_that_this_browser_was_not_shown_does_nothing() {
    let gateway = gateway();
    let (browser, asked) = (Browser::new(&gateway), request("app", APP_URI, &[]));
    let login = browser.get(&asked).await;
    let person = [("name", "ada"), ("password", "x")];
    let stranger = Browser::new(&gateway);
    assert_page(&stranger.submit("/oauth/login", &login, &person).await, 403, " https://app.example");
    let consent = browser.log_in(&asked).await;
    let own = gateway.url("");
    for (origin, status) in [("https://evil.example", 403), ("null", 403), (&own, 303)] {
        let token = consent.text.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let body = super::flow::encoded(&[("form_token", token), ("decision", "allow")]);
        let call = browser.call(Method::POST, &asked).header("origin", origin).header("content-type", super::FORM);
        assert_eq!(browser.answer(call.body(body)).await.status, status, "{origin}");
    }
    for token in ["", "0"] {
        let answer = browser.send(&asked, &[("form_token", token), ("decision", "allow")]).await;
        assert_page(&answer, 403, " https://app.example");
    }
    // A login of a stranger's choice: the cookie of one browser with the form of another.
    let other = Browser::new(&gateway).get(&asked).await;
    assert_eq!(browser.submit("/oauth/login", &other, &person).await.status, 403);
}

#[tokio::test]
async fn a_login_goes_on_to_pages_of_the_gateway_alone() {
    let gateway = gateway();
    let browser = Browser::new(&gateway);
    browser.get(&request("app", APP_URI, &[])).await;
    for to in [
        "",
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "authorize#x",
        "../ui/",
        "authorize?\r\nx",
    ] {
        let answer = browser.send("/oauth/login", &[("name", "ada"), ("password", "x"), ("to", to)]).await;
        assert_page(&answer, 400, "");
        assert!(answer.text.contains("The page to go on to after the login is none of this gateway's."), "{to}");
    }
}

/// D13: nothing that anybody sends or is called becomes part of a page.
#[tokio::test]
async fn what_is_written_into_a_page_stays_text() {
    let attack = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";
    let toml = configuration().replace("name = \"The App\"", &format!("name = '''{attack}'''"));
    let gateway = Gateway::configured(&toml);
    let asked = request("app", APP_URI, &[("state", attack), ("scope", "requests:read"), ("ui_locales", attack)]);
    let browser = Browser::new(&gateway);
    let login = browser.get(&asked).await;
    assert_page(&login, 200, " https://app.example");
    let named = browser.submit("/oauth/login", &login, &[("name", attack), ("password", "x")]).await;
    assert!(!named.text.contains("<script") && !named.text.contains("<img"), "{}", named.text);
    let consent = browser.log_in(&asked).await;
    assert_page(&consent, 200, " https://app.example");
    assert!(consent.text.contains("&quot;'&gt;&lt;script&gt;"), "{}", consent.text);
    let allowed = browser.submit(&asked, &consent, &[("decision", "allow")]).await;
    assert_eq!(parameter(&allowed, "state"), attack);
    assert!(!allowed.header("location").contains(['<', '"', '\'']));
    let nowhere = browser.get(&request(attack, attack, &[])).await;
    assert_page(&nowhere, 400, "");
}

#[tokio::test]
async fn behind_a_prefix_the_cookie_is_the_prefixs_own() {
    let toml = configuration().replace("login = \"any\"", "registration = \"off\"");
    let server =
        "[server]\nmode = \"production\"\npublic_url = \"https://gw.example/anteroom\"\n[shutdown]\ndelay = \"0s\"\n";
    let gateway = Gateway::configured(&format!("{server}{toml}"));
    let (browser, asked) = (Browser::new(&gateway), request("app", APP_URI, &[]));
    let login = browser.get(&asked).await;
    assert_page(&login, 200, " https://app.example");
    let (cookie, attributes) = login.header("set-cookie").split_once("; ").unwrap();
    assert!(cookie.starts_with("__Secure-anteroom_session="), "{cookie}");
    assert_eq!(attributes, "Path=/anteroom; Max-Age=28800; HttpOnly; SameSite=Lax; Secure");
    let wrong = browser.submit("/oauth/login", &login, &[("name", "ada"), ("password", "not a password")]).await;
    assert_page(&wrong, 403, " https://app.example");
    assert!(
        wrong.text.contains("role=\"alert\">There is no such account, or the password is wrong."),
        "{}",
        wrong.text
    );
}
