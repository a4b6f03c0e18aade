//! A person's browser: told by its cookie, which is also what binds forms to it.
//!
//! There is one cookie. Before anybody has logged in it says nothing but which browser this is; at each login it is replaced by that of
//! the session. Each form carries a token made from it, which no page of another origin can read (OWASP's double submit), and a
//! browser that says where a form comes from, by `Origin` or `Sec-Fetch-Site`, has to say that it is from here.

use actix_web::http::header::{self, HeaderName, HeaderValue};
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
/// Its name on https: browsers take one of this name from nobody on a plain connection, RFC 6265bis section 4.1.3.1. `__Host-` would
/// rule out a path prefix.
const SECURE_COOKIE: &str = "__Secure-anteroom_session";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
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
        match sent_cookie(gateway, http) {
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
        let before = (!self.is_new).then(|| self.cookie.expose_secret());
        let cookie = gateway.authorization.begin_session(person, before).await?;
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

    /// Ends the session of who is logged in with it, and has this answer take the cookie away.
    ///
    /// # Errors
    /// The store's.
    pub(in crate::http) async fn log_out(
        &self,
        gateway: &Gateway,
        http: &HttpRequest,
        mut answer: HttpResponse,
    ) -> Result<HttpResponse, StoreError> {
        if !self.is_new {
            gateway.authorization.end_session(self.cookie.expose_secret()).await?;
        }
        set_cookie(gateway, http, &mut answer, "", 0);
        Ok(answer)
    }

    /// Gives the browser its cookie with this answer, if it does not have it yet.
    pub(in crate::http) fn remembering(
        &self,
        gateway: &Gateway,
        http: &HttpRequest,
        mut answer: HttpResponse,
    ) -> HttpResponse {
        if self.is_new {
            set_cookie(gateway, http, &mut answer, self.cookie.expose_secret(), LIFETIME.as_secs());
        }
        answer
    }
}

fn set_cookie(gateway: &Gateway, http: &HttpRequest, answer: &mut HttpResponse, value: &str, seconds: u64) {
    let base = base_url(http, &gateway.server);
    let (name, path) = (cookie_name(&base), path_of(&base));
    let secure = if name == SECURE_COOKIE { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().insert(header::SET_COOKIE, value);
    }
}

fn cookie_name(base: &str) -> &'static str {
    if base.starts_with("https://") { SECURE_COOKIE } else { COOKIE }
}

/// The first cookie that can be one of ours: what was put before it, by another program of the same host, logs nobody out.
fn sent_cookie(gateway: &Gateway, http: &HttpRequest) -> Option<String> {
    let name = cookie_name(&base_url(http, &gateway.server));
    let lines = http.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_ours = |value: &str| value.len() == 43 && value.bytes().all(is_base64url);
    pairs.find(|(found, value)| *found == name && is_ours(value)).map(|(_, value)| value.to_owned())
}

/// Whether the browser says so, or says nothing: by the address that clients know the gateway by, or the one that it was called by. A
/// page of the same site is another's all the same.
fn is_from_here(gateway: &Gateway, http: &HttpRequest) -> bool {
    let text = |name| http.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    if text(FETCH_SITE).is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    let Some(origin) = text(header::ORIGIN) else { return true };
    let base = base_url(http, &gateway.server);
    let own = base.strip_suffix(path_of(&base)).unwrap_or(&base);
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    // Without `public_url`, a proxy that ends TLS need not say so.
    let is_scheme = gateway.server.public_url.is_none() || own.split_once("://").is_some_and(|(own, _)| own == scheme);
    origin.eq_ignore_ascii_case(own) || is_scheme && Some(authority) == text(header::HOST)
}

/// The path of an address, at least `/`.
fn path_of(base: &str) -> &str {
    let after_scheme = base.find("://").map_or(0, |at| at + 3);
    let path = base[after_scheme..].find('/').map_or("/", |at| &base[after_scheme + at..]);
    if path.contains([';', ',']) { "/" } else { path }
}
