//! The layer of the environment: `ANTEROOM__SECTION__KEY=value`, a list or a table as JSON text.

use std::collections::{BTreeMap, BTreeSet};

use config::{Map, Value, ValueKind};

use super::{NAMED_TABLES, SECTIONS};
use crate::core::error::Misconfiguration;

pub(super) const PREFIX: &str = "ANTEROOM__";

/// Lays the variables over `layers`, and notes in `overrides` which variable set which key.
///
/// Returns the mistakes: a variable that names an absent section or table, which may well be a misspelt one that exists.
pub(super) fn apply(
    layers: &mut Map<String, Value>,
    variables: impl Iterator<Item = (String, String)>,
    overrides: &mut BTreeMap<String, String>,
) -> Vec<Misconfiguration> {
    let mut mistakes = Vec::new();
    let ours = variables.filter_map(|(name, text)| Some((name.strip_prefix(PREFIX)?.to_lowercase(), name, text)));
    // Sorted, so that a whole table comes before the keys in it.
    for (path, name, text) in ours.collect::<BTreeSet<_>>() {
        let path: Vec<String> = path.split("__").map(str::to_owned).collect();
        let resolved = resolve(layers, path, &name).and_then(|path| Ok((path, read(&text, &name)?)));
        match resolved {
            Ok((path, value)) => {
                set(layers, &path, value);
                overrides.insert(path.join("."), name);
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
    mistakes
}

/// The path with the names of tables as the file spells them.
fn resolve(
    layers: &Map<String, Value>,
    mut path: Vec<String>,
    variable: &str,
) -> Result<Vec<String>, Misconfiguration> {
    let section = path[0].clone();
    if SECTIONS.contains(&section.as_str()) && path.len() > 1 {
        return Ok(path);
    }
    if !NAMED_TABLES.contains(&section.as_str()) {
        let known = SECTIONS.iter().chain(&NAMED_TABLES).copied().collect::<Vec<_>>().join(", ");
        let remedy = format!("Write ANTEROOM__SECTION__KEY; the sections are: {known}");
        return Err(Misconfiguration::new(variable, "the variable does not name a key of a section", remedy));
    }
    if path.len() == 1 {
        return Ok(path);
    }
    let tables = match layers.get(&section).map(|section| &section.kind) {
        Some(ValueKind::Table(tables)) => tables.keys().collect(),
        _ => Vec::new(),
    };
    if let Some(table) = tables.iter().find(|table| table.to_lowercase() == path[1]) {
        path[1].clone_from(table);
        return Ok(path);
    }
    let remedy = format!(
        "Add the table to the file, or give the whole section as JSON: ANTEROOM__{}='{{\"{}\": {{…}}}}'",
        section.to_uppercase(),
        path[1]
    );
    Err(Misconfiguration::new(variable, format!("there is no table [{section}.{}]", path[1]), remedy))
}

/// Puts a value at a path; a table over a table adds to it.
pub(super) fn set(table: &mut Map<String, Value>, path: &[String], value: Value) {
    let [key, rest @ ..] = path else { return };
    if rest.is_empty() {
        match (table.get_mut(key).map(|old| &mut old.kind), value.kind) {
            (Some(ValueKind::Table(old)), ValueKind::Table(new)) => old.extend(new),
            (_, kind) => _ = table.insert(key.clone(), Value::new(None, kind)),
        }
        return;
    }
    let inner = table.entry(key.clone()).or_insert_with(|| Value::from(Map::<String, Value>::new()));
    if !matches!(inner.kind, ValueKind::Table(_)) {
        *inner = Value::from(Map::<String, Value>::new());
    }
    if let ValueKind::Table(inner) = &mut inner.kind {
        set(inner, rest, value);
    }
}

/// Text as it stands, unless it is a list or a table written as JSON: then its content.
///
/// # Errors
/// What begins like JSON and is none; where it breaks off is told, and not what it is, since it may hold a secret.
fn read(text: &str, variable: &str) -> Result<Value, Misconfiguration> {
    if !text.trim_start().starts_with(['[', '{']) {
        return Ok(Value::from(text.to_owned()));
    }
    serde_json::from_str(text).map(from_json).map_err(|error| {
        let problem = format!("it is not JSON from line {}, column {} on", error.line(), error.column());
        Misconfiguration::new(variable, problem, "Mend the list or table, and check the shell's quotes around it")
    })
}

fn from_json(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    let kind = match json {
        Json::Null => ValueKind::Nil,
        Json::Bool(value) => ValueKind::Boolean(value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => ValueKind::I64(value),
            None => ValueKind::Float(number.as_f64().unwrap_or(f64::INFINITY)),
        },
        Json::String(text) => ValueKind::String(text),
        Json::Array(items) => ValueKind::Array(items.into_iter().map(from_json).collect()),
        Json::Object(members) => {
            ValueKind::Table(members.into_iter().map(|(key, value)| (key, from_json(value))).collect())
        }
    };
    Value::new(None, kind)
}
