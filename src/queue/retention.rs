//! How long requests are kept, how many, and how much: the section `[retention]`.

use serde::{Deserialize, Serialize};

use crate::core::error::Misconfiguration;
use crate::core::period::Period;
use crate::core::ports::requests::Retention;

/// The section `[retention]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSettings {
    /// How long a request is kept after its end.
    pub request: Period,
    /// How long its payload and its result are.
    pub payload: Period,
    /// More requests than this: those that have ended longest ago go.
    pub max_requests: u64,
    /// More bytes than this in the store: the same.
    pub max_bytes: u64,
}

const DAY: u64 = 86_400;

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            request: Period::seconds(30 * DAY),
            payload: Period::seconds(7 * DAY),
            max_requests: 5_000_000,
            max_bytes: 20 << 30,
        }
    }
}

impl RetentionSettings {
    /// Every mistake in the section.
    pub fn mistakes(&self) -> Vec<Misconfiguration> {
        let limits = [("max_requests", self.max_requests), ("max_bytes", self.max_bytes)];
        let mistake = |(key, _)| {
            let key = format!("retention.{key}");
            Misconfiguration::new(key, "with 0 no request would be kept", "Give a number above 0, or leave the key out")
        };
        limits.into_iter().filter(|(_, limit)| *limit == 0).map(mistake).collect()
    }

    /// What the store is asked to keep. A payload is kept no longer than its request.
    pub fn retention(&self) -> Retention {
        Retention {
            request: self.request.duration(),
            payload: self.payload.duration().min(self.request.duration()),
            most_requests: Some(self.max_requests),
            most_bytes: Some(self.max_bytes),
        }
    }
}
