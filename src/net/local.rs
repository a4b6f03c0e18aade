//! Asks a gateway on this machine over its admin socket.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, redirect};
use serde_json::Value;

use super::error::innermost;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How much of an answer is read.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Asks the gateway that listens on one socket.
#[derive(Clone, Debug)]
pub struct LocalClient(Client);

/// What is wanted of a path.
#[derive(Clone, Copy, Debug)]
pub enum LocalCall<'a> {
    /// To read it.
    Get,
    /// To send JSON to it.
    Post(&'a Value),
    /// To delete it.
    Delete,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Nobody listens there.
    #[error("no gateway listens there")]
    Absent,
    /// Anything else, as a sentence.
    #[error("{0}")]
    Failed(String),
}

impl LocalClient {
    /// A client of the socket at `path`.
    ///
    /// # Errors
    /// The machine's HTTP client can not be made.
    pub fn of(path: &Path) -> Result<Self, LocalError> {
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().timeout(TIMEOUT);
        client.unix_socket(path).build().map(Self).map_err(|error| LocalError::Failed(innermost(&error)))
    }

    /// What is answered to a call of a path, with its query: status and body.
    ///
    /// # Errors
    /// Nobody listens, or the answer does not come whole.
    pub async fn call(&self, path: &str, call: LocalCall<'_>) -> Result<(u16, Vec<u8>), LocalError> {
        let url = format!("http://localhost{path}");
        let request = match call {
            LocalCall::Get => self.0.get(url),
            LocalCall::Post(body) => self.0.post(url).header(CONTENT_TYPE, "application/json").body(body.to_string()),
            LocalCall::Delete => self.0.delete(url),
        };
        let mut answer = request.send().await.map_err(|error| explain(&error))?;
        let (status, mut body) = (answer.status().as_u16(), Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(|error| explain(&error))? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(LocalError::Failed("the answer is too large".into()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }
}

fn explain(error: &reqwest::Error) -> LocalError {
    // `InvalidInput`: the path is too long for a socket, and so there is none.
    let is_absent = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::InvalidInput);
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| is_absent(error.kind())) {
            return LocalError::Absent;
        }
        cause = error.source();
    }
    LocalError::Failed(innermost(error))
}
