//! What is asked of a table `[verifiers.NAME]` before it is read as the settings of its kind.

use config::{Map, Value};

/// The kind of our own tokens.
const SELF: &str = "self";

/// The table of the verifier of our own tokens.
pub fn own_table() -> Value {
    Value::from(Map::from([("kind".to_owned(), Value::from(SELF))]))
}

/// Whether it is the table of a verifier of our own tokens.
pub fn is_own(table: &Value) -> bool {
    text(table, "kind").as_deref() == Some(SELF)
}

/// The issuer that it names.
pub fn issuer_in(table: &Value) -> Option<String> {
    text(table, "issuer")
}

fn text(table: &Value, key: &str) -> Option<String> {
    table.clone().into_table().ok()?.remove(key)?.into_string().ok()
}
