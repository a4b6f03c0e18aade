//! The command line: a file for each subcommand.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::app::{Plan, SystemClock, SystemEntropy};
use crate::core::error::Misconfiguration;
use crate::settings::{Flags, Origin, Settings, Unusable};

mod account;
mod as_client;
mod check;
mod client;
mod explain;
mod healthcheck;
mod key;
mod openapi;
mod operate;
mod password;
mod request;
mod serve;
mod sheet;
mod token;
mod warnings;

/// The configuration or the command line can not be used.
const MISCONFIGURED: u8 = 2;
/// Somebody has broken it off: what shells tell of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// The gateway between a Provider and its Clients
#[derive(Debug, Parser)]
#[command(name = "anteroom", version)]
struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where the configuration is, and what wins over it.
#[derive(Args, Debug)]
struct Configuration {
    /// The configuration file; without one the defaults hold
    #[arg(short, long, global = true, env = "ANTEROOM_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    bind: Option<String>,
    /// Where state lives
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (the default)
    Serve,
    /// Check the configuration and print the effective one, secrets masked
    Check(check::Check),
    /// Clients that ask for tokens
    #[command(subcommand)]
    Client(client::Client),
    /// Accounts of people who log in with a name and a password: asks the running gateway, or opens its store when none runs
    #[command(subcommand)]
    Account(account::Account),
    /// Mint a token for a configured client and print it
    Token(token::Token),
    /// Read a token from standard input and print each check of it: exit code 0 accepted, 1 refused, 3 can not be told
    Explain(explain::Explain),
    /// Look at requests, whoever's they are: asks the running gateway, or opens its store when none runs
    #[command(subcommand)]
    Request(request::Request),
    /// Log in as a person, with a browser on any device, and keep the token for `submit` and `status`
    Login(as_client::login::Login),
    /// Submit a request with the token of `login`, or of --client-id and --client-secret, and print its id
    Submit(as_client::submit::Submit),
    /// Print how a request gets on
    Status(as_client::status::Status),
    /// Keys that our tokens are signed with: asks the running gateway, or opens its store when none runs
    #[command(subcommand)]
    Key(key::Key),
    /// Print the contract, as the configured gateway serves it
    Openapi(openapi::Openapi),
    /// Ask the configured gateway whether it is alive: exit code 0 or 1
    Healthcheck,
}

/// Why a command did not do its work.
enum Failure {
    /// The configuration can not be used.
    Misconfigured(Unusable),
    /// Anything that has an exit code of its own, as a sentence.
    Ended { code: u8, sentence: String },
    /// Anything else, as a sentence.
    Failed(String),
}

impl Failure {
    fn interrupted() -> Self {
        Self::Ended { code: INTERRUPTED, sentence: "interrupted".into() }
    }
}

impl From<Unusable> for Failure {
    fn from(unusable: Unusable) -> Self {
        Self::Misconfigured(unusable)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Does what the arguments say.
pub fn run() -> ExitCode {
    let Arguments { configuration, command } = Arguments::parse();
    let flags = Flags { config: configuration.config, bind: configuration.bind, data_dir: configuration.data_dir };
    let done = match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(&flags).map(succeeded),
        Command::Check(arguments) => check::run(&flags, &arguments),
        Command::Account(command) => account::run(&flags, &command).map(succeeded),
        Command::Client(command) => client::run(&flags, command).map(succeeded),
        Command::Token(arguments) => token::run(&flags, arguments).map(succeeded),
        Command::Explain(arguments) => explain::run(&flags, &arguments),
        Command::Request(command) => request::run(&flags, &command).map(succeeded),
        Command::Login(arguments) => as_client::login::run_login(&flags, arguments).map(succeeded),
        Command::Submit(arguments) => as_client::submit::run_submit(&flags, arguments).map(succeeded),
        Command::Status(arguments) => as_client::status::run_status(&flags, arguments),
        Command::Key(command) => key::run(&flags, &command).map(succeeded),
        Command::Openapi(arguments) => openapi::run(&flags, &arguments).map(succeeded),
        Command::Healthcheck => healthcheck::run(&flags).map(succeeded),
    };
    match done {
        Ok(code) => code,
        Err(Failure::Misconfigured(unusable)) => {
            // Where standard error is gone there is nobody left to tell.
            let _ = tell_mistakes(&unusable.mistakes, &unusable.origin);
            ExitCode::from(MISCONFIGURED)
        }
        Err(Failure::Ended { code, sentence }) => {
            let _ = writeln!(io::stderr(), "anteroom: {sentence}");
            ExitCode::from(code)
        }
        Err(Failure::Failed(sentence)) => {
            let _ = writeln!(io::stderr(), "anteroom: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn succeeded((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// Reads the settings; where they can not be used, every section is judged all the same, so that all mistakes are told at once.
fn load(flags: &Flags) -> Result<Settings, Unusable> {
    read(flags).map_err(|mut unusable| {
        if let Some(Err(more)) = unusable.readable.take().map(|settings| judge(&settings)) {
            unusable.mistakes.extend(more);
        }
        unusable
    })
}

/// The settings and what follows from them. Nothing is made for it: where no signing secret is configured or made yet, one for the
/// moment stands in.
fn plan(flags: &Flags) -> Result<(Settings, Plan), Unusable> {
    let settings = load(flags)?;
    match judge(&settings) {
        Ok(plan) => Ok((settings, plan)),
        Err(mistakes) => Err(settings.unusable(mistakes)),
    }
}

fn judge(settings: &Settings) -> Result<Plan, Vec<Misconfiguration>> {
    Plan::of(settings, Arc::new(SystemClock::start()), Arc::new(SystemEntropy))
}

fn read(flags: &Flags) -> Result<Settings, Unusable> {
    Settings::load(
        flags,
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    )
}

/// Every mistake: where, which key, what is wrong, what to do.
fn tell_mistakes(mistakes: &[Misconfiguration], origin: &Origin) -> io::Result<()> {
    let mut out = io::stderr().lock();
    let count = mistakes.len();
    writeln!(
        out,
        "anteroom: can not start with this configuration ({count} mistake{})",
        if count == 1 { "" } else { "s" }
    )?;
    for Misconfiguration { key, problem, remedy } in mistakes {
        writeln!(out, "  {}: {key}: {problem}\n    {remedy}", origin.of(key))?;
    }
    Ok(())
}
