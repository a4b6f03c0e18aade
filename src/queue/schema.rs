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
        let faults = self.faults(payload, root);
        let Some(first) = faults.first() else { return Ok(()) };
        let detail = format!("The payload breaks the schema of its type: {}", first.detail);
        Err(Error::Invalid { detail, faults })
    }

    /// What is wrong with a value, with a pointer to each fault that begins with `root`.
    pub(super) fn faults(&self, value: &Value, root: &str) -> Vec<Fault> {
        if self.validator.is_valid(value) {
            return Vec::new();
        }
        let fault = |error: ValidationError<'_>| Fault {
            pointer: format!("{root}{}", error.instance_path()),
            code: "schema_violation",
            detail: told(&error),
        };
        self.validator.iter_errors(value).take(MOST_FAULTS).map(fault).collect()
    }
}

/// So many bytes of what is wrong are told; a large value is named without showing it.
const LONGEST_DETAIL: usize = 300;

fn told(error: &ValidationError<'_>) -> String {
    let detail = error.to_string();
    if detail.len() <= LONGEST_DETAIL { detail } else { error.masked().to_string() }
}
