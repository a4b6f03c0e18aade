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
    /// How long it is, written out.
    pub const LENGTH: usize = Self::PREFIX.len() + ulid::ULID_LEN;

    /// A new id for a request submitted at `now`.
    pub fn draw(now: Timestamp, entropy: &dyn Entropy) -> Self {
        let random = u128::from_be_bytes(entropy.draw());
        Self(Ulid::from_parts(u64::try_from(now.millis()).unwrap_or(0), random))
    }

    /// Writes it out, in place.
    pub fn as_text(self, text: &mut [u8; Self::LENGTH]) -> &str {
        let (prefix, ulid) = text.split_at_mut(Self::PREFIX.len());
        prefix.copy_from_slice(Self::PREFIX.as_bytes());
        let mut written = [0; ulid::ULID_LEN];
        ulid.copy_from_slice(self.0.array_to_str(&mut written).as_bytes());
        str::from_utf8(text).unwrap_or_default()
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
        f.write_str(self.as_text(&mut [0; Self::LENGTH]))
    }
}

impl FromStr for RequestId {
    type Err = ();

    /// Reads the one form that `Display` writes; any other spelling names no request.
    fn from_str(text: &str) -> Result<Self, ()> {
        let ulid = text.strip_prefix(Self::PREFIX).ok_or(())?;
        // The library reads small letters too, and lets what is too large overflow.
        let is_canonical =
            ulid.starts_with(|first| first <= '7') && !ulid.bytes().any(|byte| byte.is_ascii_lowercase());
        if is_canonical { Ulid::from_string(ulid).map(Self).map_err(|_| ()) } else { Err(()) }
    }
}
