//! Mistakes in a section, told in the operator's words.

use config::ConfigError;

use crate::core::error::Misconfiguration;

/// What is wrong with a section. Where a secret belongs, what was written there is not repeated: it may be one.
pub(super) fn explain(section: &str, error: &serde_path_to_error::Error<ConfigError>) -> Misconfiguration {
    let path = error.path().to_string();
    let key = if path == "." { section.to_owned() } else { format!("{section}.{path}") };
    let problem = match innermost(error.inner()) {
        ConfigError::Type { unexpected, expected, .. } => format!("{WRONG_TYPE}{unexpected}, expected {expected}"),
        other => other.to_string(),
    };
    match problem.rsplit_once(", expected ") {
        Some((found, expected)) => {
            let (found, expected) = match found.strip_prefix(WRONG_TYPE) {
                Some(found) => {
                    (format!("found {}", in_toml(found)), expected.replace("sequence", "list").replace("map", "table"))
                }
                None => (found.to_owned(), expected.to_owned()),
            };
            // The value may be the secret itself, or a table that holds one.
            let found = if HOLDS_SECRETS.contains(&section) && !found.starts_with("unknown field") {
                "it does not have the right form".into()
            } else {
                found
            };
            Misconfiguration::new(key, found, format!("Expected: {expected}"))
        }
        None => Misconfiguration::new(key, in_words(&problem), remedy(section)),
    }
}

/// The parser's sentence for a word that is none of those known, without its own terms.
fn in_words(problem: &str) -> String {
    match problem.rsplit_once("does not have variant constructor ") {
        Some((_, word)) => format!("\"{word}\" is not a word that is known here"),
        None => problem.to_owned(),
    }
}

fn remedy(section: &str) -> &'static str {
    match section {
        "clients" => "Run `anteroom client new NAME`, and put in the lines that it prints",
        _ => "See config/anteroom.toml for every key and its meaning",
    }
}

/// The sections where what was written is not repeated.
const HOLDS_SECRETS: [&str; 5] = ["clients", "issuer", "store", "verifiers", "webhooks"];

/// How serde begins when a value is of the wrong type.
const WRONG_TYPE: &str = "invalid type: ";

/// TOML's word for what serde names otherwise. A text that was found is the user's, and stays as it is.
fn in_toml(found: &str) -> &str {
    match found {
        "sequence" => "list",
        "map" => "table",
        other => other,
    }
}

fn innermost(error: &ConfigError) -> &ConfigError {
    match error {
        ConfigError::At { error, .. } => innermost(error),
        other => other,
    }
}
