//! The headers that tell a guarded service who calls: their names, and values that can only be read in one way.

use std::fmt::Write;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::{Deserialize, Serialize};

use super::super::code::Code;
use super::super::problem::Problem;
use crate::core::claims::Caller;
use crate::core::error::Misconfiguration;

/// The names of the identity headers, as configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HeaderNames {
    subject: String,
    client: String,
    scopes: String,
    issuer: String,
    email: String,
}

impl Default for HeaderNames {
    fn default() -> Self {
        let name = |what: &str| format!("X-Anteroom-{what}");
        Self {
            subject: name("Subject"),
            client: name("Client"),
            scopes: name("Scopes"),
            issuer: name("Issuer"),
            email: name("Email"),
        }
    }
}

/// The identity headers of a guard.
#[derive(Clone, Debug)]
pub(super) struct IdentityHeaders {
    subject: HeaderName,
    client: HeaderName,
    scopes: HeaderName,
    issuer: HeaderName,
    email: HeaderName,
}

impl HeaderNames {
    /// Judges the names. `key` is where they stand in the configuration.
    pub(super) fn build(&self, key: &str) -> Result<IdentityHeaders, Vec<Misconfiguration>> {
        let names = [
            ("subject", &self.subject),
            ("client", &self.client),
            ("scopes", &self.scopes),
            ("issuer", &self.issuer),
            ("email", &self.email),
        ];
        let mut mistakes = Vec::new();
        let mut read = names.iter().enumerate().filter_map(|(place, (what, name))| {
            let repeats = names[..place].iter().any(|(_, earlier)| earlier.eq_ignore_ascii_case(name));
            let problem = if repeats { Some(format!("\"{name}\" is the name of another one")) } else { weakness(name) };
            match (problem, HeaderName::from_bytes(name.as_bytes())) {
                (None, Ok(name)) => Some(name),
                (problem, _) => {
                    let problem = problem.unwrap_or_else(|| format!("\"{name}\" can not be the name of a header"));
                    let remedy = "Write a name like X-User or Remote-User, of letters, digits and hyphens, for each a different one";
                    mistakes.push(Misconfiguration::new(format!("{key}.{what}"), problem, remedy));
                    None
                }
            }
        });
        let all = [(); 5].map(|()| read.next());
        match all {
            [Some(subject), Some(client), Some(scopes), Some(issuer), Some(email)] => {
                Ok(IdentityHeaders { subject, client, scopes, issuer, email })
            }
            _ => Err(mistakes),
        }
    }
}

/// What begins like a header of identity, and is one of the gateway's or of the proxies' own.
const TAKEN: [&str; 6] = ["x-forwarded-", "x-original-", "x-real-", "x-accel-", "x-content-", "x-frame-"];

/// Why a header can not tell an identity. A `_` or a `.` in it would be another name to one proxy, and the same to another.
fn weakness(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let is_plain = lower.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !lower.ends_with('-');
    if !is_plain || !(lower.starts_with("x-") || lower.starts_with("remote-")) {
        return Some(format!("\"{name}\" can not be the name of an identity header"));
    }
    let is_taken = lower == "x-trace-id" || TAKEN.iter().any(|taken| lower.starts_with(taken));
    is_taken.then(|| format!("\"{name}\" means something else to the gateway or to proxies"))
}

impl IdentityHeaders {
    /// Tells who calls. What is not known is left out.
    pub(super) fn tell(&self, caller: &Caller, answer: &mut HttpResponseBuilder) {
        let scopes: Vec<_> = caller.token_scopes.iter().map(|scope| encoded(scope)).collect();
        let scopes = Some(scopes.join(" ")).filter(|scopes| !scopes.is_empty());
        for (name, value) in [
            (&self.subject, Some(encoded(&caller.subject))),
            (&self.client, caller.client_id.as_deref().map(encoded)),
            (&self.scopes, scopes),
            (&self.issuer, Some(encoded(&caller.issuer))),
            (&self.email, caller.email.as_deref().map(encoded)),
        ] {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                answer.insert_header((name.clone(), value));
            }
        }
    }
}

/// How much is told of a caller, in bytes: as much as proxies take in the head of an answer with some room to spare.
const MAX_TOLD: usize = 16 << 10;

/// The answer, unless it tells more than proxies take. A part of an identity would be another identity.
///
/// # Errors
/// It does.
pub(super) fn bounded(answer: HttpResponse) -> Result<HttpResponse, Problem> {
    let told: usize = answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if told > MAX_TOLD { Err(Problem::new(Code::IdentityTooLarge)) } else { Ok(answer) }
}

/// A text as a header's value: visible ASCII as it stands, any other byte as `%XX`, and so `%` itself and the braces, which mean
/// something to Caddy. Two texts never come to the same, whatever a proxy does to line breaks, blanks at the ends, or what is not ASCII.
fn encoded(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b"%{}".contains(&byte) {
            value.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}
