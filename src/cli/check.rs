//! `anteroom check`: judges the configuration and prints the effective one, secrets masked; with `--store`, judges what is stored.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::warnings::warnings;
use super::{Failure, plan};
use crate::app::{check_store, shutdown_delay};
use crate::http::Listener;
use crate::settings::{Flags, Settings};
use crate::telemetry::logs::{LogFormat, LogSettings};
use crate::verify::parse_table;

#[derive(Args, Debug)]
pub(super) struct Check {
    /// Judge the records of the store instead, each of them: exit code 0 sound, 1 damaged. No gateway may run on a file meanwhile; beside
    /// gateways on a database it may run
    #[arg(long)]
    store: bool,
}

pub(super) fn run(flags: &Flags, arguments: &Check) -> Result<ExitCode, Failure> {
    let (settings, _) = plan(flags)?;
    if arguments.store {
        return check_records(&settings);
    }
    print(&settings)?;
    Ok(ExitCode::SUCCESS)
}

/// Tells what is damaged in the store.
fn check_records(settings: &Settings) -> Result<ExitCode, Failure> {
    LogSettings { level: Some("error".into()), ..LogSettings::default() }.start(LogFormat::Pretty);
    let found = check_store(settings).map_err(|mistake| settings.unusable(vec![mistake]))?;
    let mut out = io::stdout().lock();
    for sentence in &found {
        writeln!(out, "{sentence}")?;
    }
    if found.is_empty() {
        writeln!(out, "The store is sound: {}", settings.store.shown_url())?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

fn print(settings: &Settings) -> Result<(), Failure> {
    let text = toml::to_string(&effective(settings)?).map_err(|error| Failure::Failed(error.to_string()))?;
    let mut out = io::stdout().lock();
    writeln!(out, "# The configuration can be used. This is what holds, defaults filled in:")?;
    for remark in remarks(settings) {
        writeln!(out, "# {remark}")?;
    }
    write!(out, "\n{text}")?;
    Ok(())
}

/// What is not among the values.
fn remarks(settings: &Settings) -> Vec<String> {
    let mut remarks: Vec<_> = warnings(settings).into_iter().map(|warning| format!("Warning: {warning}")).collect();
    if settings.server.main_listener() == Listener::All {
        remarks
            .push("server.admin_bind is not set: in development mode operators are served at server.bind".to_owned());
    }
    let by_guards = settings.named_by_guards();
    let is_named = |name: &String| settings.chain().contains(name) || by_guards.iter().any(|other| other.name == *name);
    let unused = settings.verifiers.keys().filter(|name| !is_named(name));
    remarks.extend(unused.map(|name| {
        format!("[verifiers.{name}] is not looked at, nor printed: neither verify.chain nor a guard names it")
    }));
    remarks
}

/// What holds, section by section. Keys without a value are left out: TOML has no null.
fn effective(settings: &Settings) -> Result<Value, Failure> {
    let mut server = json(&settings.server)?;
    server["mode"] = json(&settings.server.effective_mode())?;
    if let Some(admin) = settings.server.admin_address() {
        server["admin_bind"] = json(&admin)?;
    }
    let mut log = json(&settings.log)?;
    log["format"] = json(&settings.log_format())?;
    log["level"] = settings.log.effective_level().into();
    let mut shutdown = json(&settings.shutdown)?;
    shutdown["delay"] = json(&shutdown_delay(settings))?;
    let mut issuer = json(&settings.issuer)?;
    issuer["url"] = settings.issuer_url().into();
    let mut ui = json(&settings.ui)?;
    ui["client_id"] = json(&settings.ui_client())?;
    let mut quotas = json(&settings.quotas)?;
    quotas["burst"] = json(&settings.quotas.effective_burst())?;
    let named = |name: &String| Some((name.clone(), settings.verifiers.get(name)?.clone()));
    let by_guards: Vec<_> = settings.named_by_guards().into_iter().map(|mention| mention.name).collect();
    let verifiers = settings.chain().iter().chain(&by_guards).filter_map(named).filter_map(|(name, table)| {
        let settings = parse_table(&name, table).ok()?;
        Some((name, settings.effective()))
    });
    Ok(without_nulls(json!({
        "server": server,
        "log": log,
        "store": json(&settings.store)?,
        "retention": json(&settings.retention)?,
        "quotas": quotas,
        "shutdown": shutdown,
        "net": json(&settings.net)?,
        "verify": json(&settings.verify)?,
        "verifiers": verifiers.collect::<Map<_, _>>(),
        "issuer": issuer,
        "accounts": json(&settings.accounts)?,
        "clients": json(&settings.clients)?,
        "types": json(&settings.types)?,
        "guards": json(&settings.guards)?,
        "webhooks": json(&settings.webhooks)?,
        "ui": ui,
        "login": json(&settings.login)?,
    })))
}

fn json(section: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(section).map_err(|error| Failure::Failed(error.to_string()))
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            kept.map(|(name, value)| (name, without_nulls(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
