//! The scopes that tokens can have: those of Anteroom's own operations, and those that request types name.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::policy::SCOPES;
use crate::core::type_scopes::TypeScopes;

/// Every scope that there is.
#[derive(Clone, Debug)]
pub struct Scopes(BTreeMap<String, Scope>);

/// A scope.
#[derive(Clone, Debug)]
pub struct Scope {
    /// What it allows, for the person who is asked.
    pub allows: String,
    /// A token with it lives no longer than that.
    pub lifetime: Option<Duration>,
}

impl Scopes {
    /// Those of our own operations, and those of request types.
    pub fn new(type_scopes: &TypeScopes) -> Self {
        let own =
            |(name, allows): &(&str, &str)| ((*name).to_owned(), Scope { allows: (*allows).into(), lifetime: None });
        let of_types = type_scopes.iter().map(|(name, scope)| {
            let (allows, lifetime) = (scope.allows(), scope.lifetime);
            (name.to_owned(), Scope { allows, lifetime })
        });
        Self(SCOPES.iter().map(own).chain(of_types).collect())
    }

    /// The scope of that name.
    pub fn get(&self, name: &str) -> Option<&Scope> {
        self.0.get(name)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How long a token with these scopes, separated by spaces, may live at most.
    pub fn lifetime(&self, scope: &str) -> Option<Duration> {
        scope.split(' ').filter_map(|name| self.get(name)?.lifetime).min()
    }
}
