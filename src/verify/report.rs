//! How an issuer gets on with its keys and its answers, for those who watch the gateway.

use std::time::Duration;

use crate::core::clock::Timestamp;
use crate::net::FetchErrorClass;

/// How the keys of one issuer get on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetReport {
    /// Whether there are keys, and whether they may be used.
    pub state: KeySetState,
    /// Since when the keys are known to be the issuer's own; none while there are none.
    pub age: Option<Duration>,
    /// How long until they are fetched again; none before the first time.
    pub next_refresh: Option<Duration>,
    /// How many fetches failed since the last that did not.
    pub consecutive_failures: u32,
    /// Why the last fetch failed; none when it did not.
    pub last_error: Option<FetchErrorClass>,
    /// The keys, in the order in which they are published.
    pub keys: Vec<KeyReport>,
}

/// How an issuer gets on that is asked about tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntrospectionReport {
    /// How long ago the last call to it ended; none before the first time.
    pub last_call: Option<Duration>,
    /// How many calls failed since the last that did not.
    pub consecutive_failures: u32,
    /// Why the last call failed; none when it did not.
    pub last_error: Option<FetchErrorClass>,
}

/// One key of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// Its `kid`, if it has one.
    pub id: Option<String>,
    /// What it can be used with.
    pub algorithms: Vec<String>,
    /// When it was fetched for the first time.
    pub first_seen: Timestamp,
}

/// What can be done with a set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySetState {
    /// There are no keys, and none are being fetched.
    Empty,
    /// There are no keys yet: they are being fetched.
    Loading,
    /// They are within their lifetime.
    Fresh,
    /// They are past it, and serve while new ones can not be had.
    Stale,
    /// They are too old to be used.
    Expired,
}

impl KeySetState {
    /// Every state there is.
    pub const ALL: [Self; 5] = [Self::Empty, Self::Loading, Self::Fresh, Self::Stale, Self::Expired];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Loading => "loading",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
        }
    }
}
