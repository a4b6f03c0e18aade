//! The program as a client: logs in for a person, submits requests and tells how they get on.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::sheet::text;
use super::{Failure, MISCONFIGURED, load};
use crate::app::{CLI_CLIENT, SystemClock};
use crate::core::clock::Clock;
use crate::net::{FetchErrorClass, NetError, Reply};
use crate::secret::Source;
use crate::settings::login::LoginSettings;
use crate::settings::{Flags, Settings};
use crate::telemetry::logs::{LogFormat, LogSettings};

mod kept;
pub(super) mod login;
mod progress;
mod provider;
pub(super) mod status;
pub(super) mod submit;
mod talk;
mod token;

use progress::Progress;
use provider::Place;
use talk::{Talk, complaint};
use token::Access;

/// The server refused, or the person did.
const REFUSED: u8 = 3;
/// The server did not answer.
const UNREACHABLE: u8 = 4;

/// Exit codes, as `--help` tells them.
const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed, or the request did not succeed; 2 the configuration or the command line can not \
                          be used; 3 refused by the server or by the person who was asked; 4 the server does not answer; 130 interrupted";

/// Whom to talk to, as whom, and how much to tell about it.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// The address of the gateway [default: the one that was logged in at, else that of the configuration]
    #[arg(long)]
    url: Option<String>,
    /// The client id; of a public client, unless there is a secret [default: anteroom-cli]
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Where the client's secret is: `env:NAME` or `file:PATH`
    #[arg(long, value_name = "PLACE")]
    client_secret: Option<String>,
    /// The discovery document of the provider that gives tokens, or its issuer [default: the gateway]
    #[arg(long, value_name = "URL")]
    discovery_url: Option<String>,
    /// A PEM file with the certificates of private CAs, trusted besides the system's and those of `net.ca_file`
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Tell nothing but what was asked for
    #[arg(short, long, conflicts_with = "debug")]
    quiet: bool,
    /// Tell each call and how it was answered
    #[arg(short, long)]
    debug: bool,
}

impl Options {
    /// Where the client's secret is; a file is named so that it is found from any folder.
    fn secret(&self) -> Result<Option<Source>, Failure> {
        let Some(place) = &self.client_secret else { return Ok(None) };
        let mistake = |problem: String| misused("--client-secret", problem, "A secret never stands on a command line");
        match place.parse().map_err(mistake)? {
            Source::File(path) => Ok(Some(Source::File(std::path::absolute(path)?))),
            source @ Source::Env(_) => Ok(Some(source)),
        }
    }
}

/// What a command works with.
struct Client {
    options: Options,
    /// Where the client's secret is, and what says so.
    secret: Option<(Source, &'static str)>,
    settings: Settings,
    talk: Talk,
    clock: Arc<dyn Clock>,
    /// The token that was had for its own credentials.
    own: RefCell<Option<Access>>,
}

/// Runs a command to its end.
fn run<T>(client: &Client, work: impl AsyncFnOnce(&Client) -> Result<T, Failure>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        // From here on, so that nothing which is told can be broken off in another way.
        let mut interruptions = signal(SignalKind::interrupt())?;
        tokio::select! {
            biased;
            done = work(client) => done,
            _ = interruptions.recv() => Err(Failure::interrupted()),
        }
    });
    // What looks a name up can not be broken off, and is not waited for.
    runtime.shutdown_background();
    done
}

fn open(flags: &Flags, options: Options) -> Result<Client, Failure> {
    // What goes wrong on the way is told by the sentence at the end.
    LogSettings { level: Some("error".into()), ..LogSettings::default() }.start(LogFormat::Pretty);
    let secret = options.secret()?.map(|place| (place, "--client-secret"));
    let settings = load(flags)?;
    let net = settings.net.open(&settings.base).map_err(|mistakes| settings.unusable(mistakes))?;
    let caller = net.caller(options.ca_file.as_deref()).map_err(|mistake| settings.unusable(vec![mistake]))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let talk = Talk::new(caller, Arc::clone(&clock), options.debug);
    Ok(Client { options, secret, settings, talk, clock, own: RefCell::default() })
}

impl Client {
    /// With what the configuration says of logging in, where the command line says nothing.
    fn for_login(mut self) -> Self {
        let LoginSettings { client_id, client_secret, discovery_url } = self.settings.login.clone();
        let base = &std::path::absolute(&self.settings.base).unwrap_or_default();
        self.options.client_id = self.options.client_id.or(client_id);
        self.options.discovery_url = self.options.discovery_url.or(discovery_url);
        self.secret = self.secret.or(client_secret.map(|place| (place.below(base), "login.client_secret")));
        self
    }

    fn client_id(&self) -> &str {
        self.options.client_id.as_deref().unwrap_or(CLI_CLIENT)
    }

    /// The gateway of the command line or of the configuration, without a slash at the end.
    fn gateway(&self) -> String {
        let configured = || {
            let server = &self.settings.server;
            server
                .public_url
                .clone()
                .unwrap_or_else(|| format!("http://{}", super::healthcheck::reachable(server.bind)))
        };
        let url = self.options.url.clone().unwrap_or_else(configured);
        url.trim_end_matches('/').to_owned()
    }

    /// Who gives tokens.
    fn place(&self) -> Place {
        self.options.discovery_url.clone().map_or_else(|| Place::Gateway(self.gateway()), Place::Named)
    }

    /// What the gateway says when it refuses a call.
    fn refusal(&self, reply: &Reply, url: &str) -> Failure {
        let is_of_login = reply.status == 401 && self.options.client_secret.is_none();
        let remedy = if is_of_login { "; log in anew with `anteroom login`" } else { "" };
        refused(complaint(reply, url) + remedy)
    }

    fn progress(&self) -> Progress {
        Progress::new(Arc::clone(&self.clock), self.options.quiet, self.options.debug)
    }

    /// A line for whoever looks on.
    fn tell(&self, line: &str) -> io::Result<()> {
        if self.options.quiet { Ok(()) } else { writeln!(io::stderr(), "{line}") }
    }
}

/// What was written on the command line can not be used.
fn misused(option: &str, problem: impl std::fmt::Display, remedy: &str) -> Failure {
    Failure::Ended { code: MISCONFIGURED, sentence: format!("{option}: {problem}. {remedy}") }
}

fn refused(sentence: impl Into<String>) -> Failure {
    Failure::Ended { code: REFUSED, sentence: sentence.into() }
}

/// What a server says, as a terminal may show it.
fn printable(said: &str) -> String {
    text(&serde_json::Value::String(said.chars().take(500).collect()))
}

impl From<NetError> for Failure {
    fn from(error: NetError) -> Self {
        let (code, remedy) = match error.class() {
            FetchErrorClass::Timeout | FetchErrorClass::Connection => {
                (UNREACHABLE, ". Check the address (--url, --discovery-url), and that the server runs")
            }
            FetchErrorClass::Tls => (UNREACHABLE, ""),
            FetchErrorClass::Address => (MISCONFIGURED, ". Correct the address"),
            _ => return Self::Failed(error.to_string()),
        };
        Self::Ended { code, sentence: format!("{error}{remedy}") }
    }
}
