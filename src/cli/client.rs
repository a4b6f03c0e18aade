//! `anteroom client new`: a fresh secret for a client, and the lines of configuration that hold its hash.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::Failure;
use crate::app::SystemEntropy;
use crate::core::hex;
use crate::core::policy::{SCOPES, is_scope};
use crate::oauth::clients::{default_scopes, generate_secret, hash, judge_id};

#[derive(Debug, Subcommand)]
pub(super) enum Client {
    /// Make a secret for a client: printed once, with the TOML lines that hold its hash
    New(New),
}

#[derive(Args, Debug)]
pub(super) struct New {
    /// The client id
    #[arg(value_parser = id)]
    name: String,
    /// A scope that the client may ask for; repeat it for more [default: requests:read requests:write]
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<String>,
}

fn scope(text: &str) -> Result<String, String> {
    let known = || SCOPES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if is_scope(text) { Ok(text.into()) } else { Err(format!("the scopes are: {}", known())) }
}

fn id(text: &str) -> Result<String, String> {
    judge_id(text).map(|()| text.into()).map_err(str::to_owned)
}

pub(super) fn run(command: Client) -> Result<(), Failure> {
    let Client::New(New { name, scopes }) = command;
    let scopes = if scopes.is_empty() { default_scopes() } else { scopes };
    let secret = generate_secret(&SystemEntropy);
    let hex = hex(&hash(secret.expose_secret()));
    // JSON's texts and lists of texts are TOML's too.
    let (key, scopes) = (serde_json::json!(name), serde_json::json!(scopes));
    writeln!(
        io::stdout(),
        "# The client's secret, shown this once. Hand it over by a safe way:\n#\n#   {}\n#\n# Put these lines into the gateway's configuration and restart it:\n\n\
         [clients.{key}]\nsecrets = [\"sha256:{hex}\"]\nscopes = {scopes}",
        secret.expose_secret()
    )?;
    Ok(())
}
