//! What is known of the tokens that this gateway issues itself, shared by what issues them and what verifies them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

use super::clock::Timestamp;

/// The claim that names the [grant](crate::core::ports::records::RecordKind::Grant) that a token came of.
pub const GRANT_CLAIM: &str = "grant_id";

/// By what a token can be told not to be believed any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Revoked {
    /// This one, by its `jti`.
    Token(String),
    /// All that came of a grant, by its id.
    Grant(String),
    /// All that a client was given.
    Client(String),
    /// All that speak for a subject.
    Subject(String),
}

/// How far a revocation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Tokens issued by then are not believed.
    pub issued_by: Timestamp,
    /// By then all of them have expired, and it can be forgotten.
    pub until: Timestamp,
}

impl Extent {
    /// As far as either goes.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { issued_by: self.issued_by.max(other.issued_by), until: self.until.max(other.until) }
    }
}

/// What is not believed any more.
pub type Revocations = HashMap<Revoked, Extent>;

/// The public keys that our tokens may be signed with, as they are published.
#[derive(Debug)]
pub struct PublishedKeys {
    /// Another for other keys.
    pub generation: u64,
    /// A JWK Set, RFC 7517 section 5.
    pub jwks: String,
    /// Its entity tag, RFC 9110 section 8.8.3: the same for the same keys, whichever gateway publishes them.
    pub etag: String,
}

/// What is known of our own tokens.
#[derive(Debug, Default)]
pub struct OwnTokens {
    revocations: RwLock<Arc<Revocations>>,
    keys: RwLock<Option<Arc<PublishedKeys>>>,
}

impl OwnTokens {
    /// The keys that are published; none while there are none, and where our tokens are signed with a secret.
    pub fn keys(&self) -> Option<Arc<PublishedKeys>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Publishes these keys, with their entity tag, in place of those that there were.
    pub fn publish(&self, jwks: String, etag: String) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let generation = keys.as_ref().map_or(0, |keys| keys.generation + 1);
        *keys = Some(Arc::new(PublishedKeys { generation, jwks, etag }));
    }

    /// What is not believed any more, as far as this process knows.
    pub fn revocations(&self) -> Arc<Revocations> {
        Arc::clone(&self.revocations.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds to what is not believed any more; takes effect at once. What was known stays known, for as long as it is of use.
    pub fn revoke(&self, revoked: Revoked, extent: Extent) {
        let mut revocations = self.revocations.write().unwrap_or_else(PoisonError::into_inner);
        widen(Arc::make_mut(&mut revocations), revoked, extent);
    }

    /// Adds what others have revoked, and forgets what is of no use any more at `now`.
    pub fn learn(&self, revoked: Revocations, now: Timestamp) {
        let mut revocations = self.revocations.write().unwrap_or_else(PoisonError::into_inner);
        let known = Arc::make_mut(&mut revocations);
        for (revoked, extent) in revoked {
            widen(known, revoked, extent);
        }
        known.retain(|_, extent| now < extent.until);
    }

    /// Whether a token of ours with these claims is not believed any more.
    pub fn is_revoked(&self, subject: &str, issued_at: Option<Timestamp>, claims: &Map<String, Value>) -> bool {
        let revocations = self.revocations.read().unwrap_or_else(PoisonError::into_inner);
        if revocations.is_empty() {
            return false;
        }
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let names = [
            text("jti").map(Revoked::Token),
            text(GRANT_CLAIM).map(Revoked::Grant),
            text("client_id").map(Revoked::Client),
            Some(Revoked::Subject(subject.to_owned())),
        ];
        let covers = |extent: &Extent| issued_at.is_none_or(|issued_at| issued_at <= extent.issued_by);
        names.into_iter().flatten().filter_map(|name| revocations.get(&name)).any(covers)
    }
}

/// A revocation never takes back what an earlier one says.
fn widen(revocations: &mut Revocations, revoked: Revoked, extent: Extent) {
    let known = revocations.entry(revoked).or_insert(extent);
    *known = known.and(extent);
}
