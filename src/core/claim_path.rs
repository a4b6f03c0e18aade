//! Where in the claims of a token a value stands: a list of names, so that a dot in a name is only a dot.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The way to a claim, from the outside in: `scope`, or `realm_access` and in it `roles`. Written as one name or as a list of names;
/// `https://acme.example/email` is one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct ClaimPath(Vec<String>);

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected the name of a claim, or a list of names that leads to it")]
enum Written {
    Name(String),
    Names(Vec<String>),
}

impl ClaimPath {
    /// The value that stands there; none when a step leads nowhere.
    pub fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        let (first, inner) = self.0.split_first()?;
        inner.iter().try_fold(claims.get(first)?, |value, name| value.as_object()?.get(name))
    }

    /// The [words] that stand there.
    pub fn words<'c>(&self, claims: &'c Map<String, Value>) -> impl Iterator<Item = &'c str> + use<'c> {
        words(self.find(claims))
    }

    /// The string that stands there, unless it is empty.
    pub fn text<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c str> {
        self.find(claims).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

/// The words of a claim: those of a string, separated by spaces (RFC 6749 section 3.3), or the strings of an array, each as it stands:
/// a role called "Printer admin" is not the role "admin". A claim of another type holds none.
pub fn words(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let (text, items) = match claim {
        Some(Value::String(text)) => (text.as_str(), [].as_slice()),
        Some(Value::Array(items)) => ("", items.as_slice()),
        _ => ("", [].as_slice()),
    };
    text.split(' ').chain(items.iter().filter_map(Value::as_str)).filter(|word| !word.is_empty())
}

impl From<&str> for ClaimPath {
    /// A claim at the outside.
    fn from(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }
}

impl TryFrom<Written> for ClaimPath {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, &'static str> {
        let names = match written {
            Written::Name(name) => vec![name],
            Written::Names(names) => names,
        };
        if names.is_empty() || names.iter().any(String::is_empty) {
            return Err("the name of a claim is empty");
        }
        Ok(Self(names))
    }
}

impl From<ClaimPath> for Written {
    fn from(ClaimPath(mut names): ClaimPath) -> Self {
        if names.len() == 1 { Self::Name(names.remove(0)) } else { Self::Names(names) }
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [name] => write!(f, "{name:?}"),
            names => write!(f, "{names:?}"),
        }
    }
}
