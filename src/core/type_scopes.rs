//! The scopes that request types name: each opens the requests of its types, and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use super::policy::{SCOPES, is_scope};

/// The scopes that request types name, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeScopes(BTreeMap<String, TypeScope>);

/// A scope that request types name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeScope {
    /// The types that name it.
    pub types: Vec<String>,
    /// A token with it lives no longer than that.
    pub lifetime: Option<Duration>,
}

impl TypeScopes {
    /// Adds what a type names. Of several lifetimes the shortest holds.
    pub fn add(&mut self, kind: &str, scope: &str, lifetime: Option<Duration>) {
        let known = self.0.entry(scope.to_owned()).or_default();
        known.types.push(kind.to_owned());
        known.lifetime = known.lifetime.into_iter().chain(lifetime).min();
    }

    /// Whether no type names one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each scope, with what it opens.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TypeScope)> {
        self.0.iter().map(|(name, scope)| (name.as_str(), scope))
    }

    /// Whether a type names that scope.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether that is the name of a scope of this gateway: of its own operations, or of a type.
    pub fn is_scope(&self, name: &str) -> bool {
        is_scope(name) || self.contains(name)
    }

    /// The names of all scopes of this gateway: those of its own operations first.
    pub fn all_names(&self) -> impl Iterator<Item = &str> {
        SCOPES.iter().map(|(name, _)| *name).chain(self.0.keys().map(String::as_str))
    }
}

impl TypeScope {
    /// What it allows, for the person who is asked.
    pub fn allows(&self) -> String {
        format!("Submit, read and cancel your requests of the type {}", self.types.join(", "))
    }
}

/// Scopes that other parties give a meaning of their own.
const TAKEN: [&str; 2] = ["openid", "offline_access"];

/// Whether a type may name its scope so.
///
/// # Errors
/// What is wrong with it, to be put after the key.
pub fn judge_name(name: &str) -> Result<(), String> {
    // RFC 6749 section 3.3: scope-token.
    let is_token = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if name.is_empty() || name.len() > LONGEST || !name.bytes().all(is_token) {
        return Err("is not the name of a scope".into());
    }
    if is_scope(name) || TAKEN.contains(&name) {
        return Err(format!("\"{name}\" has a meaning of its own"));
    }
    Ok(())
}

/// So many bytes of a name are enough for a URL, and small in every token.
const LONGEST: usize = 128;
