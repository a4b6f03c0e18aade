//! `anteroom token`: mints a token for a configured client, for trying things out.

use std::io::{self, Write};

use clap::Args;

use super::{Failure, plan};
use crate::app::{DEMO_CLIENT, Plan, SecretOrigin};
use crate::core::error::Misconfiguration;
use crate::oauth::clients::{Client, demo_scopes, generate_secret};
use crate::oauth::minter::Minter;
use crate::oauth::scopes::Scopes;
use crate::settings::Flags;

#[derive(Args, Debug)]
pub(super) struct Token {
    /// The client id
    name: String,
    /// The scopes, separated by spaces [default: all that the client has]
    #[arg(long)]
    scope: Option<String>,
}

pub(super) fn run(flags: &Flags, arguments: Token) -> Result<(), Failure> {
    let (settings, plan) = plan(flags)?;
    if plan.secret_origin == SecretOrigin::New {
        let problem = format!("{} holds no signing secret yet", settings.server.data_dir.display());
        let remedy = "Start the gateway once, or configure issuer.secrets";
        return Err(settings.unusable(vec![Misconfiguration::new("server.data_dir", problem, remedy)]).into());
    }
    let Plan { mut clients, types, issuer, clock, entropy, .. } = plan;
    if settings.has_demo_client() {
        clients.push(Client::new(DEMO_CLIENT, &generate_secret(&*entropy), demo_scopes(types.scopes())));
    }
    let Some(client) = clients.iter().find(|client| client.id == arguments.name) else {
        let known = clients.iter().map(|client| client.id.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Failure::Failed(format!("there is no client \"{}\"; the clients are: {known}", arguments.name)));
    };
    let minter = Minter { issuer, scopes: Scopes::new(types.scopes()), clock };
    let issued =
        minter.mint_for(client, arguments.scope.as_deref()).map_err(|error| Failure::Failed(error.to_string()))?;
    writeln!(io::stdout(), "{}", issued.access_token)?;
    Ok(())
}
