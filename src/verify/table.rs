//! Reading a table `[verifiers.NAME]`, with errors that name the key.

use config::{Value, ValueKind};
use serde::de::DeserializeOwned;

use super::{KINDS, Kind};
use crate::core::error::Misconfiguration;

/// Takes `kind` out of a table and finds it in the list.
pub(super) fn split_kind(name: &str, table: Value) -> Result<(&'static Kind, Value), Misconfiguration> {
    let origin = table.origin().map(str::to_owned);
    let Ok(mut members) = table.into_table() else {
        let key = format!("verifiers.{name}");
        return Err(Misconfiguration::new(key, "is not a table", format!("Write it as a table [verifiers.{name}]")));
    };
    let key = format!("verifiers.{name}.kind");
    let remedy = || format!("Write one of {}", list(KINDS.iter().map(|kind| kind.name)));
    let Some(wanted) = members.remove("kind") else {
        return Err(Misconfiguration::new(key, "is missing", remedy()));
    };
    let wanted = wanted.into_string().unwrap_or_default();
    let Some(kind) = KINDS.iter().find(|kind| kind.name == wanted) else {
        return Err(Misconfiguration::new(key, format!("\"{wanted}\" is no kind of verifier"), remedy()));
    };
    Ok((kind, Value::new(origin.as_ref(), ValueKind::Table(members))))
}

/// Reads the members of a table; an unknown one is a mistake.
pub(super) fn read<S: DeserializeOwned>(name: &str, table: Value) -> Result<S, Misconfiguration> {
    serde_path_to_error::deserialize(table).map_err(|error| {
        let (path, problem) = (error.path().to_string(), error.inner().to_string());
        if let Some((unknown, expected)) = unknown_field(&problem) {
            return Misconfiguration::new(
                format!("verifiers.{name}.{unknown}"),
                "is not a key of this kind of verifier",
                format!("Correct its name, or take it out; known is {expected}"),
            );
        }
        let key = if path == "." { format!("verifiers.{name}") } else { format!("verifiers.{name}.{path}") };
        Misconfiguration::new(key, problem, "Write it as in the commented reference, config/anteroom.toml")
    })
}

/// Takes serde's sentence about an unknown field apart: its name, and what follows "expected".
fn unknown_field(problem: &str) -> Option<(&str, &str)> {
    let (unknown, rest) = problem.strip_prefix("unknown field `")?.split_once('`')?;
    Some((unknown, rest.split_once("expected ").map_or("no key at all", |(_, expected)| expected)))
}

/// The items in quotes, with commas.
pub(super) fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    items.into_iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ")
}
