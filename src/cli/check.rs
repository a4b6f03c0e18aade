//! `anteroom check`: judges the configuration and prints the effective one, secrets masked.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Failure, judge, load};
use crate::settings::{Flags, Settings};
use crate::verify::parse_table;

pub(super) fn run(flags: &Flags) -> Result<(), Failure> {
    let settings = load(flags)?;
    judge(&settings).map_err(|mistakes| settings.unusable(mistakes))?;
    let text = toml::to_string(&effective(&settings)?).map_err(|error| Failure::Failed(error.to_string()))?;
    write!(io::stdout(), "# The configuration can be used. This is what holds, defaults filled in:\n\n{text}")?;
    Ok(())
}

/// What holds, section by section. Keys without a value are left out: TOML has no null.
fn effective(settings: &Settings) -> Result<Value, Failure> {
    let mut server = json(&settings.server)?;
    server["mode"] = json(&settings.server.effective_mode())?;
    if let Some(admin) = settings.server.admin_address() {
        server["admin_bind"] = json(&admin)?;
    }
    let mut issuer = json(&settings.issuer)?;
    issuer["url"] = settings.issuer_url().into();
    let named = |name: &String| Some((name.clone(), settings.verifiers.get(name)?.clone()));
    let by_guards: Vec<_> = settings.named_by_guards().into_iter().map(|mention| mention.name).collect();
    let verifiers = settings.chain().iter().chain(&by_guards).filter_map(named).filter_map(|(name, table)| {
        let settings = parse_table(&name, table).ok()?;
        Some((name, settings.effective()))
    });
    Ok(without_nulls(json!({
        "server": server,
        "log": json(&settings.log)?,
        "store": json(&settings.store)?,
        "shutdown": json(&settings.shutdown)?,
        "net": json(&settings.net)?,
        "verify": json(&settings.verify)?,
        "verifiers": verifiers.collect::<Map<_, _>>(),
        "issuer": issuer,
        "clients": json(&settings.clients)?,
        "types": json(&settings.types)?,
        "guards": json(&settings.guards)?,
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
