//! Who a client says it is, RFC 6749 section 2.3.1.

use actix_web::HttpRequest;
use actix_web::http::header;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::form::Parameters;
use super::refusal::Refusal;
use crate::oauth::token::Credentials;

/// The client's credentials: HTTP Basic, or the two parameters, never both; or its id alone.
pub(super) fn credentials(http: &HttpRequest, parameters: &mut Parameters) -> Result<Credentials, Refusal> {
    let (id, secret) = (parameters.remove("client_id"), parameters.remove("client_secret").map(SecretString::from));
    match (basic(http)?, id, secret) {
        (None, None, None) => Ok(Credentials::None),
        (None, Some(id), None) => Ok(Credentials::Id(id)),
        (None, Some(id), Some(secret)) => Ok(Credentials::Secret(id, secret)),
        (Some((basic_id, secret)), id, None) if id.as_ref().is_none_or(|id| *id == basic_id) => {
            Ok(Credentials::Secret(basic_id, secret))
        }
        (Some(_), _, _) => Err(Refusal::invalid_request("send the credentials by HTTP Basic or in the body, not both")),
        (None, None, Some(_)) => Err(Refusal::invalid_request("client_id and client_secret must come together")),
    }
}

fn basic(http: &HttpRequest) -> Result<Option<(String, SecretString)>, Refusal> {
    let mut values = http.headers().get_all(header::AUTHORIZATION);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let parse = || {
        let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
        let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        scheme.eq_ignore_ascii_case("basic").then(|| (form_decoded(id), SecretString::from(form_decoded(secret))))
    };
    if values.next().is_some() {
        return Err(Refusal::invalid_request("the header Authorization came twice"));
    }
    let not_basic = || Refusal::invalid_client("the header Authorization is not HTTP Basic with an id and a secret");
    parse().map(Some).ok_or_else(not_basic)
}

/// RFC 6749 section 2.3.1 has id and secret form-encoded before they go into Basic. Most programs do not, so a `+` stands for itself.
fn form_decoded(text: &str) -> String {
    let encoded = format!("v={}", text.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(encoded.as_bytes()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}
