//! `anteroom client`: clients are added to the running gateway, listed, given new secrets and removed; or get lines of configuration.

use std::io::{self, Write};

use clap::{Args, Subcommand, ValueEnum};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::operate::{delete, escaped, get, post};
use super::sheet::{self, items, table, text};
use super::{Failure, load};
use crate::app::SystemEntropy;
use crate::core::hex;
use crate::core::period::Period;
use crate::core::policy::{SCOPES, is_scope};
use crate::oauth::clients::{default_scopes, generate_secret, hash, judge_id};
use crate::settings::{Flags, Settings};

#[derive(Debug, Subcommand)]
pub(super) enum Client {
    /// Add a client to the running gateway, or to its store when none runs: its secret is printed once
    Add(Add),
    /// List the clients, configured and added
    List(List),
    /// Give a client that was added a new secret, which is printed once
    Rotate(Rotate),
    /// Remove a client that was added; its tokens are believed no more
    Remove(Named),
    /// Make a secret for a client: printed once, with the TOML lines that hold its hash
    New(New),
}

#[derive(Args, Debug)]
pub(super) struct Add {
    #[command(flatten)]
    client: Named,
    /// What people are told that it is called [default: its id]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// A scope that the client may ask for; repeat it for more [default: requests:read requests:write]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A way in which it may come to a token; repeat it for more [default: client-credentials, unless it is public;
    /// authorization-code and refresh-token, if it has redirect URIs]
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<Grant>,
    /// Where people's browsers may be sent with a code, byte for byte; repeat it for more
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// It can not keep a secret, and has none: a program in a browser or on somebody's machine
    #[arg(long)]
    public: bool,
    /// Whether people are asked before it gets a token for them
    #[arg(long, default_value = "ask")]
    consent: Consent,
    /// How long its tokens are valid, as 1h [default: as long as everybody's]
    #[arg(long, value_name = "PERIOD")]
    lifetime: Option<Period>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Grant {
    ClientCredentials,
    AuthorizationCode,
    RefreshToken,
    DeviceCode,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Consent {
    Ask,
    Auto,
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Print what the API answers, a page on each line
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Rotate {
    #[command(flatten)]
    client: Named,
    /// For how long its old secrets are good still; 0s: no longer
    #[arg(long, value_name = "PERIOD", default_value = "24h")]
    overlap: Period,
}

#[derive(Args, Debug)]
pub(super) struct Named {
    /// The client id
    #[arg(value_parser = id)]
    name: String,
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

pub(super) fn run(flags: &Flags, command: Client) -> Result<(), Failure> {
    let settings = match &command {
        Client::New(new) => return lines_for(new),
        _ => load(flags)?,
    };
    match command {
        Client::Add(add) => {
            let added = post(&settings, CLIENTS, &add.body())?;
            hand_over(&added, "is added")
        }
        Client::Rotate(Rotate { client, overlap }) => {
            let path = format!("{}/rotate", path_of(&client.name));
            let rotated = post(&settings, &path, &json!({ "overlap": overlap.to_string() }))?;
            hand_over(&rotated, "has a new secret")
        }
        Client::Remove(client) => {
            delete(&settings, &path_of(&client.name))?;
            writeln!(io::stderr(), "The client {} is removed.", text(&json!(client.name)))?;
            Ok(())
        }
        Client::List(list) => print_all(&settings, list.json),
        Client::New(_) => Ok(()),
    }
}

const CLIENTS: &str = "/v1/admin/clients";

fn path_of(id: &str) -> String {
    format!("{CLIENTS}/{}", escaped(id))
}

impl Add {
    /// What the API is sent.
    fn body(&self) -> Value {
        let name = |grant: &Grant| match grant {
            Grant::ClientCredentials => "client_credentials",
            Grant::AuthorizationCode => "authorization_code",
            Grant::RefreshToken => "refresh_token",
            Grant::DeviceCode => "device_code",
        };
        let grants = Some(self.grants.iter().map(name).collect::<Vec<_>>()).filter(|grants| !grants.is_empty());
        let consent = match self.consent {
            Consent::Ask => "ask",
            Consent::Auto => "auto",
        };
        let scopes = if self.scopes.is_empty() { default_scopes() } else { self.scopes.clone() };
        json!({
            "client_id": self.client.name, "name": self.title, "public": self.public, "grants": grants,
            "redirect_uris": self.redirect_uris, "consent": consent, "scopes": scopes,
            "lifetime": self.lifetime.map(|lifetime| lifetime.to_string()),
        })
    }
}

/// The secret alone goes to standard output, so that it can be sent on to where it is kept.
fn hand_over(client: &Value, done: &str) -> Result<(), Failure> {
    let id = text(&client["client_id"]);
    match client["client_secret"].as_str() {
        Some(secret) => {
            writeln!(io::stderr(), "The client {id} {done}. Its secret, shown this once, is:")?;
            writeln!(io::stdout(), "{secret}")?;
        }
        None => writeln!(io::stderr(), "The client {id} {done}. It is public: it has no secret.")?,
    }
    Ok(())
}

/// Page by page, to the end.
fn print_all(settings: &Settings, as_json: bool) -> Result<(), Failure> {
    let (mut rows, mut path) = (Vec::new(), format!("{CLIENTS}?limit=200"));
    let mut out = io::stdout().lock();
    loop {
        let page = get(settings, &path)?;
        if as_json {
            writeln!(out, "{}", sheet::json(&page))?;
        }
        rows.extend(items(&page["items"]).iter().map(row));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{CLIENTS}?limit=200&cursor={cursor}");
    }
    if !as_json {
        table(["CLIENT", "FROM", "GRANTS", "SCOPES", "SECRETS", "ADDED"], &rows, &mut out)?;
    }
    Ok(())
}

fn row(client: &Value) -> [String; 6] {
    let joined = |key: &str| {
        let words: Vec<_> = items(&client[key]).iter().map(text).collect();
        if words.is_empty() { "-".to_owned() } else { words.join(" ") }
    };
    let configured = client["configured"] == true;
    let secrets = match (configured, client["public"] == true) {
        (_, true) => "public".into(),
        (true, false) => "-".into(),
        (false, false) => items(&client["secrets"]).len().to_string(),
    };
    let from = if configured { "configuration" } else { "store" };
    let id = text(&client["client_id"]);
    [id, from.into(), joined("grants"), joined("scopes"), secrets, text(&client["created_at"])]
}

/// The lines of configuration for a client that has not been.
fn lines_for(New { name, scopes }: &New) -> Result<(), Failure> {
    let scopes = if scopes.is_empty() { default_scopes() } else { scopes.clone() };
    let secret = generate_secret(&SystemEntropy);
    let hex = hex(&hash(secret.expose_secret()));
    // JSON's texts and lists of texts are TOML's too.
    let (key, scopes) = (json!(name), json!(scopes));
    writeln!(
        io::stdout(),
        "# The client's secret, shown this once. Hand it over by a safe way:\n#\n#   {}\n#\n# Put these lines into the gateway's configuration and restart it:\n\n\
         [clients.{key}]\nsecrets = [\"sha256:{hex}\"]\nscopes = {scopes}",
        secret.expose_secret()
    )?;
    Ok(())
}
