//! The partner prototype's name for a request: it follows from the body and the subject, so that the same body is the same request.

use std::io;

use aws_lc_rs::digest;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::Formatter;

use crate::core::hex;

/// `QR-` and the first 32 hexadecimal digits of SHA-512 over the JSON text of body and subject, written as the prototype wrote it.
pub(super) fn alias(body: &Value, subject: &str) -> String {
    let text = python_json(&serde_json::json!({ "request": body, "sub": subject }));
    let digest = digest::digest(&digest::SHA512, &text);
    format!("QR-{}", hex(&digest.as_ref()[..16]))
}

/// JSON as Python's `json.dumps(…, sort_keys=True)` writes it.
fn python_json(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, PythonFormatter);
    // A `Value` has text keys and finite numbers only, and a vector takes every write.
    let written = value.serialize(&mut serializer);
    debug_assert!(written.is_ok(), "a JSON value can be written");
    text
}

struct PythonFormatter;

impl PythonFormatter {
    fn separator<W: io::Write + ?Sized>(writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }
}

impl Formatter for PythonFormatter {
    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        Self::separator(writer, first)
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        Self::separator(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for character in fragment.chars() {
            if matches!(character, ' '..='~') {
                write!(writer, "{character}")?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{alias, python_json};

    #[test]
    fn writes_json_as_python_does() {
        let value = json!({"b": [1, true, null], "a": {"é": "\u{1F600}\u{7f}\n\"/"}, "": "~ "});
        let expected = r#"{"": "~ ", "a": {"\u00e9": "\ud83d\ude00\u007f\n\"/"}, "b": [1, true, null]}"#;
        assert_eq!(String::from_utf8(python_json(&value)).expect("ASCII"), expected);
    }

    #[test]
    fn names_a_request_as_the_prototype_did() {
        let body = json!({
            "fastq_files": [
                "s3://somebucket/path/to/sample_R1.fastq.gz",
                "s3://somebucket/path/to/sample_R2.fastq.gz",
            ],
            "patient_info": {
                "biological_sex": "MALE", "dob": "2022-01-10",
                "first_name": "string", "last_name": "string", "middle_name": "string",
            },
            "product_id": "PR-012345.1",
        });
        assert_eq!(alias(&body, "who knows?"), "QR-8eaedc400e2b5721bc255f9f9c31f8b1");
    }
}
