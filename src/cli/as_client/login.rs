//! `anteroom login`: a token for a person, who confirms it in a browser; RFC 8628.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use super::kept::Folder;
use super::progress::Progress;
use super::provider::Provider;
use super::talk::{complaint, json};
use super::token::{Asking, Given, error_of};
use super::{Client, EXIT_CODES, Options, open, printable, refused, run};
use crate::cli::Failure;
use crate::settings::Flags;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 8628 section 3.2: where the provider does not say.
const INTERVAL: u64 = 5;
const LONGEST_INTERVAL: Duration = Duration::from_mins(1);
const LONGEST_WAIT: u64 = 24 * 60 * 60;

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(in crate::cli) struct Login {
    /// The scopes to ask for, separated by spaces [default: all that the client has]
    #[arg(long)]
    scope: Option<String>,
    #[command(flatten)]
    options: Options,
}

/// What a device is told, RFC 8628 section 3.2.
#[derive(Deserialize)]
struct Codes {
    device_code: String,
    user_code: String,
    // Some providers follow an early draft.
    #[serde(alias = "verification_url")]
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

pub(in crate::cli) fn run_login(flags: &Flags, login: Login) -> Result<(), Failure> {
    let Login { scope, options } = login;
    run(&open(flags, options)?.for_login(), async |client| log_in(client, scope.as_deref()).await)
}

async fn log_in(client: &Client, scope: Option<&str>) -> Result<(), Failure> {
    // Before a person has done what leads to nothing.
    let folder = Folder::of_user()?;
    drop(folder.try_lock()?);
    let provider = Provider::at(client.place(), &client.talk).await?;
    let (asking, device_endpoint) = (client.asking(&provider)?, provider.device_endpoint()?);
    let token_endpoint = provider.token_endpoint()?;
    let codes = begin(client, device_endpoint, &asking, scope).await?;
    show(&codes)?;
    let mut progress = client.progress();
    let given = wait(client, token_endpoint, &codes, &asking, &mut progress).await?;
    let kept = given.keep(client, &provider, client.gateway())?;
    let until = match (&kept.refresh_token, kept.expires_at) {
        (Some(_), _) => "is renewed by itself".to_owned(),
        (None, Some(until)) => format!("is good until {until}"),
        (None, None) => "does not say how long it is good".to_owned(),
    };
    let _alone = client.lock(&folder).await?;
    folder.write(&kept)?;
    client.tell(&format!("Logged in. The token is kept in {} and {until}.", folder.file().display()))?;
    Ok(())
}

async fn begin(client: &Client, url: &str, asking: &Asking<'_>, scope: Option<&str>) -> Result<Codes, Failure> {
    let form: Vec<_> = scope.map(|scope| ("scope", scope)).into_iter().collect();
    let reply = client.ask(url, &form, asking).await?;
    if reply.status != 200 {
        return Err(refused(complaint(&reply, url)));
    }
    let codes: Codes = json(&reply, url)?;
    let addresses = [Some(&codes.verification_uri), codes.verification_uri_complete.as_ref()];
    if let Some(address) = addresses.into_iter().flatten().find(|address| !is_page(address)) {
        let (url, address) = (printable(url), printable(address));
        return Err(refused(format!("{url} would have a browser open what is no page of the web: {address}")));
    }
    Ok(codes)
}

/// Whether a browser may be sent there by whoever gives tokens: never to a file or a script.
fn is_page(address: &str) -> bool {
    let scheme = address.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web)))
}

/// What to do, for the person; told whatever is asked to be left out, or nothing would come of it.
fn show(codes: &Codes) -> io::Result<()> {
    let mut out = io::stderr().lock();
    let minutes = codes.expires_in.div_ceil(60);
    let (address, code) = (printable(&codes.verification_uri), printable(&codes.user_code));
    writeln!(out, "To log in, open {address} and enter the code {code} (within {minutes} min).")?;
    if let Some(complete) = &codes.verification_uri_complete {
        writeln!(out, "Or just open {}", printable(complete))?;
    }
    out.flush()
}

/// Asks until there is a token, or none will come; RFC 8628 section 3.5.
async fn wait(
    client: &Client,
    url: &str,
    codes: &Codes,
    asking: &Asking<'_>,
    progress: &mut Progress,
) -> Result<Given, Failure> {
    let form = [("grant_type", GRANT), ("device_code", codes.device_code.as_str())];
    let mut interval = Duration::from_secs(codes.interval.unwrap_or(INTERVAL).max(1)).min(LONGEST_INTERVAL);
    let end = client.clock.monotonic() + Duration::from_secs(codes.expires_in.min(LONGEST_WAIT));
    let what = "Waiting for you to confirm it";
    let mut unreachable = None;
    let mut pause = interval;
    loop {
        progress.during(what, client.clock.sleep(pause)).await;
        if client.clock.monotonic() >= end {
            return Err(unreachable.unwrap_or_else(|| refused("nobody has confirmed it in time: log in again")));
        }
        let reply = match progress.during(what, client.ask(url, &form, asking)).await {
            Ok(reply) => reply,
            Err(error) => {
                // It is asked less often, and not given up while the code is good.
                interval = (interval * 2).min(LONGEST_INTERVAL);
                (pause, unreachable) = (interval, Some(error.into()));
                continue;
            }
        };
        (pause, unreachable) = (interval, None);
        match (reply.status, error_of(&reply).as_str()) {
            (200, _) => return Given::of(&reply, url),
            (_, "authorization_pending") => {}
            (_, "slow_down") => {
                interval = (interval + Duration::from_secs(5)).min(LONGEST_INTERVAL);
                pause = interval;
            }
            (_, "access_denied") => return Err(refused("the person who was asked has denied it")),
            (_, "expired_token") => return Err(refused("nobody has confirmed it in time: log in again")),
            (429 | 500.., _) => pause = reply.retry_after.unwrap_or_default().clamp(interval, LONGEST_INTERVAL),
            _ => return Err(refused(complaint(&reply, url))),
        }
    }
}
