//! What an owner may take of the gateway: the limits there are, and what is said when one is reached.

use std::time::Duration;

/// A limit on what one owner takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Calls of the API in a second.
    RequestsPerSecond,
    /// Requests that have not reached their end.
    OpenRequests,
}

impl Limit {
    /// Every limit there is.
    pub const ALL: [Self; 2] = [Self::RequestsPerSecond, Self::OpenRequests];

    /// The name, as in the configuration, in answers and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestsPerSecond => "requests_per_second",
            Self::OpenRequests => "open_requests",
        }
    }
}

/// A limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which.
    pub limit: Limit,
    /// How much it allows.
    pub value: u64,
    /// After what time it makes sense to try again.
    pub reset: Duration,
}
