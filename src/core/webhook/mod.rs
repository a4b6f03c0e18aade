//! Webhooks: who is told of what, what they are told, and what becomes of each delivery; pure, so that every store does the same.

use serde::{Deserialize, Deserializer, Serializer};

use super::clock::Timestamp;

mod delivery;
mod endpoint;
mod id;
mod notice;
mod turns;

pub use delivery::{Attempt, Delivery, DeliveryState, Heard, LEASE, TEST_EVENT};
pub use endpoint::{Change, Disabled, Endpoint, SecretText, SigningKey};
pub use id::{DeliveryId, EndpointId};
pub use notice::{EVENT_PREFIX, following, of_act, of_passed, of_submission};
pub use turns::{DueTo, in_turn};

/// An instant in a stored row: milliseconds.
mod millis {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "this is the form that serde asks for")]
    pub(super) fn serialize<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(instant.millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

/// An instant in a stored row that may be missing.
mod maybe_millis {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    #[expect(clippy::ref_option, reason = "this is the form that serde asks for")]
    pub(super) fn serialize<S: Serializer>(instant: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match instant {
            Some(instant) => serializer.serialize_some(&instant.millis()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp::from_millis))
    }
}
