//! The names of endpoints and deliveries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

use crate::core::clock::Timestamp;
use crate::core::entropy::Entropy;
use crate::core::request::{RequestId, Version};

/// Declares a name that is a prefix and a ULID.
macro_rules! id {
    ($(#[$meta:meta])* $name:ident $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// A new one, made at `now`.
            pub fn draw(now: Timestamp, entropy: &dyn Entropy) -> Self {
                let random = u128::from_be_bytes(entropy.draw());
                Self(Ulid::from_parts(u64::try_from(now.millis()).unwrap_or(0), random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; ulid::ULID_LEN];
                write!(f, "{}{}", $prefix, self.0.array_to_str(&mut text))
            }
        }

        impl FromStr for $name {
            type Err = ();

            /// Reads the one form that `Display` writes.
            fn from_str(text: &str) -> Result<Self, ()> {
                let id = Ulid::from_string(text.strip_prefix($prefix).ok_or(())?).map(Self).map_err(|_| ())?;
                if id.to_string() == text { Ok(id) } else { Err(()) }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(|()| serde::de::Error::custom("no id"))
            }
        }
    };
}

id! {
    /// The name of an endpoint: `whe_` and a ULID.
    EndpointId "whe_"
}
id! {
    /// The name of a delivery, which its receiver reads as `webhook-id`: `msg_` and a ULID.
    DeliveryId "msg_"
}

impl DeliveryId {
    /// The name of the one delivery that tells `endpoint` of that state of a request: the same whenever it is asked for, so that no
    /// change is told twice under two names.
    pub(super) fn of(endpoint: EndpointId, request: RequestId, version: Version, at: Timestamp) -> Self {
        let state = u128::from(version.write) << 32 | u128::from(version.step);
        // An odd factor: different states of one request stay different.
        let state = state.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let random = endpoint.0.random() ^ request.random().rotate_left(17) ^ state;
        Self(Ulid::from_parts(u64::try_from(at.millis()).unwrap_or(0), random))
    }
}
