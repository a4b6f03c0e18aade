//! What a caller is told whose share is used up: which limit, what it allows, and when to come again.

use super::{Problem, whole_seconds};
use crate::core::quota::{Exceeded, Limit};
use crate::http::code::Code;

impl Problem {
    /// 429, with the limit that is reached.
    pub(super) fn exceeding(exceeded: Exceeded) -> Self {
        let Exceeded { limit, value, reset } = exceeded;
        let (name, seconds) = (limit.name(), whole_seconds(reset));
        let detail = match limit {
            Limit::RequestsPerSecond => format!(
                "Your limit {name} is {value}, and more calls than that came in your name. Come again in {seconds} s, and spread \
                 your calls."
            ),
            Limit::OpenRequests => format!(
                "Your limit {name} is {value}, and so many of your requests have not reached their end. Wait until some have, or cancel \
                 some; come again in {seconds} s."
            ),
        };
        let problem = Self::detailed(Code::QuotaExceeded, detail).retry_after(reset);
        Self { exceeded: Some(Box::new(exceeded)), ..problem }
    }
}
