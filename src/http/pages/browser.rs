//! A person's browser: told by its cookie, which is also what binds forms to it.
//!
//! There is one cookie. Before anybody has logged in it says nothing but which browser this is; at each login it is replaced by that of
//! the session. Each form carries a token made from it, which no page of another origin can read (OWASP's signed double submit), and a
//! browser that says where a form comes from has to say that it is from here.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::constant_time;
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};

use super::form::Form;
use crate::core::error::StoreError;
use crate::core::hex;
use crate::http::Gateway;
use crate::http::origin::base_url;
use crate::oauth::accounts::{LoginError, Person};
use crate::oauth::clients::{generate_secret, hash};
use crate::oauth::sessions::LIFETIME;

const COOKIE: &str = "anteroom_session";
/// The field with the token that binds a form to the browser.
const TOKEN: &str = "form_token";

/// A browser.
pub(in crate::http) struct Browser {
    cookie: SecretString,
    /// Whether it does not have the cookie yet.
    is_new: bool,
}

impl Browser {
    /// The browser that makes this call.
    pub(in crate::http) fn of(gateway: &Gateway, http: &HttpRequest) -> Self {
        match sent_cookie(http) {
            Some(cookie) => Self { cookie: SecretString::from(cookie), is_new: false },
            None => Self { cookie: generate_secret(&*gateway.entropy), is_new: true },
        }
    }

    /// Who is logged in with it.
    ///
    /// # Errors
    /// The store's.
    pub(in crate::http) async fn person(&self, gateway: &Gateway) -> Result<Option<Person>, StoreError> {
        if self.is_new {
            return Ok(None);
        }
        gateway.authorization.session(self.cookie.expose_secret()).await
    }

    /// The browser as it is once that person has logged in with it.
    ///
    /// # Errors
    /// Those of [`LoginError`].
    pub(in crate::http) async fn log_in(&self, gateway: &Gateway, person: &Person) -> Result<Self, LoginError> {
        let cookie = gateway.authorization.begin_session(person).await?;
        if !self.is_new {
            gateway.authorization.end_session(self.cookie.expose_secret()).await?;
        }
        Ok(Self { cookie, is_new: true })
    }

    /// The field that binds a form to this browser.
    pub(in crate::http) fn token_field(&self) -> Markup {
        html! { input type="hidden" name=(TOKEN) value=(self.token()); }
    }

    fn token(&self) -> String {
        hex(&hash(&format!("form {}", self.cookie.expose_secret())))
    }

    /// Whether a form comes from a page of ours that this browser shows.
    pub(in crate::http) fn has_sent(&self, gateway: &Gateway, http: &HttpRequest, form: &Form) -> bool {
        let is_bound =
            constant_time::verify_slices_are_equal(form.field(TOKEN).as_bytes(), self.token().as_bytes()).is_ok();
        !self.is_new && is_bound && is_from_here(gateway, http)
    }

    /// Gives the browser its cookie with this answer, if it does not have it yet.
    pub(in crate::http) fn remembering(
        &self,
        gateway: &Gateway,
        http: &HttpRequest,
        mut answer: HttpResponse,
    ) -> HttpResponse {
        if self.is_new {
            let base = base_url(http, &gateway.server);
            let secure = if base.starts_with("https://") { "; Secure" } else { "" };
            let cookie = format!(
                "{COOKIE}={}; Path={}; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
                self.cookie.expose_secret(),
                path_of(&base),
                LIFETIME.as_secs()
            );
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                answer.headers_mut().insert(header::SET_COOKIE, value);
            }
        }
        answer
    }
}

/// The cookie, if it is one of ours: anything else could be somebody's guess.
fn sent_cookie(http: &HttpRequest) -> Option<String> {
    let lines = http.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.find(|(name, _)| *name == COOKIE)?.1;
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (value.len() == 43 && value.bytes().all(is_base64url)).then(|| value.to_owned())
}

/// Whether the browser says so, or says nothing: by the address that clients know the gateway by, or the one that it was called by.
fn is_from_here(gateway: &Gateway, http: &HttpRequest) -> bool {
    let text = |name| http.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let Some(origin) = text(header::ORIGIN) else { return true };
    let base = base_url(http, &gateway.server);
    let own = base.strip_suffix(path_of(&base)).unwrap_or(&base);
    let called_by = origin.split_once("://").map(|(_, authority)| authority);
    origin.eq_ignore_ascii_case(own) || called_by.is_some() && called_by == text(header::HOST)
}

/// The path of an address, at least `/`.
fn path_of(base: &str) -> &str {
    let after_scheme = base.find("://").map_or(0, |at| at + 3);
    let path = base[after_scheme..].find('/').map_or("/", |at| &base[after_scheme + at..]);
    if path.contains([';', ',']) { "/" } else { path }
}
