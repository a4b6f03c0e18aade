//! `anteroom key`: the keys that our tokens are signed with.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Failure, load, operate, sheet};
use crate::settings::Flags;

const PATH: &str = "/v1/admin/keys";

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// List the keys: when each was made, signs and retires
    List,
    /// Make a new key: published at once, it signs once everybody can know it
    Rotate,
}

pub(super) fn run(flags: &Flags, command: &Key) -> Result<(), Failure> {
    let settings = load(flags)?;
    let keys = match command {
        Key::List => operate::get(&settings, PATH)?,
        Key::Rotate => operate::post(&settings, PATH, &json!({}))?,
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{:<45}{:<26}{:<26}RETIRES", "KID", "CREATED", "SIGNS FROM")?;
    for key in keys["items"].as_array().into_iter().flatten() {
        let text = |name: &str| sheet::text(&key[name]);
        let retires = if key["retires_at"] == Value::Null { "-".to_owned() } else { text("retires_at") };
        writeln!(out, "{:<45}{:<26}{:<26}{retires}", text("kid"), text("created_at"), text("signs_from"))?;
    }
    Ok(())
}
