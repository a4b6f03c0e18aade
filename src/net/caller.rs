//! Calls for the command line: any server, any answer; what is answered is read within a limit.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, HeaderName};
use reqwest::{Client, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};

use super::address::EXPOSED;
use super::client::retry_after;
use super::error::{self, NetError};
use super::{Net, read_authorities, secure_url, shown};
use crate::core::error::Misconfiguration;

const CA_FILE: &str = "--ca-file";

/// Calls servers: follows no redirect, reads no more than it has to, and sends nothing unencrypted to another machine.
#[derive(Clone, Debug)]
pub struct Caller {
    client: Client,
    timeout: Duration,
    max_body_bytes: usize,
    ca_file: Option<&'static str>,
}

/// What to send.
#[derive(Debug, Default)]
pub struct Call<'a> {
    /// The token that goes with it.
    pub token: Option<&'a SecretString>,
    /// A client's id and secret, sent as RFC 6749 section 2.3.1 has it.
    pub client: Option<(&'a str, &'a SecretString)>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body and its media type; with one it is a POST, else a GET.
    pub body: Option<(&'static str, String)>,
    /// How much longer than usual the answer may take.
    pub wait: Duration,
}

/// What was answered.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// How long to leave it alone, if it says so.
    pub retry_after: Option<Duration>,
    /// Names this state of what was asked for.
    pub etag: Option<String>,
    /// Whether the answer has waited as it was asked to (RFC 7240 section 3).
    pub has_waited: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl Net {
    /// What calls servers for the command line; `ca_file` is what `--ca-file` names.
    ///
    /// # Errors
    /// A CA file that can not be used.
    pub fn caller(&self, ca_file: Option<&Path>) -> Result<Caller, Misconfiguration> {
        let own = ca_file.map(|path| read_authorities(CA_FILE, path)).transpose()?;
        let authorities: Vec<_> = self.authorities.iter().cloned().chain(own.into_iter().flatten()).collect();
        let of_config = self.settings.ca_file.as_ref().map(|_| "net.ca_file");
        let ca_file = ca_file.map(|_| CA_FILE).or(of_config);
        let client = self.settings.builder().tls_certs_merge(authorities.clone()).build();
        let client = client.or_else(|_| self.settings.builder().tls_certs_only(authorities).build());
        let client = client.map_err(|error| {
            let problem = format!("can not be used: {}", error::innermost(&error));
            Misconfiguration::new(
                ca_file.unwrap_or(CA_FILE),
                problem,
                "Check that its certificates are those of CAs, in PEM",
            )
        })?;
        let (timeout, max_body_bytes) = (self.settings.timeout.duration(), self.settings.max_body_bytes);
        Ok(Caller { client, timeout, max_body_bytes, ca_file })
    }
}

impl Caller {
    /// Makes a call.
    ///
    /// # Errors
    /// There is no answer, or one that is too large. What is answered is no error, whatever its status.
    pub async fn call(&self, url: &str, call: Call<'_>) -> Result<Reply, NetError> {
        let url = secure_url(url, false).map_err(|problem| {
            // That setting is one of verifiers.
            let problem =
                if problem == EXPOSED { "is not https (http is allowed for localhost only)" } else { problem };
            NetError::Address { url: shown(url).into_owned(), problem }
        })?;
        let mut request = match call.body {
            Some((media_type, body)) => self.client.post(url.clone()).header(CONTENT_TYPE, media_type).body(body),
            None => self.client.get(url.clone()),
        };
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let request = authorized(request, call.token, call.client).header(ACCEPT, "application/json");
        let request = request.timeout(self.timeout.saturating_add(call.wait));
        let response = request.send().await.map_err(|error| self.explain(&url, &error))?;
        let headers = response.headers();
        let (status, retry_after) = (response.status().as_u16(), retry_after(headers));
        let (etag, has_waited) = (text(headers, &ETAG), headers.contains_key("preference-applied"));
        Ok(Reply { status, retry_after, etag, has_waited, body: self.read(response, &url).await? })
    }

    fn explain(&self, url: &Url, error: &reqwest::Error) -> NetError {
        match error::explain(url, error, "", self.ca_file) {
            NetError::Tls { url, problem, remedy } if self.ca_file.is_none() && remedy.contains("net.ca_file") => {
                let remedy = "Put the certificate of its CA into a PEM file and name that with --ca-file".into();
                NetError::Tls { url, problem, remedy }
            }
            other => other,
        }
    }

    async fn read(&self, mut response: Response, url: &Url) -> Result<Vec<u8>, NetError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.explain(url, &error))? {
            if body.len() + chunk.len() > self.max_body_bytes {
                let (url, limit) = (url.clone(), self.max_body_bytes);
                return Err(NetError::TooLarge { url, limit, setting: " (net.max_body_bytes)" });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn authorized(
    request: RequestBuilder,
    token: Option<&SecretString>,
    client: Option<(&str, &SecretString)>,
) -> RequestBuilder {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    match (token, client) {
        (Some(token), _) => request.bearer_auth(token.expose_secret()),
        (None, Some((id, secret))) => request.basic_auth(encode(id), Some(encode(secret.expose_secret()))),
        (None, None) => request,
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
