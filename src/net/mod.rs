//! Outbound HTTP: clients with private CAs, time and size limits, and errors that say what to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, redirect};
use serde::{Deserialize, Serialize};

use crate::core::error::Misconfiguration;
use crate::core::period::Period;

mod address;
mod caller;
mod client;
mod error;
mod local;
mod private;
mod push;

pub use address::{secure_url, shown};
pub use caller::{Call, Caller, Reply};
pub use client::{Answer, Fetched, HttpClient, Validators};
pub use error::{FetchErrorClass, NetError};
pub use local::{LocalCall, LocalClient, LocalError};
pub use private::{Range, is_public};
pub use push::{Pushed, Pusher, Reach};
pub use reqwest::Url;

/// The section `[net]`: how the gateway talks to identity providers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetSettings {
    /// A PEM file with the certificates of private CAs, trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one exchange may take, from the name lookup to the last byte.
    pub timeout: Period,
    /// How many bytes of an answer are read.
    pub max_body_bytes: usize,
    /// Whether `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count.
    pub proxy_from_environment: bool,
}

impl Default for NetSettings {
    fn default() -> Self {
        Self { ca_file: None, timeout: Period::seconds(5), max_body_bytes: 512 * 1024, proxy_from_environment: false }
    }
}

impl NetSettings {
    /// Judges the settings and reads what they name. `base` is the folder that a relative path is relative to.
    ///
    /// # Errors
    /// Every limit of 0; a CA file that can not be used.
    pub fn open(&self, base: &Path) -> Result<Net, Vec<Misconfiguration>> {
        let is_zero =
            [("net.timeout", self.timeout.duration().is_zero()), ("net.max_body_bytes", self.max_body_bytes == 0)];
        let mistake = |key| Misconfiguration::new(key, "is 0", "Leave it out, or write a limit greater than 0");
        let mut mistakes: Vec<_> =
            is_zero.iter().filter(|(_, is_zero)| *is_zero).map(|(key, _)| mistake(*key)).collect();
        let ca_file = self.ca_file.as_ref().map(|path| read_authorities("net.ca_file", &base.join(path)));
        match ca_file.transpose() {
            Ok(authorities) if mistakes.is_empty() => {
                let authorities = authorities.unwrap_or_default();
                Ok(Net { settings: self.clone(), base: base.to_owned(), authorities })
            }
            ca_file => {
                mistakes.extend(ca_file.err());
                Err(mistakes)
            }
        }
    }

    fn builder(&self) -> ClientBuilder {
        let builder = Client::builder()
            .user_agent(concat!("anteroom/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.timeout.duration())
            .timeout(self.timeout.duration())
            .redirect(redirect::Policy::none())
            // Fetches are rare, and a kept connection would belong to the runtime that opened it.
            .pool_max_idle_per_host(0);
        if self.proxy_from_environment { builder } else { builder.no_proxy() }
    }
}

/// The section `[net]`, ready for use: what clients are made with.
#[derive(Clone, Debug)]
pub struct Net {
    settings: NetSettings,
    base: PathBuf,
    authorities: Vec<Certificate>,
}

/// What one verifier says of the provider that it asks.
#[derive(Clone, Copy, Debug)]
pub struct Provider<'a> {
    /// The verifier's name in the configuration.
    pub verifier: &'a str,
    /// A PEM file with the certificates of private CAs, trusted besides those of `[net]`.
    pub ca_file: Option<&'a Path>,
    /// Whether the provider may be asked without encryption.
    pub allow_http: bool,
}

impl Net {
    /// A client for the provider of one verifier.
    ///
    /// # Errors
    /// A CA file that can not be used.
    pub fn client(&self, provider: Provider<'_>) -> Result<HttpClient, Misconfiguration> {
        let key = format!("verifiers.{}.ca_file", provider.verifier);
        let own = provider.ca_file.map(|path| read_authorities(&key, &self.base.join(path))).transpose()?;
        let faulty = if own.is_some() { &key } else { "net.ca_file" };
        let authorities: Vec<_> = self.authorities.iter().cloned().chain(own.into_iter().flatten()).collect();
        let client = self
            .settings
            .builder()
            .tls_certs_merge(authorities.clone())
            .build()
            // A machine without a certificate store can still serve: what it fetches then fails with the remedy.
            .or_else(|_| self.settings.builder().tls_certs_only(authorities).build())
            .map_err(|error| {
                let remedy = "Check that its certificates are those of CAs, in PEM";
                Misconfiguration::new(faulty, format!("can not be used: {}", error::innermost(&error)), remedy)
            })?;
        let of_all = self.settings.ca_file.as_ref().map(|_| "net.ca_file".to_owned());
        let named: Vec<_> = provider.ca_file.map(|_| key).into_iter().chain(of_all).collect();
        let ca_files = (!named.is_empty()).then(|| named.join(" or "));
        Ok(HttpClient::new(client, self.settings.max_body_bytes, provider, ca_files))
    }
}

impl Net {
    /// What posts to addresses that strangers have chosen, within that reach and that time.
    ///
    /// # Errors
    /// A CA file that can not be used.
    pub fn pusher(&self, reach: Reach, timeout: Duration) -> Result<Pusher, Misconfiguration> {
        Pusher::new(|| self.settings.builder(), &self.authorities, reach, timeout).map_err(|error| {
            let remedy = "Check that its certificates are those of CAs, in PEM";
            Misconfiguration::new("net.ca_file", format!("can not be used: {}", error::innermost(&error)), remedy)
        })
    }
}

fn read_authorities(key: &str, path: &Path) -> Result<Vec<Certificate>, Misconfiguration> {
    let fault =
        |problem: String| Misconfiguration::new(key, problem, "Name a PEM file with at least one CA certificate");
    let pem = std::fs::read(path).map_err(|error| fault(format!("{} can not be read: {error}", path.display())))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(authorities) if !authorities.is_empty() => Ok(authorities),
        _ => Err(fault(format!("{} holds no certificate", path.display()))),
    }
}
