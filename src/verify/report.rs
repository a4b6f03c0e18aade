//! How the keys of an issuer get on, for those who watch the gateway.

use std::time::Duration;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::core::clock::Timestamp;
use crate::telemetry::metrics::Fetched;

/// How the keys of one issuer get on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeySet)]
pub struct KeySetReport {
    /// Whether there are keys, and whether they may be used.
    pub state: KeySetState,
    /// Since when the keys are known to be the issuer's own; none while there are none.
    #[serde(rename = "age_seconds", serialize_with = "whole_seconds")]
    #[schema(value_type = Option<u64>, required)]
    pub age: Option<Duration>,
    /// How long until they are fetched again; none before the first time.
    #[serde(rename = "next_refresh_seconds", serialize_with = "whole_seconds")]
    #[schema(value_type = Option<u64>, required)]
    pub next_refresh: Option<Duration>,
    /// How many fetches failed since the last that did not.
    pub consecutive_failures: u32,
    /// Why the last fetch failed; none when it did not.
    #[schema(required)]
    pub last_error: Option<FetchErrorClass>,
    /// The keys, in the order in which they are published.
    pub keys: Vec<KeyReport>,
}

/// One key of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyReport {
    /// Its `kid`, if it has one.
    #[schema(required)]
    pub id: Option<String>,
    /// What it can be used with.
    pub algorithms: Vec<String>,
    /// When it was fetched for the first time.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
}

/// What can be done with a set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
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

/// What went wrong when a provider was asked for its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FetchErrorClass {
    /// The answer was not a success.
    Http,
    /// It took too long.
    Timeout,
    /// There was no trusted connection.
    Tls,
    /// There was no connection, or it broke.
    Connection,
    /// The answer was not the JSON that was asked for.
    Parse,
    /// The set has no key that can be used.
    Empty,
    /// The discovery document is that of another issuer.
    Issuer,
    /// The answer was too large.
    TooLarge,
    /// The address is not one that may be asked.
    Address,
}

impl FetchErrorClass {
    /// Its name, as in metrics and log lines.
    pub fn name(self) -> &'static str {
        Fetched::from(self).label()
    }
}

impl From<FetchErrorClass> for Fetched {
    fn from(class: FetchErrorClass) -> Self {
        match class {
            FetchErrorClass::Http => Self::Http,
            FetchErrorClass::Timeout => Self::Timeout,
            FetchErrorClass::Tls => Self::Tls,
            FetchErrorClass::Connection => Self::Connection,
            FetchErrorClass::Parse => Self::Parse,
            FetchErrorClass::Empty => Self::Empty,
            FetchErrorClass::Issuer => Self::Issuer,
            FetchErrorClass::TooLarge => Self::TooLarge,
            FetchErrorClass::Address => Self::Address,
        }
    }
}

#[expect(clippy::ref_option, reason = "this is how serde calls it")]
fn whole_seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs()).serialize(serializer)
}
