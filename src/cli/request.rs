//! `anteroom request`: what operators want to know of requests.

use std::io::{self, Write};

use clap::{Args, Subcommand};

use super::operate::{escaped, get};
use super::{Failure, load, sheet};
use crate::settings::Flags;

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
    let answer = get(&settings, &path)?;
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
