//! The section `[accounts]`: who may have an account, and what it may do.

use serde::{Deserialize, Serialize};

use crate::core::error::Misconfiguration;
use crate::core::period::Period;
use crate::core::policy::ADMIN;
use crate::oauth::clients::default_scopes;
use crate::oauth::lifetime;
use crate::oauth::scopes::Scopes;

/// The `[accounts]` section.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSettings {
    /// Who may make an account.
    pub registration: Registration,
    /// How people prove who they are.
    pub login: Login,
    /// What people may do, and what they may let clients do for them.
    pub scopes: Vec<String>,
    /// How long a token of `POST /login` is valid.
    pub lifetime: Period,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Nobody by a call; whoever runs the gateway by `anteroom account add`.
    #[default]
    Off,
    /// Who has a token with the scope `admin`.
    Admin,
    /// Everybody.
    Open,
}

/// How people prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Login {
    /// By the password of their account.
    #[default]
    Password,
    /// Not at all: any name with any password is let in (development mode only).
    Any,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            registration: Registration::default(),
            login: Login::default(),
            scopes: default_scopes(),
            lifetime: Period::seconds(45 * 60),
        }
    }
}

impl AccountSettings {
    /// What is wrong with the section; `known` are the scopes that there are.
    pub fn mistakes(&self, is_development: bool, known: &Scopes) -> Vec<Misconfiguration> {
        let mut mistakes = Vec::new();
        let mut add = |key: &str, problem: String, remedy: String| {
            mistakes.push(Misconfiguration::new(format!("accounts.{key}"), problem, remedy));
        };
        if self.login == Login::Any && !is_development {
            let problem = "any name and password are let in in development mode only";
            let remedy =
                "Remove it and give people accounts with `anteroom account add NAME`, or bind to a loopback address";
            add("login", problem.into(), remedy.into());
        }
        if self.login == Login::Any && self.registration != Registration::Off {
            let problem = "lets people make accounts, and with accounts.login = \"any\" nobody needs one or is asked for its password";
            add("registration", problem.into(), "Leave it out, or set accounts.login = \"password\"".into());
        }
        for scope in &self.scopes {
            if scope == ADMIN {
                let remedy = "Leave it out, and make administrators with `anteroom account add NAME --admin`";
                add("scopes", "\"admin\" is not for everybody who has an account".into(), remedy.into());
            } else if known.get(scope).is_none() {
                let names = known.names().filter(|name| *name != ADMIN).collect::<Vec<_>>().join(", ");
                add("scopes", format!("\"{scope}\" is not a scope"), format!("Use {names}"));
            }
        }
        if let Err(problem) = lifetime::judge(self.lifetime) {
            add("lifetime", problem.into(), "Leave it out, or write one like \"45m\"".into());
        }
        mistakes
    }
}
