//! An endpoint: where an owner wants to be told of what, and how well that goes.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::delivery::Heard;
use super::{EndpointId, maybe_millis, millis};
use crate::core::clock::Timestamp;
use crate::core::request::{Owner, Status};

/// How many keys an endpoint has at most: the newest, and old ones that are still valid.
const MOST_KEYS: usize = 3;
/// After so many failures one after another an endpoint is asked slowly.
const SLOW_AFTER: u32 = 5;
/// So slowly at first, and at last.
const SLOW: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));
/// An endpoint that has failed for so long is disabled.
const FAILING_FOR: Duration = Duration::from_hours(120);
/// How long an endpoint may ask to be left alone.
const LONGEST_REST: Duration = Duration::from_hours(1);
/// How many deliveries are on their way to one endpoint at once.
const AT_ONCE: usize = 4;

/// Where an owner wants to be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its name.
    pub id: EndpointId,
    /// Whose requests it is told of.
    pub owner: Owner,
    /// The name of its table in the configuration; none when it was made by a call.
    pub name: Option<String>,
    /// Where.
    pub url: String,
    /// What it is for, in its owner's words.
    pub description: String,
    /// Of which statuses it is told.
    pub statuses: Vec<Status>,
    /// What its deliveries are signed with, the newest first. Of one that is configured none is stored.
    pub keys: Vec<SigningKey>,
    /// When it was made. It is told of what happens from then on.
    #[serde(with = "millis")]
    pub created_at: Timestamp,
    /// Since when it is told nothing, and why.
    pub disabled: Option<Disabled>,
    /// How many attempts have failed one after another.
    pub failures: u32,
    /// Since when all have.
    #[serde(with = "maybe_millis")]
    pub failing_since: Option<Timestamp>,
    /// It is left alone until then.
    #[serde(with = "maybe_millis")]
    pub resting_until: Option<Timestamp>,
}

/// Why an endpoint is told nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Since when.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// Why, in a sentence.
    pub reason: String,
}

/// A key that deliveries are signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// `whsec_` or `whsk_`, and base64.
    pub secret: SecretText,
    /// Until when it signs; none: until another takes its place.
    #[serde(with = "maybe_millis")]
    pub expires_at: Option<Timestamp>,
}

/// A secret as text, which is never shown by accident.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// What an owner changes about an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This key signs from now on; the one before it for so long as well.
    Rotate(SecretText, Duration),
    /// It is told again.
    Enable,
}

impl Endpoint {
    /// Whether it is told that a request has come into `status` at `at`.
    pub(super) fn wants(&self, status: Status, at: Timestamp) -> bool {
        self.disabled.is_none() && at >= self.created_at && self.statuses.contains(&status)
    }

    /// This endpoint as it is configured now, with what is known of how it went; at another address it begins anew.
    #[must_use]
    pub fn in_place_of(self, known: &Self) -> Self {
        let of_old = Self { id: known.id, created_at: known.created_at, ..self };
        if of_old.url != known.url {
            return of_old;
        }
        Self {
            disabled: known.disabled.clone(),
            failures: known.failures,
            failing_since: known.failing_since,
            resting_until: known.resting_until,
            ..of_old
        }
    }

    /// The keys that sign at `now`, the newest first.
    pub fn keys_at(&self, now: Timestamp) -> impl Iterator<Item = &SigningKey> {
        self.keys.iter().filter(move |key| key.expires_at.is_none_or(|expires_at| now < expires_at))
    }

    /// How many more deliveries may be on their way to it at `now`, when so many are.
    pub fn room(&self, on_their_way: usize, now: Timestamp) -> usize {
        if self.disabled.is_some() || self.resting_until.is_some_and(|until| now < until) {
            return 0;
        }
        let at_once = if self.failures >= SLOW_AFTER { 1 } else { AT_ONCE };
        at_once.saturating_sub(on_their_way)
    }

    /// No longer left alone: its owner wants to see what comes of a delivery.
    #[must_use]
    pub fn awake(self) -> Self {
        Self { resting_until: None, ..self }
    }

    /// After what its owner has changed.
    #[must_use]
    pub fn changed(mut self, change: &Change, now: Timestamp) -> Self {
        match change {
            Change::Rotate(secret, overlap) => {
                let until = now.plus(*overlap);
                for key in &mut self.keys {
                    key.expires_at = Some(key.expires_at.map_or(until, |expires_at| expires_at.min(until)));
                }
                self.keys.retain(|key| key.expires_at.is_some_and(|expires_at| now < expires_at));
                self.keys.insert(0, SigningKey { secret: secret.clone(), expires_at: None });
                self.keys.truncate(MOST_KEYS);
                self
            }
            Change::Enable => Self { disabled: None, failures: 0, failing_since: None, resting_until: None, ..self },
        }
    }

    /// After an attempt.
    #[must_use]
    pub fn attempted(self, heard: &Heard, now: Timestamp) -> Self {
        if heard.is_taken() {
            return Self { failures: 0, failing_since: None, resting_until: None, ..self };
        }
        let disabled = |reason: &str| Some(Disabled { at: now, reason: reason.into() });
        let failures = self.failures.saturating_add(1);
        let failing_since = self.failing_since.unwrap_or(now);
        let slow = failures
            .checked_sub(SLOW_AFTER)
            .map_or(Duration::ZERO, |more| SLOW.0.saturating_mul(2_u32.saturating_pow(more)).min(SLOW.1));
        let rest = heard.retry_after().unwrap_or_default().min(LONGEST_REST).max(slow);
        let because = if heard.is_gone() {
            disabled("It answered 410 Gone.")
        } else if failing_since.plus(FAILING_FOR) <= now {
            disabled("Every attempt of the last five days has failed.")
        } else {
            None
        };
        Self {
            failures,
            failing_since: Some(failing_since),
            resting_until: (!rest.is_zero()).then(|| now.plus(rest)),
            disabled: self.disabled.or(because),
            ..self
        }
    }
}
