//! `/oauth/authorize`: a client asks, by way of a person's browser, to be let at what is the person's; RFC 6749 section 4.1.1.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use maud::html;
use secrecy::ExposeSecret;

use super::login::{LoginPage, STALE};
use crate::http::Gateway;
use crate::http::code::Code;
use crate::http::notes::for_people;
use crate::http::pages::browser::Browser;
use crate::http::pages::form::Form;
use crate::http::pages::{consent, page, see_other};
use crate::http::problem::Problem;
use crate::oauth::AuthorizationServer;
use crate::oauth::accounts::Person;
use crate::oauth::authorize::{AuthorizationError, AuthorizationParameters, AuthorizationRequest, Prompt};

/// Shows what has to be shown: the login, what is asked for, or where the browser goes on to.
pub(in crate::http) async fn ask(gateway: Data<Gateway>, http: HttpRequest) -> Result<HttpResponse, Problem> {
    for_people(&http);
    let browser = Browser::of(&gateway, &http);
    let asked = Asked { gateway: &gateway, http: &http, browser: &browser };
    asked.answer().await.or_else(|error| refuse(&gateway.authorization, error))
}

/// The person has decided.
pub(in crate::http) async fn decide(
    gateway: Data<Gateway>,
    http: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    for_people(&http);
    let form = Form::read(&http, payload).await?;
    let is_allowed = match form.field("decision") {
        "allow" => true,
        "deny" => false,
        _ => return Err(Problem::detailed(Code::Malformed, "The form says neither \"allow\" nor \"deny\".")),
    };
    let browser = Browser::of(&gateway, &http);
    let asked = Asked { gateway: &gateway, http: &http, browser: &browser };
    asked.decide(&form, is_allowed).await.or_else(|error| refuse(&gateway.authorization, error))
}

/// A browser with an authorization request.
struct Asked<'a> {
    gateway: &'a Gateway,
    http: &'a HttpRequest,
    browser: &'a Browser,
}

impl Asked<'_> {
    async fn answer(&self) -> Result<HttpResponse, AuthorizationError> {
        let request = self.request().await?;
        let person = match self.browser.person(self.gateway).await? {
            Some(person) if request.prompt != Prompt::Login => person,
            None if request.prompt == Prompt::Nothing => {
                return Err(request.refuse("login_required", "nobody is logged in with this browser"));
            }
            _ => return Ok(self.login_page(&request)),
        };
        let offered = self.gateway.authorization.offer(&request, &person)?;
        if !request.needs_consent() {
            return self.grant(&request, &person).await;
        }
        if request.prompt == Prompt::Nothing {
            return Err(request.refuse("consent_required", "the person has to be asked"));
        }
        Ok(self.consent_page(StatusCode::OK, &request, &person, &offered, None))
    }

    async fn decide(&self, form: &Form, is_allowed: bool) -> Result<HttpResponse, AuthorizationError> {
        let request = self.request().await?;
        let Some(person) = self.browser.person(self.gateway).await? else {
            return Ok(self.login_page(&request));
        };
        let offered = self.gateway.authorization.offer(&request, &person)?;
        if !self.browser.has_sent(self.gateway, self.http, form) {
            return Ok(self.consent_page(StatusCode::FORBIDDEN, &request, &person, &offered, Some(STALE)));
        }
        if is_allowed {
            self.grant(&request, &person).await
        } else {
            Err(request.refuse("access_denied", "the person has said no"))
        }
    }

    async fn request(&self) -> Result<AuthorizationRequest, AuthorizationError> {
        let parameters = AuthorizationParameters::of(self.http.query_string());
        self.gateway.authorization.judge_authorization(&parameters).await
    }

    async fn grant(&self, request: &AuthorizationRequest, person: &Person) -> Result<HttpResponse, AuthorizationError> {
        let address = self.gateway.authorization.grant_authorization(request, person).await?;
        Ok(see_other(address.expose_secret()))
    }

    fn login_page(&self, request: &AuthorizationRequest) -> HttpResponse {
        let to = format!("authorize?{}", after_login(self.http.query_string()));
        let goes_on_to = Some(request.way_back().redirect_uri());
        let page = LoginPage { to: &to, action: "login", goes_on_to, alert: None, name: "" };
        self.browser.remembering(self.gateway, self.http, page.show(StatusCode::OK, self.browser))
    }

    fn consent_page(
        &self,
        status: StatusCode,
        request: &AuthorizationRequest,
        person: &Person,
        offered: &[(String, String)],
        alert: Option<&str>,
    ) -> HttpResponse {
        let redirect_uri = request.way_back().redirect_uri();
        let content = html! {
            @if let Some(alert) = alert { p role="alert" { (alert) } }
            (consent::asks(&request.client, offered))
            (consent::logged_in(person, &self.login_again()))
            p { "Whatever you decide, you go on to " code { (place(redirect_uri)) } "." }
            form method="post" { (self.browser.token_field()) (consent::decision()) }
            (consent::logout(self.browser, "logout"))
        };
        page(status, &format!("Allow {}?", request.client.name), content, Some(redirect_uri))
    }

    /// The address of this page where somebody else logs in.
    fn login_again(&self) -> String {
        format!("authorize?{}&prompt=login", after_login(self.http.query_string()))
    }
}

/// The same request, once the person has logged in as it asked for.
fn after_login(query: &str) -> String {
    let mut rest = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "prompt" {
            rest.append_pair(&name, &value);
        } else if value.split(' ').any(|word| word == "consent") {
            rest.append_pair(&name, "consent");
        }
    }
    rest.finish()
}

/// What of a redirect URI tells a person where it leads.
fn place(redirect_uri: &str) -> &str {
    let end = redirect_uri.find("://").map_or(0, |at| at + 3);
    redirect_uri[end..].find(['/', '?']).map_or(redirect_uri, |at| &redirect_uri[..end + at])
}

/// The answer to who is not sent back with a code.
fn refuse(authorization: &AuthorizationServer, error: AuthorizationError) -> Result<HttpResponse, Problem> {
    match error {
        AuthorizationError::Nowhere(why) => {
            let content = html! {
                p { (why) }
                p { "Nothing was sent anywhere. Please tell whoever runs the program that you come from." }
            };
            Ok(page(StatusCode::BAD_REQUEST, "This link does not work", content, None))
        }
        AuthorizationError::Told { way_back, error, description } => {
            Ok(see_other(&authorization.refusal_address(&way_back, error, description)))
        }
        AuthorizationError::Store(error) => Err(error.into()),
    }
}
