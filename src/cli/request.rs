//! `anteroom request`: what operators want to know of requests. The running gateway is asked over its admin socket; where none runs,
//! the store is opened for the moment.

use std::io::{self, Write};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Failure, load};
use crate::app::{Offline, SystemClock, SystemEntropy, admin_socket};
use crate::net::{LocalClient, LocalError};
use crate::settings::{Flags, Settings};
use crate::telemetry::logs::{LogFormat, LogSettings};

pub(super) mod sheet;

#[derive(Debug, Subcommand)]
pub(super) enum Request {
    /// Show one request whole: owner, state, workers, and all that has happened to it
    Show(Show),
    /// List requests, newest first
    List(List),
}

#[derive(Args, Debug)]
pub(super) struct Show {
    /// The id of the request
    id: String,
    /// Print what the API answers
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Only those with this status; several are separated by commas
    #[arg(long)]
    status: Option<String>,
    /// Only those of this type; several are separated by commas
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only those of this owner: the issuer, with --subject
    #[arg(long, requires = "subject")]
    issuer: Option<String>,
    /// Only those of this owner: the subject, with --issuer
    #[arg(long, requires = "issuer")]
    subject: Option<String>,
    /// Only those with this label; repeat it for more
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    tags: Vec<String>,
    /// Only those of these ids, separated by commas
    #[arg(long)]
    id: Option<String>,
    /// The most requests to list: 1 to 200
    #[arg(long, default_value = "50")]
    limit: String,
    /// Where to go on: what the page before has named
    #[arg(long)]
    cursor: Option<String>,
    /// Print what the API answers
    #[arg(long)]
    json: bool,
}

pub(super) fn run(flags: &Flags, command: &Request) -> Result<(), Failure> {
    let settings = load(flags)?;
    let (path, json) = match command {
        Request::Show(show) => (format!("/v1/admin/requests/{}", escaped(&show.id)), show.json),
        Request::List(list) => (format!("/v1/admin/requests?{}", list.query()?), list.json),
    };
    let answer = ask(&settings, &path)?;
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", sheet::json(&answer))?;
        return Ok(());
    }
    match command {
        Request::Show(_) => sheet::show(&answer, &mut out)?,
        Request::List(_) => sheet::list(&answer, &mut out)?,
    }
    Ok(())
}

impl List {
    fn query(&self) -> Result<String, Failure> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let Self { status, kind, issuer, subject, id, limit, cursor, .. } = self;
        let parameters = [
            ("status", status),
            ("type", kind),
            ("issuer", issuer),
            ("subject", subject),
            ("id", id),
            ("cursor", cursor),
        ];
        for (name, value) in parameters {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        for tag in &self.tags {
            let Some((name, value)) = tag.split_once('=') else {
                return Err(Failure::Failed(format!("--tag {tag}: write it as NAME=VALUE")));
            };
            query.append_pair(&format!("tag.{name}"), value);
        }
        Ok(query.append_pair("limit", limit).finish())
    }
}

/// A segment of a path.
fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What is answered at a path of the administration.
fn ask(settings: &Settings, path: &str) -> Result<Value, Failure> {
    // What goes wrong on the way is told by what is answered.
    LogSettings { level: Some("error".into()), ..LogSettings::default() }.start(LogFormat::Pretty);
    let socket = admin_socket(&settings.server.data_dir);
    let client = LocalClient::of(&socket).map_err(|error| Failure::Failed(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        match client.get(path).await {
            Err(LocalError::Absent) => {
                let (clock, entropy) = (Arc::new(SystemClock::start()), Arc::new(SystemEntropy));
                let offline =
                    Offline::open(settings, clock, entropy).map_err(|mistakes| settings.unusable(mistakes))?;
                Ok::<_, Failure>(offline.serve_while(client.get(path)).await)
            }
            answer => Ok(answer),
        }
    })?;
    let (status, body) =
        answer.map_err(|error| Failure::Failed(format!("{} does not answer: {error}", socket.display())))?;
    let body: Value = serde_json::from_slice(&body)
        .map_err(|_| Failure::Failed(format!("{} answered {status}, and no JSON", socket.display())))?;
    if status == 200 { Ok(body) } else { Err(Failure::Failed(sheet::text(&body["detail"]))) }
}
