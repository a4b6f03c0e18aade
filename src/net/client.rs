//! Asks a provider for a small JSON document, within limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER,
};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::address::is_exposed;
use super::error::{self, NetError};
use super::{Provider, secure_url, shown};

/// How much of the answer to a form is read, at most: it says something, and is no document that grows.
const MAX_STATEMENT_BYTES: usize = 64 * 1024;

/// Asks one provider: follows no redirect, reads no more than it has to, and sends nothing unencrypted unless it is allowed to.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client,
    max_body_bytes: usize,
    /// The verifier whose provider it asks, for what is told to the operator.
    verifier: Arc<str>,
    /// The keys of the configuration that name private CAs, if any does.
    ca_files: Option<Arc<str>>,
    allow_http: bool,
    has_warned: Arc<AtomicBool>,
}

/// A document, and how long its sender says that it holds.
#[derive(Debug)]
pub struct Fetched<T> {
    /// What the document says.
    pub document: T,
    /// `max-age` of `Cache-Control` (RFC 9111 section 5.2.2); zero for `no-cache` and `no-store`.
    pub max_age: Option<Duration>,
    /// What to show when asking for it again.
    pub validators: Validators,
}

/// What tells one version of a document from another (RFC 9110 section 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

/// The answer to a conditional request.
#[derive(Debug)]
pub enum Answer<T> {
    /// Another document, or the same in full.
    Document(Fetched<T>),
    /// The document that is known already still holds.
    NotModified {
        /// As in [`Fetched`].
        max_age: Option<Duration>,
    },
}

impl HttpClient {
    pub(super) fn new(client: Client, max_body_bytes: usize, provider: Provider<'_>, ca_files: Option<String>) -> Self {
        let Provider { verifier, allow_http, .. } = provider;
        let ca_files = ca_files.map(Into::into);
        Self { client, max_body_bytes, verifier: verifier.into(), ca_files, allow_http, has_warned: Arc::default() }
    }

    /// Fetches a JSON document.
    ///
    /// # Errors
    /// Anything but 200 and the document.
    pub async fn get_json<T: DeserializeOwned>(&self, url: &str) -> Result<Fetched<T>, NetError> {
        let url = self.address(url)?;
        let response = self.send(&url, self.client.get(url.clone())).await?;
        self.document(response, url).await
    }

    /// Fetches a JSON document again, unless it is still the one that came with these validators.
    ///
    /// # Errors
    /// Anything but 304, or 200 and the document.
    pub async fn get_if_changed<T: DeserializeOwned>(
        &self,
        url: &str,
        known: &Validators,
    ) -> Result<Answer<T>, NetError> {
        let url = self.address(url)?;
        let mut request = self.client.get(url.clone());
        for (name, value) in [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let response = self.send(&url, request).await?;
        if response.status() == StatusCode::NOT_MODIFIED && *known != Validators::default() {
            return Ok(Answer::NotModified { max_age: max_age(response.headers()) });
        }
        self.document(response, url).await.map(Answer::Document)
    }

    /// Posts a form and reads the JSON document that it is answered, 64 KiB at most. `auth` are a client's id and secret, sent as RFC 6749 section
    /// 2.3.1 has it.
    ///
    /// # Errors
    /// Anything but 200 and the document.
    pub async fn post_form<T: DeserializeOwned>(
        &self,
        url: &str,
        form: &[(&str, &str)],
        auth: Option<(&str, &SecretString)>,
    ) -> Result<Fetched<T>, NetError> {
        let url = self.address(url)?;
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = self.client.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some((id, secret)) = auth {
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encode(id), Some(encode(secret.expose_secret())));
        }
        let response = self.send(&url, request.body(body)).await?;
        let limited = Self { max_body_bytes: self.max_body_bytes.min(MAX_STATEMENT_BYTES), ..self.clone() };
        limited.document(response, url).await
    }

    fn address(&self, url: &str) -> Result<Url, NetError> {
        let url = secure_url(url, self.allow_http)
            .map_err(|problem| NetError::Address { url: shown(url).into_owned(), problem })?;
        if is_exposed(&url) && !self.has_warned.swap(true, Ordering::Relaxed) {
            let problem =
                "allow_http: who is on the way to the provider can make tokens that pass, and learns what is sent";
            tracing::warn!(verifier = &*self.verifier, url = url.as_str(), "{problem}");
        }
        Ok(url)
    }

    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Response, NetError> {
        let request = request.header(ACCEPT, "application/json");
        request.send().await.map_err(|error| self.explain(url, &error))
    }

    fn explain(&self, url: &Url, error: &reqwest::Error) -> NetError {
        error::explain(url, error, &self.verifier, self.ca_files.as_deref())
    }

    async fn document<T: DeserializeOwned>(&self, response: Response, url: Url) -> Result<Fetched<T>, NetError> {
        let headers = response.headers();
        if response.status() != StatusCode::OK {
            return Err(NetError::Status { status: response.status(), retry_after: retry_after(headers), url });
        }
        let (etag, last_modified) = (headers.get(ETAG).cloned(), headers.get(LAST_MODIFIED).cloned());
        let max_age = max_age(headers);
        let body = self.read(response, &url).await?;
        let document = serde_json::from_slice(&body).map_err(|error| NetError::NotJson {
            line: error.line(),
            column: error.column(),
            url,
        })?;
        Ok(Fetched { document, max_age, validators: Validators { etag, last_modified } })
    }

    async fn read(&self, mut response: Response, url: &Url) -> Result<Vec<u8>, NetError> {
        let limit = self.max_body_bytes;
        let setting = if limit == MAX_STATEMENT_BYTES { "" } else { " (net.max_body_bytes)" };
        let too_large = || NetError::TooLarge { url: url.clone(), limit, setting };
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.explain(url, &error))? {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<_> = directives.flat_map(|value| value.split(',')).map(str::trim).collect();
    // Wherever it stands: it outweighs a max-age before it.
    let forbids = |directive: &&str| ["no-cache", "no-store"].iter().any(|name| directive.eq_ignore_ascii_case(name));
    if directives.iter().any(forbids) {
        return Some(Duration::ZERO);
    }
    directives.into_iter().find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        let seconds = seconds.trim_matches('"').parse().ok()?;
        name.eq_ignore_ascii_case("max-age").then(|| Duration::from_secs(seconds))
    })
}

/// RFC 9110 section 10.2.3: seconds, or an instant by the clock that wrote `Date`.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let instant = |text: &str| rfc2822::parse(text).ok().map(|instant| instant.timestamp());
    let wait = instant(value)?.duration_since(instant(text(headers, &DATE)?)?);
    Some(Duration::try_from(wait).unwrap_or_default())
}
