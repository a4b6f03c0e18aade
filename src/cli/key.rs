//! `anteroom key`: the keys that our tokens are signed with.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::sheet::{self, items, table, text};
use super::{Failure, load, operate};
use crate::settings::Flags;

const PATH: &str = "/v1/admin/keys";

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// List the keys: when each was made, signs and retires
    List(Form),
    /// Make a new key: published at once, it signs once everybody can know it
    Rotate(Form),
}

#[derive(Args, Debug)]
pub(super) struct Form {
    /// Print what the API answers
    #[arg(long)]
    json: bool,
}

pub(super) fn run(flags: &Flags, command: &Key) -> Result<(), Failure> {
    let settings = load(flags)?;
    let (keys, form) = match command {
        Key::List(form) => (operate::get(&settings, PATH)?, form),
        Key::Rotate(form) => (operate::post(&settings, PATH, &json!({}))?, form),
    };
    let mut out = io::stdout().lock();
    if form.json {
        writeln!(out, "{}", sheet::json(&keys))?;
    } else {
        let rows: Vec<_> = items(&keys["items"]).iter().map(row).collect();
        table(["KID", "CREATED", "SIGNS FROM", "RETIRES"], &rows, &mut out)?;
    }
    Ok(())
}

fn row(key: &Value) -> [String; 4] {
    ["kid", "created_at", "signs_from", "retires_at"].map(|name| text(&key[name]))
}
