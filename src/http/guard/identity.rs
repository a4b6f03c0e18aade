//! The headers that tell a guarded service who calls: their names, and values that can only be read in one way.

use std::fmt::Write;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::{Deserialize, Serialize};

use super::super::code::Code;
use super::super::origin::is_taken;
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

/// What a service is told of its caller.
struct Fact {
    key: &'static str,
    name: fn(&HeaderNames) -> &str,
    value: fn(&Caller) -> Option<String>,
}

const FACTS: [Fact; 5] = [
    Fact { key: "subject", name: |names| &names.subject, value: |caller| Some(encoded(&caller.subject)) },
    Fact { key: "client", name: |names| &names.client, value: |caller| caller.client_id.as_deref().map(encoded) },
    Fact { key: "scopes", name: |names| &names.scopes, value: scopes },
    Fact { key: "issuer", name: |names| &names.issuer, value: |caller| Some(encoded(&caller.issuer)) },
    Fact { key: "email", name: |names| &names.email, value: |caller| caller.email.as_deref().map(encoded) },
];

fn scopes(caller: &Caller) -> Option<String> {
    let scopes: Vec<_> = caller.token_scopes.iter().map(|scope| encoded(scope)).collect();
    Some(scopes.join(" ")).filter(|scopes| !scopes.is_empty())
}

/// The identity headers of a guard, in the order of [`FACTS`].
#[derive(Clone, Debug)]
pub(super) struct IdentityHeaders(Vec<HeaderName>);

impl HeaderNames {
    /// Judges the names. `key` is where they stand in the configuration.
    pub(super) fn build(&self, key: &str) -> Result<IdentityHeaders, Vec<Misconfiguration>> {
        let (mut headers, mut mistakes) = (Vec::new(), Vec::new());
        for fact in &FACTS {
            match identity_header((fact.name)(self), &headers) {
                Ok(header) => headers.push(header),
                Err(problem) => {
                    let remedy = "Write a name like X-User or Remote-User, of letters, digits and hyphens, for each a different one";
                    mistakes.push(Misconfiguration::new(format!("{key}.{}", fact.key), problem, remedy));
                }
            }
        }
        if mistakes.is_empty() { Ok(IdentityHeaders(headers)) } else { Err(mistakes) }
    }
}

/// A header that tells an identity, or why this one can not. A `_` or a `.` in it would be another name to one proxy, and the same to
/// another.
fn identity_header(name: &str, others: &[HeaderName]) -> Result<HeaderName, String> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !name.ends_with('-');
    let is_of_identity = |name: &HeaderName| ["x-", "remote-"].iter().any(|prefix| name.as_str().starts_with(prefix));
    let header = HeaderName::from_bytes(name.as_bytes()).ok().filter(|header| is_plain && is_of_identity(header));
    match header {
        None => Err(format!("\"{name}\" can not be the name of an identity header")),
        Some(header) if is_taken(&header) => {
            Err(format!("\"{name}\" means something else to the gateway or to proxies"))
        }
        Some(header) if others.contains(&header) => Err(format!("\"{name}\" is the name of another one")),
        Some(header) => Ok(header),
    }
}

impl IdentityHeaders {
    /// Tells who calls. What is not known is left out.
    pub(super) fn tell(&self, caller: &Caller, answer: &mut HttpResponseBuilder) {
        for (name, fact) in self.0.iter().zip(&FACTS) {
            if let Some(value) = (fact.value)(caller).and_then(|value| HeaderValue::try_from(value).ok()) {
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
