//! Where the database is and how it is spoken to: the URL, the password and the certificates of the section `[store]`.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::core::error::Misconfiguration;
use crate::store::{StoreSettings, mistake};

/// How long the server may take to answer at all.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a peer may be silent before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(5);
/// What every session but the one that migrates is bounded by. A commit is an answer's promise: it is not to be weakened by a role's setting.
const SESSION: &str = "-c statement_timeout=10s -c lock_timeout=5s -c idle_in_transaction_session_timeout=10s \
                       -c synchronous_commit=on -c client_min_messages=warning";

/// A database, and how it is spoken to.
pub(super) struct Place {
    /// For sessions that serve.
    pub(super) serving: Config,
    /// For the session that migrates, and may take its time.
    pub(super) migrating: Config,
}

impl Place {
    /// Reads the settings; connects to nothing. No error repeats the URL: a password may stand in it.
    pub(super) fn of(place: &str, settings: &StoreSettings) -> Result<Self, Misconfiguration> {
        let (address, tls) = take_ssl_mode(place)?;
        let form = "Write it as \"postgres://USER@HOST/DATABASE\", special characters as %XX";
        let unusable = || mistake("the URL is not one of PostgreSQL", form);
        if !address.starts_with("//") {
            return Err(unusable());
        }
        let mut config: Config = format!("postgres:{address}").parse().map_err(|_| unusable())?;
        if config.get_user().is_none() || config.get_dbname().is_none() || config.get_hosts().is_empty() {
            return Err(mistake("the URL must name a user, a host and a database", form));
        }
        if let Some(source) = &settings.password {
            let at_password = |problem, remedy| Misconfiguration::new("store.password", problem, remedy);
            if config.get_password().is_some() {
                return Err(at_password("there is one in store.url as well".into(), "Remove one of them"));
            }
            let password = source.read(&settings.base);
            let remedy = "Name a file or a variable that holds the password";
            config.password(password.map_err(|problem| at_password(problem, remedy))?.expose_secret());
        }
        let is_near = config.get_hosts().iter().all(is_on_this_machine)
            && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
        let encrypts = tls.unwrap_or(!is_near);
        if !encrypts && settings.ca_file.is_some() {
            let remedy = "Add sslmode=require to store.url, or leave store.ca_file out";
            return Err(Misconfiguration::new("store.ca_file", "the connection is not encrypted", remedy));
        }
        config.ssl_mode(if encrypts { SslMode::Require } else { SslMode::Disable });
        config.application_name("anteroom").connect_timeout(CONNECT).tcp_user_timeout(SILENCE);
        config.keepalives_idle(SILENCE).keepalives_interval(SILENCE / 5).keepalives_retries(3);
        let migrating = config.clone();
        let options = config.get_options().map(|options| format!("{options} ")).unwrap_or_default();
        config.options(format!("{options}{SESSION}"));
        Ok(Self { serving: config, migrating })
    }

    /// Whether the connection is encrypted, and the server's certificate checked.
    pub(super) fn encrypts(&self) -> bool {
        self.serving.get_ssl_mode() != SslMode::Disable
    }

    /// The server, for people.
    pub(super) fn shown(&self) -> String {
        let of_host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let hosts: Vec<_> = self.serving.get_hosts().iter().map(of_host).collect();
        format!("the database \"{}\" at {}", self.serving.get_dbname().unwrap_or_default(), hosts.join(", "))
    }
}

fn is_on_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|at: std::net::IpAddr| at.is_loopback()),
    }
}

/// The address without `sslmode`, and what that says. A connection is encrypted with the certificate checked, or it is not encrypted:
/// what lies between protects from nobody who can change what is sent.
fn take_ssl_mode(place: &str) -> Result<(String, Option<bool>), Misconfiguration> {
    let Some((address, query)) = place.split_once('?') else { return Ok((place.to_owned(), None)) };
    let mut tls = None;
    let mut rest = Vec::new();
    for part in query.split('&') {
        match part.strip_prefix("sslmode=") {
            None => rest.push(part),
            Some("disable") => tls = Some(false),
            Some("require" | "verify-full") => tls = Some(true),
            Some(_) => {
                let remedy =
                    "Write sslmode=require, which also checks the certificate and the name, or sslmode=disable";
                return Err(mistake("there is no such sslmode in the URL", remedy));
            }
        }
    }
    let query = rest.join("&");
    Ok((if query.is_empty() { address.to_owned() } else { format!("{address}?{query}") }, tls))
}
