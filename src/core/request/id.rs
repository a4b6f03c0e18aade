//! The name of a request.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

use crate::core::clock::Timestamp;
use crate::core::entropy::Entropy;

/// The name of a queued request: `req_` and a ULID, whose 80 random bits make it unguessable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Ulid);

impl RequestId {
    const PREFIX: &'static str = "req_";

    /// A new id for a request submitted at `now`.
    pub fn draw(now: Timestamp, entropy: &dyn Entropy) -> Self {
        let random = u128::from_be_bytes(entropy.draw());
        Self(Ulid::from_parts(u64::try_from(now.millis()).unwrap_or(0), random))
    }

    /// Its random bits, of which names are made that go with it.
    pub fn random(self) -> u128 {
        self.0.random()
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|()| serde::de::Error::custom("no id"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; ulid::ULID_LEN];
        write!(f, "{}{}", Self::PREFIX, self.0.array_to_str(&mut text))
    }
}

impl FromStr for RequestId {
    type Err = ();

    /// Reads the one form that `Display` writes; any other spelling names no request.
    fn from_str(text: &str) -> Result<Self, ()> {
        let id = Ulid::from_string(text.strip_prefix(Self::PREFIX).ok_or(())?).map(Self).map_err(|_| ())?;
        if id.to_string() == text { Ok(id) } else { Err(()) }
    }
}
