//! Reading a table `[verifiers.NAME]`, with errors that name the key.

use std::collections::BTreeSet;

use config::{Value, ValueKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::acceptance::AcceptanceSettings;
use super::{KINDS, Kind};
use crate::core::error::{Misconfiguration, list};

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

/// A table of settings, read with errors that name the key.
pub(super) trait Table: Sized {
    /// Reads the table of the verifier `name`.
    ///
    /// # Errors
    /// The mistake in it.
    fn read(name: &str, table: Value) -> Result<Self, Misconfiguration>;
}

/// The keys that verifiers of others' tokens share, and those of one kind, out of one table.
#[derive(Debug)]
pub(super) struct Accepting<S> {
    pub(super) acceptance: AcceptanceSettings,
    pub(super) own: S,
}

impl<S: DeserializeOwned + Serialize + Default> Table for Accepting<S> {
    fn read(name: &str, table: Value) -> Result<Self, Misconfiguration> {
        let origin = table.origin().map(str::to_owned);
        let members = table.into_table().unwrap_or_default();
        let (shared, own) = (keys_of(&AcceptanceSettings::default()), keys_of(&S::default()));
        let known = || shared.union(&own).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        if let Some(unknown) = members.keys().find(|key| !shared.contains(*key) && !own.contains(*key)) {
            return Err(unknown_key(name, unknown, &format!("one of {}", known())));
        }
        let (shared, own) = members.into_iter().partition(|(key, _)| shared.contains(key));
        let value = |members| Value::new(origin.as_ref(), ValueKind::Table(members));
        Ok(Self { acceptance: read(name, value(shared))?, own: read(name, value(own))? })
    }
}

impl<S: Serialize> Accepting<S> {
    /// What holds, for a verifier of this kind.
    pub(super) fn effective(&self, kind: &str) -> serde_json::Value {
        let mut effective = serde_json::Map::from_iter([("kind".to_owned(), kind.into())]);
        effective.extend(members_of(&self.acceptance));
        effective.extend(members_of(&self.own));
        effective.into()
    }
}

fn members_of(settings: &impl Serialize) -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(settings) {
        Ok(serde_json::Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    }
}

fn keys_of(settings: &impl Serialize) -> BTreeSet<String> {
    members_of(settings).into_iter().map(|(key, _)| key).collect()
}

/// Reads the members of a table; an unknown one is a mistake.
pub(super) fn read<S: DeserializeOwned>(name: &str, table: Value) -> Result<S, Misconfiguration> {
    serde_path_to_error::deserialize(table).map_err(|error| {
        let (path, problem) = (error.path().to_string(), error.inner().to_string());
        // Where a secret belongs, what was written may be the secret itself.
        let is_shown = !path.contains("secret") || !problem.contains("invalid type");
        let problem = if is_shown { problem } else { "it does not have the right form".to_owned() };
        if let Some((unknown, expected)) = unknown_field(&problem) {
            return unknown_key(name, unknown, expected);
        }
        let key = if path == "." { format!("verifiers.{name}") } else { format!("verifiers.{name}.{path}") };
        Misconfiguration::new(key, in_words(&problem), "Write it as in the commented reference, config/anteroom.toml")
    })
}

/// The parser's sentence without its own terms: the key is told besides.
fn in_words(problem: &str) -> String {
    let problem = problem.rsplit_once(" for key `").map_or(problem, |(problem, _)| problem);
    match problem.split_once("does not have variant constructor ") {
        Some((_, word)) => format!("\"{word}\" is not a word that is known here"),
        None => problem.to_owned(),
    }
}

fn unknown_key(name: &str, unknown: &str, known: &str) -> Misconfiguration {
    Misconfiguration::new(
        format!("verifiers.{name}.{unknown}"),
        "is not a key of this kind of verifier",
        format!("Correct its name, or take it out; known is {known}"),
    )
}

/// Takes serde's sentence about an unknown field apart: its name, and what follows "expected".
fn unknown_field(problem: &str) -> Option<(&str, &str)> {
    let (unknown, rest) = problem.strip_prefix("unknown field `")?.split_once('`')?;
    Some((unknown, rest.split_once("expected ").map_or("no key at all", |(_, expected)| expected)))
}
