//! A JWK Set as it is published, read within bounds.

use std::fmt;

use jsonwebtoken::jwk::Jwk;
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// How many members of a set are looked at, and how long one may be: a key comes with a chain of certificates at most.
const MAX_MEMBERS: usize = 256;
const MAX_MEMBER_BYTES: usize = 32 * 1024;
/// The members of a JWK that are nobody's business (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A JWK Set (RFC 7517 section 5). Its keys are read one by one from their texts, so that one that can not be read spoils nothing, and
/// what is no key takes no memory.
#[derive(serde::Deserialize)]
pub(in crate::verify) struct JwkSet {
    keys: Members,
}

impl JwkSet {
    /// The keys that can be read.
    pub(super) fn jwks(&self) -> impl Iterator<Item = Jwk> {
        self.keys.0.iter().filter_map(|text| serde_json::from_str(text.get()).ok())
    }

    /// Whether a private or a secret key is among its members.
    pub(super) fn holds_secrets(&self) -> bool {
        self.keys.0.iter().any(|text| {
            let members: Map<String, Value> = serde_json::from_str(text.get()).unwrap_or_default();
            PRIVATE.iter().any(|member| members.contains_key(*member))
        })
    }
}

/// The texts of the members that are looked at.
struct Members(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of keys")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Members, A::Error> {
        let mut texts = Vec::new();
        for _ in 0..MAX_MEMBERS {
            match members.next_element::<Box<RawValue>>()? {
                Some(text) if text.get().len() <= MAX_MEMBER_BYTES => texts.push(text),
                Some(_) => {}
                None => return Ok(Members(texts)),
            }
        }
        while members.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Members(texts))
    }
}
