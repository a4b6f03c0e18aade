//! `/oauth/token`: tokens by client credentials, in the forms of RFC 6749.

use std::collections::BTreeMap;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Gateway;
use super::origin::client_address;
use super::problem::{Problem, whole_seconds};
use super::{body, code::Code};
use crate::oauth::client_credentials::TokenRequest;
use crate::oauth::{Grant, TokenError};

const NEITHER_FORM_NOR_JSON: &str = "The body is neither a form nor JSON, or it is compressed. \
    Send it as `application/x-www-form-urlencoded` or `application/json`, not compressed.";

/// What a client asks with; RFC 6749 section 4.4.2. The credentials may come by HTTP Basic instead.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the form in the contract; the parameters are read one by one, to refuse repeated ones"
)]
pub(super) struct TokenForm {
    /// The grant.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The scopes asked for, separated by spaces; none: all that the client has.
    #[schema(example = "requests:read requests:write")]
    scope: Option<String>,
    /// The client id, unless it comes by HTTP Basic.
    #[schema(example = "demo")]
    client_id: Option<String>,
    /// The client's secret, unless it comes by HTTP Basic.
    #[schema(format = Password)]
    client_secret: Option<String>,
}

/// A token; RFC 6749 section 5.1.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9…", "token_type": "Bearer", "expires_in": 3600,
    "scope": "requests:read requests:write",
}))]
pub(super) struct TokenAnswer {
    /// What to send as `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// For how many seconds it is valid.
    expires_in: u64,
    /// The scopes that it grants.
    scope: String,
}

impl From<Grant> for TokenAnswer {
    fn from(grant: Grant) -> Self {
        Self {
            access_token: grant.access_token,
            token_type: "Bearer",
            expires_in: grant.lifetime.as_secs(),
            scope: grant.scope,
        }
    }
}

/// Why there is no token; RFC 6749 section 5.2.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"error": "invalid_client", "error_description": "the client is not known or its secret is wrong"}))]
pub(super) struct TokenErrorAnswer<'a> {
    /// The error code.
    error: &'a str,
    /// What happened and what to do.
    error_description: &'a str,
}

/// Get a token
///
/// The client credentials grant of RFC 6749, section 4.4. The client id and its secret come by HTTP Basic, or in a body that is a form
/// or JSON. Attempts with wrong credentials are slowed down (429); right ones never are.
#[utoipa::path(post, path = "/oauth/token", tag = "tokens",
    security((), ("basic" = [])),
    request_body(content(
        (TokenForm = "application/x-www-form-urlencoded"),
        (TokenForm = "application/json", example = json!({"grant_type": "client_credentials", "client_id": "demo", "client_secret": "…"})),
    )),
    responses(
        (status = 200, description = "A token", body = TokenAnswer),
        (status = 400, description = "A parameter is missing, repeated or malformed; or the grant or the scope is not to be had", body = TokenErrorAnswer),
        (status = 401, description = "The client is not known, or its secret is wrong", body = TokenErrorAnswer),
        (status = 408, description = "The body did not arrive in time", body = TokenErrorAnswer),
        (status = 413, description = "The body is too large", body = TokenErrorAnswer),
        (status = 415, description = "The body is neither a form nor JSON", body = TokenErrorAnswer),
        (status = 429, description = "Too many attempts with wrong credentials", body = TokenErrorAnswer),
    ),
)]
pub(super) async fn issue_token(gateway: Data<Gateway>, http: HttpRequest, payload: Payload) -> HttpResponse {
    match parameters(&http, payload).await {
        Ok(parameters) => answer(&gateway, &http, parameters),
        Err(refusal) => refusal.answer(&http),
    }
}

/// The parameters of a token request.
pub(super) type Parameters = BTreeMap<String, String>;

/// Gives a token for what was sent.
pub(super) fn answer(gateway: &Gateway, http: &HttpRequest, parameters: Parameters) -> HttpResponse {
    match grant(gateway, http, parameters) {
        Ok(grant) => no_store(StatusCode::OK).json(TokenAnswer::from(grant)),
        Err(refusal) => refusal.answer(http),
    }
}

/// The grant for what was sent, for a door that answers in words of its own.
pub(super) fn grant(gateway: &Gateway, http: &HttpRequest, mut parameters: Parameters) -> Result<Grant, Refusal> {
    let request = TokenRequest {
        credentials: credentials(http, &mut parameters)?,
        grant_type: parameters.remove("grant_type"),
        scope: parameters.remove("scope"),
        address: client_address(http, &gateway.server),
    };
    gateway.tokens.grant(&request).map_err(Refusal::from)
}

/// An answer without a token.
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
    retry_after: Option<u64>,
}

impl Refusal {
    fn invalid_request(description: &str) -> Self {
        TokenError::InvalidRequest(description.into()).into()
    }

    /// The answer. A page's own call gets no challenge: the browser would take it for itself, ask its user with a window of its own,
    /// and keep the refusal from the page.
    pub(super) fn answer(&self, http: &HttpRequest) -> HttpResponse {
        let mut answer = no_store(self.status);
        let from_page = http.headers().get("x-requested-with").is_some_and(|by| by == "XMLHttpRequest");
        if self.status == StatusCode::UNAUTHORIZED && !from_page {
            answer.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"anteroom\", charset=\"UTF-8\""));
        }
        if let Some(seconds) = self.retry_after {
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        answer.json(TokenErrorAnswer { error: self.error, error_description: &self.description })
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        let (status, name, retry_after) = match &error {
            TokenError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request", None),
            TokenError::NoCredentials | TokenError::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client", None),
            TokenError::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type", None),
            TokenError::InvalidScope(_) => (StatusCode::BAD_REQUEST, "invalid_scope", None),
            TokenError::SigningFailed(reason) => {
                tracing::error!("a token can not be signed: {reason}");
                (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None)
            }
            TokenError::Throttled { retry_after } => {
                (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", Some(whole_seconds(*retry_after)))
            }
        };
        Self { status, error: name, description: error.to_string(), retry_after }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let description = match problem.code {
            // The problem's own words send everybody to JSON, and here a form is as good.
            Code::UnsupportedMediaType => NEITHER_FORM_NOR_JSON,
            _ => problem.detail(),
        };
        let description = description.to_owned();
        Self { status: problem.code.status(), error: "invalid_request", description, retry_after: None }
    }
}

/// RFC 6749 section 5.1: tokens and what is said about them are not to be kept by any cache.
pub(super) fn no_store(status: StatusCode) -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache"));
    answer
}

/// Reads the parameters out of a form or JSON; without a body there are none.
pub(super) async fn parameters(http: &HttpRequest, payload: Payload) -> Result<Parameters, Refusal> {
    let body = body::read(http, &mut payload.into_inner()).await?;
    match body::media_type(http).as_deref() {
        _ if body.is_empty() => Ok(Parameters::new()),
        Some("application/x-www-form-urlencoded") => unrepeated(form_urlencoded::parse(&body)),
        Some("application/json") => {
            let not_flat = "the body is not a JSON object of texts, or a member is repeated";
            let members: Vec<(String, String)> =
                unique_members(&body).ok_or_else(|| Refusal::invalid_request(not_flat))?;
            unrepeated(members.into_iter())
        }
        _ => Err(Problem::new(Code::UnsupportedMediaType).into()),
    }
}

/// The members of a flat JSON object of texts, repeated ones too.
fn unique_members(body: &[u8]) -> Option<Vec<(String, String)>> {
    struct Members;
    impl<'de> serde::de::Visitor<'de> for Members {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object of texts")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let members = serde::Deserializer::deserialize_map(&mut json, Members).ok()?;
    json.end().ok().map(|()| members)
}

/// RFC 6749 section 3.2: no parameter may come twice.
fn unrepeated<K: Into<String>, V: Into<String>>(pairs: impl Iterator<Item = (K, V)>) -> Result<Parameters, Refusal> {
    let mut parameters = Parameters::new();
    for (name, value) in pairs {
        if parameters.insert(name.into(), value.into()).is_some() {
            return Err(Refusal::invalid_request("a parameter is repeated"));
        }
    }
    Ok(parameters)
}

/// The client's credentials: HTTP Basic, or the two parameters; never both. RFC 6749 section 2.3.1.
fn credentials(http: &HttpRequest, parameters: &mut Parameters) -> Result<Option<(String, SecretString)>, Refusal> {
    let (id, secret) = (parameters.remove("client_id"), parameters.remove("client_secret").map(SecretString::from));
    match (basic(http)?, id, secret) {
        (None, None, None) => Ok(None),
        (None, Some(id), Some(secret)) => Ok(Some((id, secret))),
        (Some((basic_id, secret)), id, None) if id.as_ref().is_none_or(|id| *id == basic_id) => {
            Ok(Some((basic_id, secret)))
        }
        (Some(_), _, _) => Err(Refusal::invalid_request("send the credentials by HTTP Basic or in the body, not both")),
        (None, ..) => Err(Refusal::invalid_request("client_id and client_secret must come together")),
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
    match (parse(), values.next()) {
        (Some(credentials), None) => Ok(Some(credentials)),
        _ => Err(Refusal::invalid_request("the header Authorization is not HTTP Basic, or came twice")),
    }
}

/// RFC 6749 section 2.3.1 has id and secret form-encoded before they go into Basic. Most programs do not, so a `+` stands for itself.
fn form_decoded(text: &str) -> String {
    let encoded = format!("v={}", text.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(encoded.as_bytes()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}
