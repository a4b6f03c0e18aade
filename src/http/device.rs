//! `/device`: a person lets a device in by the code that it shows, RFC 8628 section 3.3.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::Gateway;
use super::notes::for_people;
use super::oauth::login::{LoginPage, STALE};
use super::origin::client_address;
use super::pages::browser::Browser;
use super::pages::form::Form;
use super::pages::{consent, page};
use super::problem::{Problem, whole_seconds};
use crate::oauth::accounts::Person;
use crate::oauth::device::confirmation::{Asking, UserCodeError};

/// More of a code than anybody types; the rest is left out of what is shown again.
const LONGEST: usize = 40;
/// Where the form leads that ends the session.
const LOGOUT: &str = "oauth/logout";

/// Asks for the code.
pub(super) async fn show(gateway: Data<Gateway>, http: HttpRequest) -> Result<HttpResponse, Problem> {
    for_people(&http);
    let browser = Browser::of(&gateway, &http);
    let visit = Visit { gateway: &gateway, http: &http, browser: &browser };
    let parameter = |name: &str| {
        let mut pairs = form_urlencoded::parse(http.query_string().as_bytes());
        pairs.find(|(found, _)| found == name).map(|(_, value)| shortened(&value)).unwrap_or_default()
    };
    let (typed, is_login) = (parameter("user_code"), parameter("prompt") == "login");
    Ok(match browser.person(&gateway).await? {
        Some(person) if !is_login => visit.entry(StatusCode::OK, &person, &typed, None),
        _ => visit.login(&typed),
    })
}

/// Shows which device has that code, and takes what the person says about it.
pub(super) async fn confirm(
    gateway: Data<Gateway>,
    http: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    for_people(&http);
    let form = Form::read(&http, payload).await?;
    let browser = Browser::of(&gateway, &http);
    let visit = Visit { gateway: &gateway, http: &http, browser: &browser };
    let typed = shortened(form.field("user_code"));
    let Some(person) = browser.person(&gateway).await? else { return Ok(visit.login(&typed)) };
    if !browser.has_sent(&gateway, &http, &form) {
        return Ok(visit.entry(StatusCode::FORBIDDEN, &person, &typed, Some(STALE)));
    }
    let (authorization, address) = (&gateway.authorization, client_address(&http, &gateway.server));
    let answer = match form.field("decision") {
        "allow" => authorization.decide_device(&typed, address, &person, true).await.map(|asking| allowed(&asking)),
        "deny" => authorization.decide_device(&typed, address, &person, false).await.map(|asking| denied(&asking)),
        _ => authorization.asking_device(&typed, address, &person).await.map(|asking| visit.question(&person, &asking)),
    };
    answer.or_else(|error| visit.refuse(&person, &typed, error))
}

/// A browser that is at this page.
struct Visit<'a> {
    gateway: &'a Gateway,
    http: &'a HttpRequest,
    browser: &'a Browser,
}

impl Visit<'_> {
    fn login(&self, typed: &str) -> HttpResponse {
        let to = format!("../{}", address(typed));
        let page = LoginPage { to: &to, action: "oauth/login", goes_on_to: None, alert: None, name: "" };
        self.browser.remembering(self.gateway, self.http, page.show(StatusCode::OK, self.browser))
    }

    fn entry(&self, status: StatusCode, person: &Person, typed: &str, alert: Option<&str>) -> HttpResponse {
        let content = html! {
            @if let Some(alert) = alert { p role="alert" { (alert) } }
            (logged_in(person, typed))
            form method="post" action="device" {
                (self.browser.token_field())
                label for="user_code" { "Code that the device shows" }
                input id="user_code" name="user_code" value=(typed) autocomplete="off" autocapitalize="characters"
                    spellcheck="false" maxlength=(LONGEST) aria-describedby="hint" required autofocus;
                p id="hint" { "Eight letters, such as WDJB-MJHT." }
                button type="submit" { "Continue" }
            }
            (consent::logout(self.browser, LOGOUT))
        };
        page(status, "Connect a device", content, None)
    }

    fn question(&self, person: &Person, asking: &Asking) -> HttpResponse {
        let code = asking.user_code.to_string();
        let content = html! {
            (consent::asks(&asking.client, &asking.offered))
            p { "Allow it only if you have begun this yourself, and the device in front of you shows the code "
                strong { (code) } ". Somebody who sent you the code would be let in as you." }
            (logged_in(person, &code))
            form method="post" action="device" {
                (self.browser.token_field())
                input type="hidden" name="user_code" value=(code);
                (consent::decision())
            }
            (consent::logout(self.browser, LOGOUT))
        };
        page(StatusCode::OK, &format!("Allow {}?", asking.client.name), content, None)
    }

    fn refuse(&self, person: &Person, typed: &str, error: UserCodeError) -> Result<HttpResponse, Problem> {
        let (status, wait) = match &error {
            UserCodeError::Unknown => (StatusCode::NOT_FOUND, None),
            UserCodeError::NothingToAllow => (StatusCode::FORBIDDEN, None),
            UserCodeError::Throttled { retry_after } => (StatusCode::TOO_MANY_REQUESTS, Some(*retry_after)),
            UserCodeError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
        };
        if let UserCodeError::Store(error) = error {
            return Err(error.into());
        }
        let mut answer = self.entry(status, person, typed, Some(&error.to_string()));
        if let Some(wait) = wait {
            answer.headers_mut().insert(header::RETRY_AFTER, whole_seconds(wait).into());
        }
        Ok(answer)
    }
}

/// The address of this page with a code filled in, relative to the folder above `oauth`.
fn address(typed: &str) -> String {
    format!("device?user_code={}", form_urlencoded::byte_serialize(typed.as_bytes()).collect::<String>())
}

fn logged_in(person: &Person, typed: &str) -> Markup {
    consent::logged_in(person, &format!("{}&prompt=login", address(typed)))
}

fn allowed(asking: &Asking) -> HttpResponse {
    let content =
        html! { p { strong { (asking.client.name) } " goes on by itself in a few seconds. You can close this page." } };
    page(StatusCode::OK, "The device is connected", content, None)
}

fn denied(asking: &Asking) -> HttpResponse {
    let content =
        html! { p { strong { (asking.client.name) } " is told that you have said no. You can close this page." } };
    page(StatusCode::OK, "The device is not connected", content, None)
}

fn shortened(code: &str) -> String {
    code.chars().take(LONGEST).collect()
}
