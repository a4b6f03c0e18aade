//! Answers of the authorization server that are no success, in the form of RFC 6749 section 5.2.

use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::core::error::{Error, StoreError};
use crate::http::code::Code;
use crate::http::notes::{note_error, trace_id};
use crate::http::problem::{Problem, whole_seconds};
use crate::oauth::TokenError;

const NEITHER_FORM_NOR_JSON: &str = "The body is neither a form nor JSON, or it is compressed. \
    Send it as `application/x-www-form-urlencoded` or `application/json`, not compressed.";

/// What names and passwords, or ids and secrets, are asked for with; RFC 7617 section 2.1.
pub(in crate::http) const BASIC_CHALLENGE: &str = "Basic realm=\"anteroom\", charset=\"UTF-8\"";

/// Why there is no token; RFC 6749 section 5.2.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"error": "invalid_client", "error_description": "the client is not known or its secret is wrong"}))]
pub(in crate::http) struct TokenErrorAnswer<'a> {
    /// The error code.
    error: &'a str,
    /// What happened and what to do.
    error_description: &'a str,
}

/// An answer without a token.
pub(in crate::http) struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
    retry_after: Option<u64>,
    /// What is logged with the answer, where the fault is ours.
    problem: Option<Box<Problem>>,
}

impl Refusal {
    pub(in crate::http) fn invalid_request(description: &str) -> Self {
        TokenError::InvalidRequest(description.into()).into()
    }

    /// Who calls can not be told from what was sent; RFC 6749 section 5.2.
    pub(in crate::http) fn invalid_client(description: &str) -> Self {
        Self { description: description.into(), ..TokenError::InvalidClient.into() }
    }

    /// The fault is not the caller's, and passes.
    pub(in crate::http) fn unavailable(retry_after: Duration) -> Self {
        let description = "the keys that tokens are judged by can not be had now".into();
        let (status, retry_after) = (StatusCode::SERVICE_UNAVAILABLE, Some(whole_seconds(retry_after)));
        Self { status, error: "temporarily_unavailable", description, retry_after, problem: None }
    }

    /// The answer. A page's own call gets no challenge: the browser would take it for itself, ask its user with a window of its own,
    /// and keep the refusal from the page.
    pub(in crate::http) fn answer(&self, http: &HttpRequest) -> HttpResponse {
        if let Some(problem) = &self.problem {
            problem.log(&trace_id(http));
        }
        note_error(http, self.error);
        let mut answer = no_store(self.status);
        let from_page = http.headers().get("x-requested-with").is_some_and(|by| by == "XMLHttpRequest");
        if self.status == StatusCode::UNAUTHORIZED && !from_page {
            answer.insert_header((header::WWW_AUTHENTICATE, BASIC_CHALLENGE));
        }
        if let Some(seconds) = self.retry_after {
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        answer.json(TokenErrorAnswer { error: self.error, error_description: &self.description })
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        if let TokenError::Store(error) = error {
            return error.into();
        }
        let (status, name, retry_after) = match &error {
            TokenError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request", None),
            TokenError::NoCredentials | TokenError::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client", None),
            TokenError::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type", None),
            TokenError::InvalidScope(_) => (StatusCode::BAD_REQUEST, "invalid_scope", None),
            TokenError::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "invalid_grant", None),
            TokenError::UnauthorizedClient => (StatusCode::BAD_REQUEST, "unauthorized_client", None),
            TokenError::AuthorizationPending => (StatusCode::BAD_REQUEST, "authorization_pending", None),
            TokenError::SlowDown => (StatusCode::BAD_REQUEST, "slow_down", None),
            TokenError::AccessDenied => (StatusCode::BAD_REQUEST, "access_denied", None),
            TokenError::ExpiredToken => (StatusCode::BAD_REQUEST, "expired_token", None),
            TokenError::SigningFailed(reason) => {
                tracing::error!("a token can not be signed: {reason}");
                (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None)
            }
            TokenError::Throttled { retry_after } | TokenError::TooManyDevices { retry_after } => {
                (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", Some(whole_seconds(*retry_after)))
            }
            TokenError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", None),
        };
        Self { status, error: name, description: error.to_string(), retry_after, problem: None }
    }
}

impl From<StoreError> for Refusal {
    /// As everywhere: logged once, with the answer, and told in the problem's words.
    fn from(error: StoreError) -> Self {
        let refusal = Self::from(Problem::from(Error::Store(error)));
        Self { error: "temporarily_unavailable", ..refusal }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let description = match problem.code {
            // The problem's own words send everybody to JSON, and here a form is as good.
            Code::UnsupportedMediaType => NEITHER_FORM_NOR_JSON,
            _ => problem.detail(),
        };
        let (status, description, retry_after) = (problem.code.status(), description.to_owned(), problem.wait());
        Self { status, error: "invalid_request", description, retry_after, problem: Some(problem.into()) }
    }
}

/// RFC 6749 section 5.1: tokens and what is said about them are not to be kept by any cache.
pub(in crate::http) fn no_store(status: StatusCode) -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache"));
    answer
}
