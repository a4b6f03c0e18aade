//! `anteroom status`: how a request gets on, now or until its end.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::progress::Progress;
use super::talk::json;
use super::token::Lack;
use super::{Client, EXIT_CODES, Options, open, run};
use crate::cli::Failure;
use crate::cli::sheet::{self, text};
use crate::net::{Call, NetError, Reply};
use crate::settings::Flags;

/// How long one call waits for a change: less than what proxies commonly allow.
const HOLD: Duration = Duration::from_secs(25);
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// So many calls in a row may go without an answer while it waits.
const PATIENCE: u32 = 5;

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(in crate::cli) struct Status {
    /// The id of the request
    id: String,
    /// Wait until it has reached its end
    #[arg(long)]
    wait: bool,
    /// Print what the API answers
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
}

pub(in crate::cli) fn run_status(flags: &Flags, status: Status) -> Result<ExitCode, Failure> {
    let Status { id, wait, json, options } = status;
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let request = run(&open(flags, options)?, async |client| follow(client, &id, wait).await)?;
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", sheet::json(&request))?;
    } else {
        writeln!(out, "{} {}", text(&request["request_id"]), summary(&request))?;
    }
    let has_failed = is_over(&request) && request["status"] != "succeeded";
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What it says in few words.
fn summary(request: &Value) -> String {
    let (status, stage, error) = (text(&request["status"]), text(&request["stage"]), &request["error"]);
    let percent = request["progress"]["percent"].as_f64();
    let stage = if stage == status { String::new() } else { format!(", stage {stage}") };
    let progress = percent.map(|percent| format!(", {percent:.0} %")).unwrap_or_default();
    let error = if error.is_null() { String::new() } else { format!(": {}", text(&error["title"])) };
    format!("{status}{stage}{progress}{error}")
}

fn is_over(request: &Value) -> bool {
    request["status"].as_str().is_some_and(|status| ["succeeded", "failed", "cancelled", "expired"].contains(&status))
}

/// The request as it is, or as it has become in the end.
async fn follow(client: &Client, id: &str, wait: bool) -> Result<Value, Failure> {
    let mut progress = client.progress();
    let (mut seen, mut etag, mut silent) = (None::<Value>, None, 0);
    loop {
        let what = seen.as_ref().map_or_else(|| "Asking".to_owned(), summary);
        let (url, answer) = look(client, id, etag.clone(), &mut progress, &what).await?;
        let reply = match answer {
            Ok(reply) => reply,
            Err(error) if seen.is_none() || silent >= PATIENCE => return Err(error.into()),
            Err(_) => {
                silent += 1;
                progress.during(&what, client.clock.sleep(PAUSE * 2_u32.pow(silent))).await;
                continue;
            }
        };
        silent = 0;
        let has_waited = reply.has_waited;
        let pause = reply.retry_after.unwrap_or(PAUSE).clamp(PAUSE, LONGEST_PAUSE);
        match reply.status {
            200 => {
                let request: Value = json(&reply, &url)?;
                etag = reply.etag;
                if !wait || is_over(&request) {
                    return Ok(request);
                }
                seen = Some(request);
            }
            304 => {}
            429 | 503 if seen.is_some() => {}
            _ => return Err(client.refusal(&reply, &url)),
        }
        // A gateway that does not hold the call is not to be asked without a pause.
        if !has_waited && (reply.status != 200 || etag.is_none()) {
            progress.during(&what, client.clock.sleep(pause)).await;
        }
    }
}

/// One look; where a state is known, as soon as it is another.
async fn look(
    client: &Client,
    id: &str,
    etag: Option<String>,
    progress: &mut Progress,
    what: &str,
) -> Result<(String, Result<Reply, NetError>), Failure> {
    let access = match client.access().await {
        Ok(access) => access,
        // As if the gateway had not answered: it is asked again.
        Err(Lack::Net(error)) => return Ok((String::new(), Err(error))),
        Err(Lack::Final(failure)) => return Err(failure),
    };
    let url = format!("{}/v1/requests/{id}", access.gateway);
    let wait = if etag.is_some() { HOLD } else { Duration::ZERO };
    let prefer = etag.as_ref().map(|_| ("Prefer", format!("wait={}", HOLD.as_secs())));
    let headers = etag.map(|etag| ("If-None-Match", etag)).into_iter().chain(prefer).collect();
    let call = Call { token: Some(&access.token), headers, wait, ..Call::default() };
    let answer = progress.during(what, client.talk.call(&url, call)).await;
    Ok((url, answer))
}
