//! `anteroom submit`: takes a request to the gateway.

use std::io::{self, Read, Write};

use clap::Args;
use serde_json::Value;
use serde_json::value::RawValue;

use super::talk::{JSON, json};
use super::{Client, EXIT_CODES, Options, misused, open, printable, run};
use crate::cli::Failure;
use crate::net::Call;
use crate::settings::Flags;

/// A request is small: this is what can be read before the gateway says so.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(in crate::cli) struct Submit {
    /// A file with the request as the API takes it: {"type": …, "payload": …}; - for standard input
    file: String,
    /// Take the file for the payload of a request of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Makes the call repeatable: the same key with the same file is the same request
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    options: Options,
}

pub(in crate::cli) fn run_submit(flags: &Flags, submit: Submit) -> Result<(), Failure> {
    let Submit { file, kind, idempotency_key, options } = submit;
    let body = body(&file, kind.as_deref())?;
    run(&open(flags, options)?, async |client| {
        let id = send(client, body, idempotency_key).await?;
        writeln!(io::stdout(), "{id}")?;
        client.tell(&format!("Submitted. See how it gets on with `anteroom status {id} --wait`."))?;
        Ok(())
    })
}

fn body(file: &str, kind: Option<&str>) -> Result<String, Failure> {
    let unreadable = |error: io::Error| misused("FILE", format!("{file} can not be read: {error}"), "Name a JSON file");
    let mut text = String::new();
    let read = if file == "-" {
        io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
    };
    read.map_err(unreadable)?;
    let raw: &RawValue = serde_json::from_str(&text)
        .map_err(|error| misused("FILE", format!("{file} is not JSON: {error}"), "Mend it there"))?;
    // As it stands, whatever its numbers are like.
    Ok(kind
        .map_or_else(|| raw.get().to_owned(), |kind| format!("{{\"type\":{},\"payload\":{raw}}}", Value::from(kind))))
}

async fn send(client: &Client, body: String, idempotency_key: Option<String>) -> Result<String, Failure> {
    let access = client.access().await?;
    let url = format!("{}/v1/requests", access.gateway);
    let headers = idempotency_key.map(|key| ("Idempotency-Key", key)).into_iter().collect();
    let call = Call { token: Some(&access.token), headers, body: Some((JSON, body)), ..Call::default() };
    let sending = client.talk.call(&url, call);
    let reply = client.progress().during("Submitting", sending).await?;
    if !matches!(reply.status, 200 | 202) {
        return Err(client.refusal(&reply, &url));
    }
    let taken: Value = json(&reply, &url)?;
    Ok(printable(taken["request_id"].as_str().unwrap_or_default()))
}
