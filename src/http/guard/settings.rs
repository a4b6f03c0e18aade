//! The section `[guards.NAME]`: who may pass to a service behind a reverse proxy.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::identity::HeaderNames;
use super::{Demands, Guard};
use crate::core::claim_rule::ClaimRule;
use crate::core::error::{Misconfiguration, Mistakes, list};
use crate::core::guard::GuardRules;
use crate::core::policy::Audience;

/// A table `[guards.NAME]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardSettings {
    /// Opens the service to everybody, with or without a token.
    public: bool,
    /// Says that any genuine token will do, where no rule says more.
    authenticated: bool,
    /// The verifiers whose tokens are good here; default: those that guard the API.
    pub verifiers: Option<Vec<String>>,
    /// Whom a token must be meant for: one of these …
    audience: Option<Vec<String>>,
    /// … and every one of these. Default of both: for whom its verifier is configured with.
    audience_all: Option<Vec<String>>,
    /// Every one of these scopes.
    scopes: Option<Vec<String>>,
    /// One of these scopes.
    scopes_any: Option<Vec<String>>,
    /// Every one of these permissions.
    permissions: Option<Vec<String>>,
    /// One of these permissions.
    permissions_any: Option<Vec<String>>,
    /// What claims have to say.
    claims: Option<Vec<ClaimRule>>,
    /// The names of the identity headers.
    headers: Option<HeaderNames>,
}

impl GuardSettings {
    /// Judges the table. `known` are the names of the verifiers that there are, `chain` of those that guard the API.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn build(&self, name: &str, known: &[&String], chain: &[String]) -> Result<Guard, Vec<Misconfiguration>> {
        let mut mistakes = Mistakes::of("guards", name);
        judge_name(&mut mistakes);
        let headers = self.headers.clone().unwrap_or_default().build(&format!("guards.{name}.headers"));
        let headers = headers.map_err(|found| mistakes.found.extend(found)).ok();
        judge_verifiers(&mut mistakes, self.verifiers.as_deref(), known);
        for (key, names) in self.lists() {
            judge_list(&mut mistakes, key, names);
        }
        let rules = self.rules();
        if self.public {
            judge_public(&mut mistakes, self);
        } else if rules.ask_nothing() && self.claims.is_none() && !self.authenticated && mistakes.found.is_empty() {
            let remedy =
                "Set scopes, permissions or claims; or say `authenticated = true` if any genuine token will do";
            mistakes.add("", "asks for nothing, and does not say that this is meant", remedy);
        }
        if self.claims.as_ref().is_some_and(Vec::is_empty) {
            mistakes.add("claims", "is empty", "Name what is asked for, or leave the key out");
        }
        let names = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();
        let audience = Audience { any: names(&self.audience), all: names(&self.audience_all) };
        let verifiers = self.verifiers.clone().unwrap_or_else(|| chain.to_vec());
        match headers.filter(|_| mistakes.found.is_empty()) {
            Some(_) if self.public => Ok(Guard { name: name.into(), demands: None, counted: OnceLock::new() }),
            Some(headers) => {
                let audience = Some(audience).filter(|audience| *audience != Audience::default());
                let demands = Some(Demands { verifiers, audience, rules, headers });
                Ok(Guard { name: name.into(), demands, counted: OnceLock::new() })
            }
            None => Err(mistakes.found),
        }
    }

    fn lists(&self) -> [(&'static str, Option<&[String]>); 6] {
        [
            ("audience", self.audience.as_deref()),
            ("audience_all", self.audience_all.as_deref()),
            ("scopes", self.scopes.as_deref()),
            ("scopes_any", self.scopes_any.as_deref()),
            ("permissions", self.permissions.as_deref()),
            ("permissions_any", self.permissions_any.as_deref()),
        ]
    }

    fn rules(&self) -> GuardRules {
        let names = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();
        GuardRules {
            scopes: names(&self.scopes),
            scopes_any: names(&self.scopes_any),
            permissions: names(&self.permissions),
            permissions_any: names(&self.permissions_any),
            claims: self.claims.clone().unwrap_or_default(),
        }
    }
}

fn judge_name(mistakes: &mut Mistakes<'_>) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if mistakes.name.is_empty() || !mistakes.name.bytes().all(is_plain) {
        let remedy = "Name it with letters, digits, hyphens and underscores: the proxy asks at /guard/NAME";
        mistakes.add("", "can not stand in a path", remedy);
    }
}

fn judge_verifiers(mistakes: &mut Mistakes<'_>, named: Option<&[String]>, known: &[&String]) {
    let list = list(known.iter().map(|name| name.as_str()));
    if named.is_some_and(<[String]>::is_empty) {
        let remedy = format!("Name at least one ({list}), or leave the key out");
        mistakes.add("verifiers", "is empty, so that no token would be good", remedy);
    }
    for name in named.into_iter().flatten().filter(|name| !known.contains(name)) {
        let remedy = format!("Add a table [verifiers.{name}], or name one that there is ({list})");
        mistakes.add("verifiers", format!("names \"{name}\", and there is no such verifier"), remedy);
    }
}

fn judge_list(mistakes: &mut Mistakes<'_>, key: &str, names: Option<&[String]>) {
    let Some(names) = names else { return };
    if names.is_empty() || names.iter().any(String::is_empty) {
        mistakes.add(key, "is empty, or a name in it is", "Name what is asked for, or leave the key out");
    }
    // RFC 6749 section 3.3: what else would never be found, nor could the challenge name it.
    let is_scope = |name: &String| name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    if key.starts_with("scopes") && !names.iter().all(is_scope) {
        let remedy = "Write each scope as an item of its own, of visible ASCII; for other values use claims";
        mistakes.add(key, "a name in it is not a scope", remedy);
    }
}

/// What is open to everybody asks for nothing: a rule beside it is a mistake, and which of the two is meant is not guessed at.
fn judge_public(mistakes: &mut Mistakes<'_>, settings: &GuardSettings) {
    let asks = settings.authenticated
        || settings.verifiers.is_some()
        || settings.claims.is_some()
        || settings.headers.is_some()
        || settings.lists().iter().any(|(_, names)| names.is_some());
    if asks {
        let remedy = "Take out `public`, or every other key: a public guard asks for nothing and tells nothing";
        mistakes.add("public", "is set beside other keys", remedy);
    }
}
