//! A delivery: one event told to one endpoint, tried again by a schedule until it is taken.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DeliveryId, EndpointId, maybe_millis, millis};
use crate::core::clock::Timestamp;
use crate::core::request::{RequestId, Version};

/// How long to wait before each attempt: about three days in all.
const SCHEDULE: [Duration; 10] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];
/// A receiver may ask for a longer wait, up to this.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// So many attempts are kept in the log of a delivery, the last ones.
const KEPT_ATTEMPTS: usize = 20;
/// The type of the event that is told to try an endpoint.
pub const TEST_EVENT: &str = "webhook.test";
/// A delivery that is on its way is taken for lost after this, and sent again.
pub const LEASE: Duration = Duration::from_mins(1);

/// An event on its way to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its name, the same in every attempt.
    pub id: DeliveryId,
    /// Who is told.
    pub endpoint: EndpointId,
    /// Of which request; none for a test.
    pub request: Option<RequestId>,
    /// Of which state of it.
    pub version: Version,
    /// The type of the event.
    pub event: String,
    /// What is sent.
    pub body: String,
    /// When it was made.
    #[serde(with = "millis")]
    pub created_at: Timestamp,
    /// How far it is.
    pub state: DeliveryState,
    /// When it is tried next; none at its end.
    #[serde(with = "maybe_millis")]
    pub due_at: Option<Timestamp>,
    /// When it reached its end.
    #[serde(with = "maybe_millis")]
    pub ended_at: Option<Timestamp>,
    /// How many attempts were made since it was last begun.
    pub tries: u32,
    /// The attempts, the last ones of them.
    pub attempts: Vec<Attempt>,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is tried, or will be.
    Pending,
    /// The receiver has taken it.
    Delivered,
    /// It was given up.
    Failed,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took: u64,
    /// The status that was answered.
    pub status: Option<u16>,
    /// Why there was none.
    pub error: Option<String>,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An answer.
    Answer {
        /// Its status.
        status: u16,
        /// How long the receiver wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// None, for this reason.
    Nothing(String),
}

impl Heard {
    /// Whether the receiver has taken the delivery.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Answer { status: 200..=299, .. })
    }

    /// Whether the receiver wants no deliveries any more.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Answer { status: 410, .. })
    }

    /// How long the receiver wants to be left alone, where its status says that it is that which it means.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answer { status: 429 | 502..=504, retry_after } => *retry_after,
            _ => None,
        }
    }
}

impl Delivery {
    /// A test of an endpoint.
    pub fn test(id: DeliveryId, endpoint: EndpointId, now: Timestamp) -> Self {
        let body = serde_json::json!({ "type": TEST_EVENT, "timestamp": now, "data": { "endpoint_id": endpoint } });
        Self::new(id, endpoint, TEST_EVENT.into(), body.to_string(), now)
    }

    pub(super) fn new(id: DeliveryId, endpoint: EndpointId, event: String, body: String, now: Timestamp) -> Self {
        Self {
            id,
            endpoint,
            request: None,
            version: Version::default(),
            event,
            body,
            created_at: now,
            state: DeliveryState::Pending,
            due_at: Some(now),
            ended_at: None,
            tries: 0,
            attempts: Vec::new(),
        }
    }

    /// Taken up by a sender.
    #[must_use]
    pub fn taken(self, now: Timestamp) -> Self {
        Self { due_at: Some(now.plus(LEASE)), ..self }
    }

    /// From the beginning, under the same name.
    #[must_use]
    pub fn replayed(self, now: Timestamp) -> Self {
        Self { state: DeliveryState::Pending, due_at: Some(now), ended_at: None, tries: 0, ..self }
    }

    /// After an attempt; `chance` makes the wait up to a tenth longer, so that not all come again at once.
    #[must_use]
    pub fn attempted(mut self, attempt: Attempt, heard: &Heard, chance: u16, now: Timestamp) -> Self {
        self.attempts.push(attempt);
        let surplus = self.attempts.len().saturating_sub(KEPT_ATTEMPTS);
        self.attempts.drain(..surplus);
        // It ended in another attempt meanwhile.
        if self.state != DeliveryState::Pending {
            return self;
        }
        self.tries = self.tries.saturating_add(1);
        let is_tried_again = !heard.is_taken() && !heard.is_gone() && self.event != TEST_EVENT;
        let wait = SCHEDULE.get(self.tries as usize).filter(|_| is_tried_again);
        let Some(wait) = wait else {
            let state = if heard.is_taken() { DeliveryState::Delivered } else { DeliveryState::Failed };
            return Self { state, due_at: None, ended_at: Some(now), ..self };
        };
        let wait = *wait + *wait / 10 * u32::from(chance) / (1 << 16);
        let wait = wait.max(heard.retry_after().unwrap_or_default().min(LONGEST_WAIT));
        Self { due_at: Some(now.plus(wait)), ..self }
    }
}
