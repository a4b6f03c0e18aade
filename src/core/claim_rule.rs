//! What a claim has to say: a rule that the operator sets for a verifier or a guard.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claim_path::ClaimPath;

/// What a claim has to say. One that is missing says nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct ClaimRule {
    at: ClaimPath,
    wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq)]
enum Wanted {
    /// This very JSON value.
    Equal(Value),
    /// One of these; of an array, one item has to be.
    Any(Vec<Value>),
}

/// `{ at = ["realm_access", "roles"], any = ["clerk", "admin"] }`, `{ at = "tier", eq = "gold" }`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    at: ClaimPath,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    eq: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    any: Option<Vec<Value>>,
}

impl ClaimRule {
    /// Whether the claims keep the rule.
    pub fn holds(&self, claims: &Map<String, Value>) -> bool {
        match (&self.wanted, self.at.find(claims)) {
            (_, None) => false,
            (Wanted::Equal(wanted), Some(found)) => wanted == found,
            (Wanted::Any(wanted), Some(Value::Array(found))) => found.iter().any(|item| wanted.contains(item)),
            (Wanted::Any(wanted), Some(found)) => wanted.contains(found),
        }
    }

    /// Where the claim stands that the rule is about.
    pub fn at(&self) -> &ClaimPath {
        &self.at
    }
}

impl TryFrom<Written> for ClaimRule {
    type Error = &'static str;

    fn try_from(Written { at, eq, any }: Written) -> Result<Self, &'static str> {
        let wanted = match (eq, any) {
            (Some(value), None) => Wanted::Equal(value),
            (None, Some(values)) if !values.is_empty() => Wanted::Any(values),
            (None, Some(_)) => return Err("`any` lists no value, so that no claim could keep the rule"),
            _ => return Err("a rule says either what the claim is, `eq`, or what it may be, `any`"),
        };
        Ok(Self { at, wanted })
    }
}

impl From<ClaimRule> for Written {
    fn from(ClaimRule { at, wanted }: ClaimRule) -> Self {
        match wanted {
            Wanted::Equal(value) => Self { at, eq: Some(value), any: None },
            Wanted::Any(values) => Self { at, eq: None, any: Some(values) },
        }
    }
}

impl fmt::Display for ClaimRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wanted {
            Wanted::Equal(value) => write!(f, "{} to be {value}", self.at),
            Wanted::Any(values) => write!(f, "{} to be one of {}", self.at, Value::from(values.as_slice())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ClaimRule;

    fn read(rule: serde_json::Value) -> Result<ClaimRule, String> {
        serde_json::from_value(rule).map_err(|error| error.to_string())
    }

    #[test]
    fn holds_where_the_claim_says_so() {
        let claims = json!({
            "tier": "gold", "level": 3, "https://acme.example/a.b": true,
            "realm_access": { "roles": ["clerk", "auditor"], "none": null },
        });
        let holds = |rule| read(rule).unwrap().holds(claims.as_object().unwrap());
        for kept in [
            json!({ "at": "tier", "eq": "gold" }),
            json!({ "at": ["tier"], "any": ["silver", "gold"] }),
            json!({ "at": "level", "eq": 3 }),
            json!({ "at": "https://acme.example/a.b", "eq": true }),
            json!({ "at": ["realm_access", "roles"], "any": ["admin", "auditor"] }),
            json!({ "at": ["realm_access", "roles"], "eq": ["clerk", "auditor"] }),
        ] {
            assert!(holds(kept.clone()), "{kept}");
        }
        for broken in [
            json!({ "at": "tier", "eq": "Gold" }),
            json!({ "at": "tier", "any": ["gol", "golden"] }),
            json!({ "at": "level", "eq": "3" }),
            json!({ "at": "realm_access.roles", "any": ["clerk"] }),
            json!({ "at": ["realm_access", "roles"], "eq": "clerk" }),
            json!({ "at": ["realm_access", "roles", "0"], "eq": "clerk" }),
            json!({ "at": ["realm_access", "none"], "eq": false }),
            json!({ "at": ["tier", "gold"], "any": ["gold"] }),
            json!({ "at": "absent", "any": [null, ""] }),
        ] {
            assert!(!holds(broken.clone()), "{broken}");
        }
    }

    #[test]
    fn is_written_as_it_was_read_and_told_in_words() {
        let rules = json!([{ "at": "tier", "eq": "gold" }, { "at": ["realm_access", "roles"], "any": ["clerk", 7] }]);
        let read: Vec<ClaimRule> = serde_json::from_value(rules.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), rules);
        let told: Vec<_> = read.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["\"tier\" to be \"gold\"", "[\"realm_access\", \"roles\"] to be one of [\"clerk\",7]"]);
    }

    #[test]
    fn a_rule_that_nothing_could_keep_or_break_is_none() {
        const EITHER: &str = "a rule says either what the claim is, `eq`, or what it may be, `any`";
        for (rule, problem) in [
            (json!({ "at": "tier" }), EITHER),
            (json!({ "at": "tier", "eq": "gold", "any": ["gold"] }), EITHER),
            (json!({ "at": "tier", "any": [] }), "`any` lists no value, so that no claim could keep the rule"),
            (json!({ "at": [], "eq": 1 }), "the name of a claim is empty"),
            (json!({ "at": ["a", ""], "eq": 1 }), "the name of a claim is empty"),
            (json!({ "at": 5, "eq": 1 }), "expected the name of a claim, or a list of names that leads to it"),
            (json!({ "at": "a", "is": 1 }), "unknown field `is`, expected one of `at`, `eq`, `any`"),
        ] {
            assert_eq!(read(rule.clone()).err().as_deref(), Some(problem), "{rule}");
        }
    }
}
