//! A length of time as people write it: `5s`, `1h`, `7 days`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, zero or more, written as `500ms`, `5s`, `1h 30m` or `7 days`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

impl Period {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// In milliseconds; saturates.
    pub fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // jiff's durations have no days, since days differ across time zones; here a day is 24 hours.
        let mistake =
            || format!("\"{text}\" is not a length of time; write \"500ms\", \"5s\", \"1h 30m\" or \"7 days\"");
        let (days, rest) = split_days(text.trim());
        let days = days.map_or(Ok(0), |digits| digits.parse::<u32>().map_err(|_| mistake()))?;
        let rest = match rest {
            "" if days > 0 => Duration::ZERO,
            _ => rest.parse::<SignedDuration>().ok().and_then(|d| d.try_into().ok()).ok_or_else(mistake)?,
        };
        Ok(Self(Duration::from_secs(u64::from(days) * 86_400) + rest))
    }
}

fn split_days(text: &str) -> (Option<&str>, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let after = text[digits..].trim_start();
    let unit = ["days", "day", "d"].into_iter().find_map(|unit| after.strip_prefix(unit));
    match unit {
        Some(rest) if digits > 0 && !rest.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            (Some(&text[..digits]), rest.trim_start_matches([',', ' ']))
        }
        _ => (None, text),
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(duration) => write!(f, "{duration:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Period;

    #[test]
    fn reads_what_people_write() {
        let millis = |text: &str| text.parse::<Period>().map(Period::millis);
        assert_eq!(millis("0s"), Ok(0));
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(millis("1h 30m"), Ok(5_400_000));
        assert_eq!(millis("7 days"), Ok(604_800_000));
        assert_eq!(millis("1d 2h"), Ok(93_600_000));
        for wrong in ["", "5", "-5s", "soon", "days", "1dm"] {
            assert!(wrong.parse::<Period>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["5s", "1h", "500ms", "168h"] {
            assert_eq!(text.parse::<Period>().map(|p| p.to_string()), Ok(text.to_owned()));
        }
    }
}
