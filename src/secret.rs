//! Where a secret comes from: a file or the environment, never the configuration itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The place of a secret or a key: `file:PATH` or `env:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file; a relative path is relative to the configuration file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

impl Source {
    /// The same place, where a relative path is relative to `base`.
    #[must_use]
    pub fn below(self, base: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(base.join(path)),
            env @ Self::Env(_) => env,
        }
    }

    /// Reads it, without the line break at its end.
    ///
    /// # Errors
    /// A sentence that says what could not be read; never the content.
    pub fn read(&self, base: &Path) -> Result<SecretString, String> {
        let text = match self {
            Self::File(path) => {
                let path = base.join(path);
                std::fs::read_to_string(&path)
                    .map_err(|error| format!("{} can not be read: {error}", path.display()))?
            }
            Self::Env(name) => std::env::var(name)
                .map_err(|_| format!("the environment variable {name} is not set, or is not text"))?,
        };
        Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.into())),
            // What was written may be the secret itself: it is not repeated.
            _ => Err("write it as \"file:PATH\" or \"env:NAME\"".into()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
