//! A request's payload: kept as it came, read once, and fingerprinted for its idempotency key.

use aws_lc_rs::digest;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Draft;
use crate::core::error::{Error, Fault};
use crate::core::json;

/// JSON text together with its value. The text is what is stored: no digit of the client's numbers is lost.
#[derive(Debug)]
pub struct Payload {
    text: Box<RawValue>,
    value: Value,
}

impl Payload {
    /// Reads the text.
    ///
    /// # Errors
    /// [`Error::Malformed`] at `pointer` when an object in it names a member twice (it is stored as it came, and whoever reads it next
    /// could take the other), when it is nested too deep, or when it holds a number that no double can hold.
    pub fn read(text: Box<RawValue>, pointer: &str) -> Result<Self, Error> {
        match json::parse(text.get().as_bytes()) {
            Ok(value) => Ok(Self { text, value }),
            Err(error) => {
                let code = if error.is_data() { "duplicate_field" } else { "invalid_json" };
                let fault = Fault { pointer: pointer.into(), code, detail: error.to_string() };
                Err(Error::Malformed { detail: format!("The payload can not be read: {error}."), faults: vec![fault] })
            }
        }
    }

    /// The value, for judging it.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// How many bytes the text has.
    pub fn bytes(&self) -> usize {
        self.text.get().len()
    }

    /// The text, for keeping it.
    pub fn into_text(self) -> String {
        Box::<str>::from(self.text).into_string()
    }

    /// The text in a form that does not depend on the order of members or on white space. A number that is held as a double may
    /// have more digits in the text than the double has: then only the text itself will do.
    fn canonical(&self) -> String {
        if has_double(&self.value) { self.text.get().to_owned() } else { sorted(&self.value).to_string() }
    }
}

fn has_double(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_double),
        Value::Object(members) => members.values().any(has_double),
        _ => false,
    }
}

/// The value with its members in order, whatever order the JSON library keeps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
        }
        other => other.clone(),
    }
}

/// SHA-256 over the whole body in canonical form.
pub(super) fn fingerprint(draft: &Draft) -> [u8; 32] {
    let Draft { kind, payload, tags, not_before, deadline, .. } = draft;
    let mut head = serde_json::json!([kind, tags]).to_string();
    // What was submitted before these two were known has the same fingerprint still.
    if not_before.is_some() || deadline.is_some() {
        head.push_str(&serde_json::json!([not_before, deadline]).to_string());
    }
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(head.as_bytes());
    context.update(payload.canonical().as_bytes());
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(context.finish().as_ref());
    fingerprint
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{Draft, Payload, fingerprint};
    use crate::core::request::Tags;

    fn print(payload: &str) -> [u8; 32] {
        let text = RawValue::from_string(payload.to_owned()).expect("JSON");
        let payload = Payload::read(text, "/payload").expect("readable");
        let (tags, idempotency_key) = (Tags::new(), None);
        fingerprint(&Draft { kind: "default".into(), payload, tags, not_before: None, deadline: None, idempotency_key })
    }

    #[test]
    fn order_and_white_space_do_not_count() {
        assert_eq!(print(r#"{"a":1,"b":{"c":2,"d":[3]}}"#), print(r#"{ "b": {"d":[3],"c":2}, "a": 1 }"#));
        assert_ne!(print(r#"{"a":[1,2]}"#), print(r#"{"a":[2,1]}"#));
    }

    #[test]
    fn digits_beyond_a_double_do_count() {
        assert_ne!(print("[12345678901234567890123]"), print("[12345678901234567890124]"));
        assert_ne!(print("[0.1]"), print("[0.10000000000000000000001]"));
    }

    #[test]
    fn a_member_that_comes_twice_is_refused() {
        for text in [r#"{"amount":1,"amount":2}"#, r#"[{"a":{"b":1,"\u0062":2}}]"#] {
            let text = RawValue::from_string(text.into()).expect("JSON");
            assert!(Payload::read(text, "/payload").is_err());
        }
    }

    #[test]
    fn the_text_is_kept() {
        let text = r#"{"z": 1.0, "a": 12345678901234567890123}"#;
        let payload = Payload::read(RawValue::from_string(text.into()).expect("JSON"), "/payload").expect("readable");
        assert_eq!(payload.into_text(), text);
    }
}
