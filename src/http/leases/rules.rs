//! What workers may say: the rules for each member, and the faults where they are broken.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::core::error::{Error, Fault};

/// How long a worker may ask for a pause: a week.
const LONGEST_PAUSE: u64 = 7 * 86_400;

/// Collects the faults of one body.
#[derive(Default)]
pub(super) struct Rules(Vec<Fault>);

impl Rules {
    /// A fault at a member.
    pub(super) fn refuse(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        self.0.push(Fault { pointer: pointer.into(), code, detail: detail.into() });
    }

    /// A number within a range.
    pub(super) fn within(&mut self, pointer: &str, number: u64, range: RangeInclusive<u64>) {
        if !range.contains(&number) {
            let (least, most) = range.into_inner();
            self.refuse(pointer, "invalid_value", format!("it is {number}, and may be {least} to {most}"));
        }
    }

    /// A text of so many characters, none of them a control character.
    pub(super) fn text(&mut self, pointer: &str, text: &str, lengths: RangeInclusive<usize>) {
        let length = text.chars().count();
        if !lengths.contains(&length) || text.chars().any(|character| character.is_control() && character != '\n') {
            let (least, most) = lengths.into_inner();
            self.refuse(
                pointer,
                "invalid_value",
                format!("it is a text of {least} to {most} characters, none of them a control character"),
            );
        }
    }

    /// How long a lease is to last.
    pub(super) fn lease(&mut self, seconds: Option<u64>) -> Option<Duration> {
        let most = crate::queue::types::LONGEST_LEASE.as_secs();
        seconds.inspect(|seconds| self.within("/lease_seconds", *seconds, 1..=most)).map(Duration::from_secs)
    }

    /// How long nobody is to have the request.
    pub(super) fn pause(&mut self, pointer: &str, seconds: Option<u64>) -> Option<Duration> {
        seconds.inspect(|seconds| self.within(pointer, *seconds, 0..=LONGEST_PAUSE)).map(Duration::from_secs)
    }

    /// The value, if no rule is broken.
    pub(super) fn hold<T>(self, value: T) -> Result<T, Error> {
        if self.0.is_empty() {
            return Ok(value);
        }
        Err(Error::Malformed { detail: "The body breaks a rule; see errors for each.".into(), faults: self.0 })
    }
}

/// JSON text as it came, also where it is `null`.
pub(super) fn raw<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    serde::Deserialize::deserialize(deserializer).map(Some)
}
