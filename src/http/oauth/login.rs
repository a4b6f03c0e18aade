//! `/oauth/login`: a person logs in, and goes on to the page that asked for it.

use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use maud::html;
use secrecy::SecretString;

use crate::http::Gateway;
use crate::http::code::Code;
use crate::http::notes::for_people;
use crate::http::origin::client_address;
use crate::http::pages::browser::Browser;
use crate::http::pages::form::Form;
use crate::http::pages::{page, see_other};
use crate::http::problem::{Problem, whole_seconds};
use crate::oauth::accounts::LoginError;
use crate::oauth::authorize::{AuthorizationError, AuthorizationParameters};

/// Longer addresses are not gone on to; a browser that follows a link of ours sends none.
const LONGEST: usize = 16 << 10;

/// What the login page shows.
pub(in crate::http) struct LoginPage<'a> {
    /// The page to go on to, relative to this folder: `authorize?…` or `../device?…`.
    pub(in crate::http) to: &'a str,
    /// The address of `/oauth/login`, relative to the page that is shown.
    pub(in crate::http) action: &'a str,
    /// The redirect URI that going on may end at.
    pub(in crate::http) goes_on_to: Option<&'a str>,
    /// What went wrong before.
    pub(in crate::http) alert: Option<&'a str>,
    /// The name that was given before.
    pub(in crate::http) name: &'a str,
}

impl LoginPage<'_> {
    /// The page.
    pub(in crate::http) fn show(&self, status: StatusCode, browser: &Browser) -> HttpResponse {
        let content = html! {
            @if let Some(alert) = self.alert { p role="alert" { (alert) } }
            form method="post" action=(self.action) {
                (browser.token_field())
                input type="hidden" name="to" value=(self.to);
                label for="name" { "Name" }
                input id="name" name="name" value=(self.name) autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus;
                label for="password" { "Password" }
                input id="password" name="password" type="password" autocomplete="current-password" required;
                button type="submit" { "Log in" }
            }
        };
        page(status, "Log in", content, self.goes_on_to)
    }
}

/// A person logs in.
pub(in crate::http) async fn log_in(
    gateway: Data<Gateway>,
    http: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    for_people(&http);
    let form = Form::read(&http, payload).await?;
    let to = form.field("to");
    if !is_own_page(to) {
        return Err(Problem::detailed(
            Code::Malformed,
            "The page to go on to after the login is none of this gateway's.",
        ));
    }
    let browser = Browser::of(&gateway, &http);
    let goes_on_to = redirect_uri(&gateway, to).await?;
    let again = |browser: &Browser, (status, alert, wait): (StatusCode, &str, Option<Duration>)| {
        let goes_on_to = goes_on_to.as_deref();
        let page = LoginPage { to, action: "login", goes_on_to, alert: Some(alert), name: form.field("name") };
        let mut answer = page.show(status, browser);
        if let Some(wait) = wait {
            answer.headers_mut().insert(header::RETRY_AFTER, whole_seconds(wait).into());
        }
        browser.remembering(&gateway, &http, answer)
    };
    if !browser.has_sent(&gateway, &http, &form) {
        return Ok(again(&browser, (StatusCode::FORBIDDEN, STALE, None)));
    }
    let password = SecretString::from(form.field("password"));
    let address = client_address(&http, &gateway.server);
    let logged_in = async {
        let person = gateway.authorization.log_in(form.field("name"), &password, address).await?;
        browser.log_in(&gateway, &person).await
    };
    match logged_in.await {
        Ok(browser) => Ok(browser.remembering(&gateway, &http, see_other(to))),
        Err(error) => Ok(again(&browser, told(error)?)),
    }
}

/// What a person is told whose form was not sent by the page that this browser shows.
pub(in crate::http) const STALE: &str =
    "This page was open for too long, or your browser keeps no cookies of this site. Please try again.";

/// What a person is told who is not logged in.
fn told(error: LoginError) -> Result<(StatusCode, &'static str, Option<Duration>), Problem> {
    Ok(match error {
        LoginError::Wrong => (StatusCode::FORBIDDEN, "There is no such account, or the password is wrong.", None),
        LoginError::Throttled { retry_after } => (
            StatusCode::TOO_MANY_REQUESTS,
            "There were too many attempts. Please wait before you try again.",
            Some(retry_after),
        ),
        LoginError::Busy { retry_after } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many people log in at the moment. Please try again shortly.",
            Some(retry_after),
        ),
        LoginError::Store(error) => return Err(error.into()),
        LoginError::Token(_) => return Err(Problem::new(Code::Internal)),
    })
}

/// Whether a login may go on to that page: to one of ours, for else a link to our own login could lead anywhere.
fn is_own_page(to: &str) -> bool {
    let (page, _) = to.split_once('?').unwrap_or((to, ""));
    to.len() <= LONGEST && matches!(page, "authorize" | "../device") && to.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The redirect URI that going on there may end at.
async fn redirect_uri(gateway: &Gateway, to: &str) -> Result<Option<String>, Problem> {
    let Some(query) = to.strip_prefix("authorize?") else { return Ok(None) };
    Ok(match gateway.authorization.judge_authorization(&AuthorizationParameters::of(query)).await {
        Ok(request) => Some(request.way_back().redirect_uri().to_owned()),
        Err(AuthorizationError::Told { way_back, .. }) => Some(way_back.redirect_uri().to_owned()),
        Err(AuthorizationError::Nowhere(_)) => None,
        Err(AuthorizationError::Store(error)) => return Err(error.into()),
    })
}
