//! A type's JSON Schema: compiled once, remote references refused, its findings told as faults with pointers.

use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

use crate::core::error::{Error, Fault};

/// So many faults are named; more would only hide the first.
const MOST_FAULTS: usize = 20;

/// A compiled JSON Schema (draft 2020-12) with its source.
#[derive(Debug)]
pub(super) struct Schema {
    source: Value,
    validator: Validator,
}

impl Schema {
    /// Compiles it. Formats are enforced.
    ///
    /// # Errors
    /// What is wrong with it; a reference to anything but itself is.
    pub(super) fn compile(source: Value) -> Result<Self, String> {
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(&source)
            .map_err(|error| error.to_string())?;
        Ok(Self { source, validator })
    }

    pub(super) fn source(&self) -> &Value {
        &self.source
    }

    /// Judges a payload.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a pointer to each fault, from the body's root.
    pub(super) fn check(&self, payload: &Value, root: &str) -> Result<(), Error> {
        if self.validator.is_valid(payload) {
            return Ok(());
        }
        let faults: Vec<Fault> = self
            .validator
            .iter_errors(payload)
            .take(MOST_FAULTS)
            .map(|error| Fault {
                pointer: format!("{root}{}", error.instance_path()),
                code: "schema_violation",
                detail: told(&error),
            })
            .collect();
        let first = faults.first().map(|fault| fault.detail.clone()).unwrap_or_default();
        Err(Error::Invalid { detail: format!("The payload breaks the schema of its type: {first}"), faults })
    }
}

/// So many bytes of what is wrong are told; a large value is named without showing it.
const LONGEST_DETAIL: usize = 300;

fn told(error: &ValidationError<'_>) -> String {
    let detail = error.to_string();
    if detail.len() <= LONGEST_DETAIL { detail } else { error.masked().to_string() }
}
