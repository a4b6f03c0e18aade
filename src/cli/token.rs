//! `anteroom token`: mints a token for a configured client, for trying things out.

use std::io::{self, Write};
use std::sync::Arc;

use clap::Args;

use super::{Failure, load};
use crate::app::{DEMO_CLIENT, Plan, SystemClock, SystemEntropy, signing_secrets};
use crate::core::error::Misconfiguration;
use crate::oauth::TokenService;
use crate::oauth::clients::{Client, Clients, default_scopes, generate_secret};
use crate::oauth::issuer::Issuer;
use crate::settings::Flags;
use crate::telemetry::metrics::Metrics;

#[derive(Args, Debug)]
pub(super) struct Token {
    /// The client id
    name: String,
    /// The scopes, separated by spaces [default: all that the client has]
    #[arg(long)]
    scope: Option<String>,
}

pub(super) fn run(flags: &Flags, arguments: Token) -> Result<(), Failure> {
    let settings = load(flags)?;
    let unusable = |mistakes| settings.unusable(mistakes);
    let none_yet = || {
        let problem = format!("{} holds no signing secret yet", settings.server.data_dir.display());
        Err(Misconfiguration::new("server.data_dir", problem, "Start the gateway once, or configure issuer.secrets"))
    };
    let secrets = signing_secrets(&settings, none_yet).map_err(|mistake| unusable(vec![mistake]))?;
    let (clock, entropy) = (Arc::new(SystemClock::start()), Arc::new(SystemEntropy));
    let issuer = Issuer::new(settings.issuer_url(), &settings.issuer, &secrets[0], entropy.clone());
    let metrics = Arc::new(Metrics::new());
    let Plan { mut clients, .. } = Plan::of(&settings, secrets, clock.clone(), entropy, metrics).map_err(unusable)?;
    if settings.has_demo_client() {
        clients.push(Client::new(DEMO_CLIENT, &generate_secret(&SystemEntropy), default_scopes()));
    }
    let known = clients.iter().map(|client| client.id.clone()).collect::<Vec<_>>().join(", ");
    let clients = Clients::new(clients);
    if clients.get(&arguments.name).is_none() {
        return Err(Failure::Failed(format!("there is no client \"{}\"; the clients are: {known}", arguments.name)));
    }
    let tokens = TokenService::new(clients, issuer, clock);
    let grant =
        tokens.mint_for(&arguments.name, arguments.scope).map_err(|error| Failure::Failed(error.to_string()))?;
    writeln!(io::stdout(), "{}", grant.access_token)?;
    Ok(())
}
