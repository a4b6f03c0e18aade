//! A person's browser, and the programs that send it here.

use std::cell::RefCell;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::FORM;
use crate::gateway::{Answer, Gateway, client, http};
use crate::process::Gateway as Process;

/// RFC 7636 appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const APP_URI: &str = "https://app.example/cb?tenant=a";
pub(super) const SITE_URI: &str = "https://site.example/cb";
pub(super) const SITE_SECRET: &str = "an-example-of-a-secret-of-a-site";

/// A gateway that lets anybody in, with a public client whose people are asked, and one with a secret whose people are not.
pub(super) fn configuration() -> String {
    let site = client("site", SITE_SECRET, &["requests:read"]);
    format!(
        "[accounts]\nlogin = \"any\"\n\
         [clients.app]\nname = \"The App\"\npublic = true\nscopes = [\"requests:read\", \"requests:write\", \"admin\"]\n\
         redirect_uris = [\"{APP_URI}\", \"http://127.0.0.1/cb\"]\n\
         {site}redirect_uris = [\"{SITE_URI}\"]\nconsent = \"auto\"\n"
    )
}

pub(super) fn gateway() -> Gateway {
    Gateway::configured(&configuration())
}

/// Pairs as a query or a form.
pub(super) fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The request of a client that does everything right, but for these parameters; an empty one is left out.
pub(super) fn request(client: &str, uri: &str, but: &[(&str, &str)]) -> String {
    let right = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", uri),
        ("state", "a b&c"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let kept = right.into_iter().filter(|(name, _)| but.iter().all(|(other, _)| other != name));
    let pairs: Vec<_> = kept.chain(but.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
    format!("/oauth/authorize?{}", encoded(&pairs))
}

/// A gateway that can be called, in this process or one of its own.
pub(crate) trait Callable {
    fn call(&self, method: Method, path: &str) -> RequestBuilder;
}

impl Callable for Gateway {
    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        Self::call(self, method, path)
    }
}

impl Callable for Process {
    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        http().request(method, format!("{}{path}", self.base()))
    }
}

/// A browser: it keeps its cookie.
pub(crate) struct Browser<'g> {
    gateway: &'g dyn Callable,
    pub(super) cookie: RefCell<String>,
}

impl<'g> Browser<'g> {
    pub(crate) fn new(gateway: &'g dyn Callable) -> Self {
        Self { gateway, cookie: RefCell::default() }
    }

    pub(super) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let call = self.gateway.call(method, path);
        let cookie = self.cookie.borrow();
        if cookie.is_empty() { call } else { call.header("cookie", format!("other=1; {cookie}")) }
    }

    pub(super) async fn answer(&self, call: RequestBuilder) -> Answer {
        let answer = Answer::to(call).await;
        let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default();
        if !cookie.is_empty() {
            cookie.clone_into(&mut self.cookie.borrow_mut());
        }
        answer
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.answer(self.call(Method::GET, path)).await
    }

    /// Sends a form of these fields.
    pub(super) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.answer(self.call(Method::POST, path).header("content-type", FORM).body(encoded(fields))).await
    }

    /// Fills in the form of a page and sends it.
    pub(crate) async fn submit(&self, path: &str, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let hidden = hidden(page);
        let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<_> = hidden.chain(fields.iter().copied()).collect();
        self.send(path, &all).await
    }

    /// Follows a client's request to the login, logs in, and answers what comes after it.
    pub(crate) async fn log_in(&self, request: &str) -> Answer {
        let page = self.get(request).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let answer = self.submit("/oauth/login", &page, &[("name", "ada"), ("password", "any will do")]).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        self.get(&format!("/oauth/{}", answer.header("location"))).await
    }

    /// Goes all the way, and answers the code.
    pub(super) async fn code(&self, request: &str) -> String {
        let mut answer = self.log_in(request).await;
        if answer.status == 200 {
            answer = self.submit(request, &answer, &[("decision", "allow")]).await;
        }
        parameter(&answer, "code")
    }
}

/// The hidden fields of a page's first form; the one to log out comes after it.
pub(super) fn hidden(page: &Answer) -> Vec<(String, String)> {
    let inputs = page.text.split("</form>").next().unwrap().split("<input type=\"hidden\" name=\"").skip(1);
    let fields = inputs.map(|input| {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        let value = rest.split_once('"').unwrap().0;
        (name.to_owned(), value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    });
    fields.collect()
}

/// A parameter of the address that an answer leads to.
pub(super) fn parameter(answer: &Answer, name: &str) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text);
    let (_, query) = answer.header("location").split_once('?').unwrap();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(found, _)| found == name).unwrap_or_else(|| panic!("no {name} in {query}")).1.into_owned()
}

/// What the token endpoint answers.
pub(super) async fn token(gateway: &dyn Callable, fields: &[(&str, &str)]) -> Answer {
    let call = gateway.call(Method::POST, "/oauth/token").header("content-type", FORM);
    Answer::to(call.body(encoded(fields))).await
}

/// A public client redeems a code, but for these parameters.
pub(super) async fn redeem(gateway: &dyn Callable, code: &str, but: &[(&str, &str)]) -> Answer {
    let right = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", code),
        ("redirect_uri", APP_URI),
        ("code_verifier", VERIFIER),
    ];
    let kept = right.into_iter().filter(|(name, _)| but.iter().all(|(other, _)| other != name));
    token(gateway, &kept.chain(but.iter().copied()).collect::<Vec<_>>()).await
}

pub(super) async fn refresh(gateway: &dyn Callable, refresh_token: &str, more: &[(&str, &str)]) -> Answer {
    let mut fields = vec![("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", refresh_token)];
    fields.extend(more);
    token(gateway, &fields).await
}

/// A text member of an answer that must be good.
pub(super) fn member(answer: &Answer, name: &str) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()[name].as_str().unwrap_or_else(|| panic!("no {name}")).to_owned()
}

/// That nothing is to be had for it.
pub(super) fn assert_no_grant(answer: &Answer) {
    let error = answer.json()["error"].clone();
    assert_eq!((answer.status, error), (400, Value::from("invalid_grant")), "{}", answer.text);
}

/// What the API says of an access token: the status, and the code of the problem.
pub(super) async fn standing(gateway: &dyn Callable, access_token: &str) -> (u16, Value) {
    let answer = Answer::to(gateway.call(Method::GET, "/v1/whoami").bearer_auth(access_token)).await;
    (answer.status, answer.json()["code"].clone())
}
