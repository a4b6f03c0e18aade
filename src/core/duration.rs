//! Lengths of time as people write them: `5s`, `10m`, `1h 30m`. For fields with `#[serde(with = "crate::core::duration")]`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serializer};

/// Reads a length of time; never negative, and never without its unit.
pub fn parse(text: &str) -> Option<Duration> {
    Duration::try_from(text.parse::<SignedDuration>().ok()?).ok()
}

/// The text that [`parse`] reads.
pub fn show(duration: Duration) -> String {
    SignedDuration::try_from(duration).map_or_else(|_| format!("{}s", duration.as_secs()), |shown| format!("{shown:#}"))
}

/// Reads the text of a field.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        serde::de::Error::custom(format_args!(
            "\"{text}\" is not a length of time with its unit, like \"5s\" or \"1h\""
        ))
    })
}

/// Writes the text of a field.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&show(*duration))
}
