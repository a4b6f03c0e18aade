//! Posts to addresses that strangers have chosen: each name is looked up once, every address of it is judged, and the connection goes
//! to those that were judged and to no other.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, Url, redirect};

use super::client::retry_after;
use super::error::innermost;
use super::private::{Range, is_public};

/// How much of an answer is read; its content is of no interest.
const MAX_ANSWER_BYTES: usize = 4 * 1024;
/// How long an address may be.
const MAX_URL_BYTES: usize = 2048;

/// Which addresses may be posted to.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Ranges that may be posted to, though they are private.
    pub private: Vec<Range>,
    /// Whether this machine may be posted to, also without encryption: for development.
    pub loopback: bool,
    /// Whether everybody may be posted to without encryption.
    pub http: bool,
}

/// Posts to addresses that strangers have chosen.
#[derive(Clone, Debug)]
pub struct Pusher {
    client: Client,
    reach: Arc<Reach>,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The status.
    pub status: u16,
    /// How long to leave the receiver alone, if it says so.
    pub retry_after: Option<Duration>,
}

impl Reach {
    /// Reads an address that may be posted to, as far as it can be judged before its name is looked up.
    ///
    /// # Errors
    /// What is wrong, to be put after the address.
    pub fn judge(&self, text: &str) -> Result<Url, String> {
        let is_text = |text: &str| text.len() <= MAX_URL_BYTES && !text.chars().any(char::is_control);
        let url = Url::parse(text).ok().filter(|_| is_text(text)).ok_or("is not a URL of up to 2048 bytes")?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let address = host.parse::<IpAddr>().ok();
        match url.scheme() {
            "https" => {}
            "http" if self.http => {}
            "http" if self.loopback && (host == "localhost" || address.is_some_and(|ip| ip.is_loopback())) => {}
            _ => return Err("is not https".into()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user name or a password in it".into());
        }
        if url.fragment().is_some() {
            return Err("has a fragment".into());
        }
        match address {
            Some(address) if !self.includes(address) => Err(refusal(address)),
            _ => Ok(url),
        }
    }

    fn includes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address)
            || self.loopback && address.is_loopback()
            || self.private.iter().any(|range| range.contains(address))
    }
}

fn refusal(address: IpAddr) -> String {
    format!("leads to {address}, which is not an address of the public Internet")
}

impl Resolve for Reach {
    /// All addresses have to do: of several a stranger could make the connection take the one that does not. Which one does not is not
    /// said: who names a host is not to learn what it is called by in one's own network.
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let looked_up = tokio::task::spawn_blocking(move || (host.as_str(), 0).to_socket_addrs()).await??;
            let addresses: Vec<SocketAddr> = looked_up.collect();
            if addresses.iter().all(|address| reach.includes(address.ip())) {
                Ok(Box::new(addresses.into_iter()) as Addrs)
            } else {
                Err(io::Error::other("the name leads to an address that is not one of the public Internet").into())
            }
        })
    }
}

impl Pusher {
    pub(super) fn new(
        builder: impl Fn() -> ClientBuilder,
        authorities: &[reqwest::Certificate],
        reach: Reach,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let reach = Arc::new(reach);
        let builder = || {
            let builder = builder().timeout(timeout).connect_timeout(timeout).redirect(redirect::Policy::none());
            // A proxy would look the name up again.
            builder.no_proxy().dns_resolver(Arc::clone(&reach))
        };
        let client = builder().tls_certs_merge(authorities.to_vec()).build();
        // A machine without a certificate store can still serve.
        let client = client.or_else(|_| builder().tls_certs_only(authorities.to_vec()).build())?;
        Ok(Self { client, reach })
    }

    /// Which addresses may be posted to.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Posts JSON, with these headers.
    ///
    /// # Errors
    /// Why there is no answer, in a sentence without the address.
    pub async fn push(&self, url: &str, headers: &[(&'static str, String)], body: &str) -> Result<Pushed, String> {
        let url = self.reach.judge(url).map_err(|problem| format!("The address {problem}."))?;
        let mut sent = HeaderMap::new();
        sent.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            sent.insert(*name, HeaderValue::from_str(value).map_err(|_| "A header can not be sent.".to_owned())?);
        }
        let response = self.client.post(url).headers(sent).body(body.to_owned()).send().await;
        let response = response.map_err(|error| explain(&error))?;
        let pushed = Pushed { status: response.status().as_u16(), retry_after: retry_after(response.headers()) };
        read(response).await;
        Ok(pushed)
    }
}

/// Reads a little of what was answered, so that the receiver does not see its answer refused.
async fn read(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read >= MAX_ANSWER_BYTES {
            return;
        }
    }
}

fn explain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "There was no answer in time.".into();
    }
    let why = innermost(error);
    let why: String = why.chars().filter(|c| !c.is_control()).take(300).collect();
    if error.is_connect() { format!("There was no connection: {why}.") } else { format!("The call failed: {why}.") }
}
