//! Guards: what a service behind a reverse proxy asks of its callers, judged on every call from the facts in a genuine token.

use super::claim_rule::ClaimRule;
use super::claims::Caller;
use super::verdict::{Denial, Evidence};

/// What a guard asks of a caller. All of it has to be met.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GuardRules {
    /// Every one of these scopes. A scope of Anteroom's own is what a verifier grants; any other is the issuer's own word.
    pub scopes: Vec<String>,
    /// One of these scopes, unless there are none.
    pub scopes_any: Vec<String>,
    /// Every one of these permissions.
    pub permissions: Vec<String>,
    /// One of these permissions, unless there are none.
    pub permissions_any: Vec<String>,
    /// What claims have to say.
    pub claims: Vec<ClaimRule>,
}

/// One rule of a guard's.
pub type GuardCheck = fn(&GuardRules, &Caller) -> Result<(), Denial>;

impl GuardRules {
    /// Every rule, in the order in which they are judged, with what it is about.
    pub const CHECKS: [(&str, GuardCheck); 3] =
        [("scopes", Self::judge_scopes), ("permissions", Self::judge_permissions), ("claims", Self::judge_claims)];

    /// Whether nothing is asked for but a genuine token.
    pub fn ask_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Judges a caller by every rule.
    ///
    /// # Errors
    /// What the caller lacks.
    pub fn judge(&self, caller: &Caller) -> Result<(), Denial> {
        Self::CHECKS.iter().try_for_each(|(_, check)| check(self, caller))
    }

    fn judge_scopes(&self, caller: &Caller) -> Result<(), Denial> {
        let held = &caller.token_scopes;
        let lacks = lack("scope", &self.scopes, &self.scopes_any, |scope| held.contains(scope));
        lacks.map_or(Ok(()), |lacks| {
            // A token with these will do, whatever of them this one has (RFC 6750 section 3).
            let sufficient: Vec<&str> = self.scopes.iter().chain(self.scopes_any.first()).map(String::as_str).collect();
            let evidence = Evidence::new(lacks.clone(), held);
            Err(Denial { scope: Some(sufficient.join(" ").into()), lacks: lacks.into(), evidence })
        })
    }

    fn judge_permissions(&self, caller: &Caller) -> Result<(), Denial> {
        let held = &caller.permissions;
        let lacks = lack("permission", &self.permissions, &self.permissions_any, |name| held.contains(name));
        lacks.map_or(Ok(()), |lacks| {
            let evidence = Evidence::new(lacks.clone(), held);
            Err(Denial { scope: None, lacks: lacks.into(), evidence })
        })
    }

    fn judge_claims(&self, caller: &Caller) -> Result<(), Denial> {
        let Some(broken) = self.claims.iter().find(|rule| !rule.holds(&caller.claims)) else { return Ok(()) };
        let evidence = Evidence::new(broken.to_string(), &broken.at().find(&caller.claims));
        // Which value is asked for is not the caller's to know.
        Err(Denial { scope: None, lacks: "a claim that is asked for here".into(), evidence })
    }
}

/// What is lacking of all these names, or of one of those; none when nothing is.
fn lack(kind: &str, all: &[String], any: &[String], holds: impl Fn(&String) -> bool) -> Option<String> {
    let missing: Vec<&str> = all.iter().filter(|name| !holds(name)).map(String::as_str).collect();
    match missing[..] {
        [] if any.is_empty() || any.iter().any(holds) => None,
        [] => Some(format!("every one of the {kind}s {}", any.join(", "))),
        [one] => Some(format!("the {kind} {one}")),
        _ => Some(format!("the {kind}s {}", missing.join(", "))),
    }
}
