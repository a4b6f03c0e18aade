//! The keys `scope` and `scope_lifetime` of a type: what a token needs to open its requests.

use std::collections::BTreeMap;

use super::TypeSettings;
use crate::core::error::Mistakes;
use crate::core::own_tokens::LONGEST_LIFE;
use crate::core::period::Period;
use crate::core::type_scopes::{TypeScopes, judge_name};

/// The scopes that these types name, as far as they can be used.
pub fn scopes(types: &BTreeMap<String, TypeSettings>) -> TypeScopes {
    let mut scopes = TypeScopes::default();
    for (name, settings) in types {
        if let Some(scope) = settings.scope.as_deref().filter(|scope| judge_name(scope).is_ok()) {
            scopes.add(name, scope, settings.scope_lifetime.map(Period::duration));
        }
    }
    scopes
}

pub(super) fn judge(settings: &TypeSettings, mistakes: &mut Mistakes<'_>) {
    if let Some(Err(problem)) = settings.scope.as_deref().map(judge_name) {
        let remedy = "Name it with visible ASCII, without quotes and backslashes, up to 128 characters, and not as a scope that has \
                      a meaning already";
        mistakes.add("scope", problem, remedy);
    }
    let Some(lifetime) = settings.scope_lifetime else { return };
    if settings.scope.is_none() {
        mistakes.add("scope_lifetime", "the type names no scope", "Add scope, or remove this");
    }
    if lifetime < Period::seconds(1) {
        mistakes.add("scope_lifetime", format!("{lifetime} is too short for a token"), "Give it 1s or more");
    }
    if lifetime.duration() > LONGEST_LIFE {
        mistakes.add("scope_lifetime", format!("{lifetime} is longer than 366 days"), "Give it 366 days or less");
    }
}
