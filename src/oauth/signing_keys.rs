//! The signing keys of ES256: made on first start, kept in the store, published before their first use, and retired when the last token
//! that they signed has expired.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::AuthorizationServer;
use super::clients::hash;
use super::keeper::PERIOD;
use super::shelf::{Kept, insert};
use super::signer::{Signer, SigningKey};
use crate::core::clock::Timestamp;
use crate::core::entropy::Entropy;
use crate::core::error::{Error, StoreError};
use crate::core::hex;
use crate::core::own_tokens::PublishedKeys;
use crate::core::ports::records::RecordKind;

/// How long anybody may keep the published keys; what `Cache-Control` says of them.
pub const MAX_AGE: Duration = Duration::from_mins(5);
/// So many keys are there at most: a rotation has to wait until an old one is retired.
const MOST: usize = 8;
/// The one record that all of them are in, so that gateways that start together do not make two first keys.
const RECORD: &str = "ES256";
/// So often is the record read again that another gateway has changed meanwhile.
const ATTEMPTS: usize = 8;
/// So many clients are looked at at once.
const PAGE: usize = 200;

/// What is published where tokens are signed with a secret.
static NO_KEYS: LazyLock<Arc<PublishedKeys>> = LazyLock::new(|| {
    let jwks = json!({ "keys": [] }).to_string();
    Arc::new(PublishedKeys { generation: 0, etag: etag(&jwks), jwks })
});

fn etag(jwks: &str) -> String {
    format!("\"{}\"", hex(&hash(jwks)[..16]))
}

/// A key as it is kept.
#[derive(Clone, Serialize, Deserialize)]
struct KeptKey {
    /// The private key: 32 bytes in base64url. The store is as secret as the data directory.
    secret: String,
    created_at: Timestamp,
    signs_from: Timestamp,
    retires_at: Option<Timestamp>,
}

/// All of them, in the order in which they were made.
#[derive(Clone, Serialize, Deserialize)]
struct KeyRing {
    keys: Vec<KeptKey>,
}

impl Kept for KeyRing {
    const KIND: RecordKind = RecordKind::SigningKey;

    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
}

/// What operators are told of a key.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// Its `kid`.
    pub kid: String,
    /// When it was made; it is published since then.
    pub created_at: Timestamp,
    /// When it signs at the earliest.
    pub signs_from: Timestamp,
    /// When it is no longer published, nor believed.
    pub retires_at: Option<Timestamp>,
}

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
pub enum NotRotated {
    /// Tokens are signed with HS256.
    #[error("issuer.algorithm is \"HS256\", whose secrets the gateway does not change by itself")]
    Secrets,
    /// The last new key does not sign yet.
    #[error("a new key is published already, and signs from {0} on")]
    Waiting(Timestamp),
    /// There are too many keys that tokens may still be signed with.
    #[error("there are {MOST} keys already, whose tokens have not all expired")]
    TooMany,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl KeyRing {
    /// With one key more, which signs from then on.
    fn with_new(mut self, entropy: &dyn Entropy, now: Timestamp, signs_from: Timestamp) -> Self {
        // All but a few of the numbers of that length are keys.
        let secret = loop {
            let secret: [u8; 32] = entropy.draw();
            if SigningKey::of(&secret, signs_from).is_some() {
                break secret;
            }
        };
        let secret = URL_SAFE_NO_PAD.encode(secret);
        self.keys.push(KeptKey { secret, created_at: now, signs_from, retires_at: None });
        self
    }

    /// With a new key in place of the present one: everybody must be able to know it before it signs, and the present one is believed
    /// until its last token has expired.
    fn rotated(&self, entropy: &dyn Entropy, now: Timestamp, longest_life: Duration) -> Result<Self, NotRotated> {
        if let Some(waiting) = self.keys.iter().find(|key| key.signs_from > now) {
            return Err(NotRotated::Waiting(waiting.signs_from));
        }
        if self.keys.len() >= MOST {
            return Err(NotRotated::TooMany);
        }
        // Another gateway publishes it a period later at the latest.
        let signs_from = now.plus(MAX_AGE).plus(PERIOD).plus(PERIOD);
        let mut next = self.clone();
        for key in next.keys.iter_mut().filter(|key| key.retires_at.is_none()) {
            key.retires_at = Some(signs_from.plus(longest_life));
        }
        Ok(next.with_new(entropy, now, signs_from))
    }

    /// Without the keys that are retired.
    fn pruned(&self, now: Timestamp) -> Self {
        let is_of_use = |key: &&KeptKey| key.retires_at.is_none_or(|retires_at| now < retires_at);
        Self { keys: self.keys.iter().filter(is_of_use).cloned().collect() }
    }

    fn ready(&self) -> Result<Vec<(SigningKey, &KeptKey)>, StoreError> {
        let ready = |key: &KeptKey| SigningKey::of(&URL_SAFE_NO_PAD.decode(&key.secret).ok()?, key.signs_from);
        let damaged = || StoreError::Damaged("of a signing_key of the authorization server".into());
        self.keys.iter().map(|key| Ok((ready(key).ok_or_else(damaged)?, key))).collect()
    }

    fn facts(&self) -> Result<Vec<KeyFacts>, StoreError> {
        let facts = |(ready, kept): (SigningKey, &KeptKey)| KeyFacts {
            kid: ready.kid,
            created_at: kept.created_at,
            signs_from: kept.signs_from,
            retires_at: kept.retires_at,
        };
        Ok(self.ready()?.into_iter().map(facts).collect())
    }
}

impl AuthorizationServer {
    /// The keys as they are published, a JWK Set (RFC 7517 section 5); with HS256 there is none in it.
    pub fn published_keys(&self) -> Arc<PublishedKeys> {
        self.own_tokens.keys().unwrap_or_else(|| Arc::clone(&NO_KEYS))
    }

    /// What there is to tell of the signing keys.
    ///
    /// # Errors
    /// The store's.
    pub async fn signing_keys(&self) -> Result<Vec<KeyFacts>, StoreError> {
        match self.shelf.find::<KeyRing>(RECORD).await? {
            Some(found) => found.value.facts(),
            None => Ok(Vec::new()),
        }
    }

    /// Makes a new key, which is published at once and signs once everybody can know it. Answers all keys.
    ///
    /// # Errors
    /// Why not.
    pub async fn rotate_keys(&self) -> Result<Vec<KeyFacts>, NotRotated> {
        if matches!(self.minter.issuer.signer(), Signer::Secret(_)) {
            return Err(NotRotated::Secrets);
        }
        for _ in 0..ATTEMPTS {
            self.learn_keys().await?;
            let Some(found) = self.shelf.find::<KeyRing>(RECORD).await? else { continue };
            let next = found.value.rotated(&*self.entropy, self.clock.now(), self.longest_life().await?)?;
            if self.shelf.commit(vec![found.replace(&next)?]).await? {
                self.adopt(&next)?;
                return Ok(next.facts()?);
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Learns which keys there are, makes the first, and removes those that are retired.
    pub(super) async fn learn_keys(&self) -> Result<(), StoreError> {
        if matches!(self.minter.issuer.signer(), Signer::Secret(_)) {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let (ring, change) = match self.shelf.find::<KeyRing>(RECORD).await? {
                None => {
                    let first = KeyRing { keys: Vec::new() }.with_new(&*self.entropy, now, now);
                    let change = insert(RECORD, &first)?;
                    (first, Some(change))
                }
                Some(found) => {
                    let pruned = found.value.pruned(now);
                    let is_same = pruned.keys.len() == found.value.keys.len();
                    let change = if is_same { None } else { Some(found.replace(&pruned)?) };
                    (pruned, change)
                }
            };
            let kept = match change {
                Some(change) => self.shelf.commit(vec![change]).await?,
                None => true,
            };
            if kept {
                return self.adopt(&ring);
            }
        }
        Err(StoreError::Busy)
    }

    /// Publishes and believes these keys, and then signs with them.
    fn adopt(&self, ring: &KeyRing) -> Result<(), StoreError> {
        let signer = self.minter.issuer.signer();
        let keys: Vec<_> = ring.ready()?.into_iter().map(|(key, _)| key).collect();
        let known: Arc<Vec<_>> = signer.known();
        if known.iter().map(|key| &key.kid).eq(keys.iter().map(|key| &key.kid)) {
            return Ok(());
        }
        let jwks: Vec<_> = keys.iter().filter_map(SigningKey::jwk).collect();
        let jwks = json!({ "keys": jwks }).to_string();
        let etag = etag(&jwks);
        self.own_tokens.publish(jwks, etag);
        signer.tell(keys);
        Ok(())
    }

    /// How long a token can live that is signed now, whichever client it is for, or by whichever way it came.
    async fn longest_life(&self) -> Result<Duration, StoreError> {
        let of_people = self.accounts.token_lifetime();
        let (mut longest, mut after) = (self.minter.issuer.lifetime().max(of_people), None);
        loop {
            let page = self.list_clients(after.as_deref(), PAGE).await.map_err(|error| match error {
                Error::Store(error) => error,
                other => StoreError::Failed(other.into()),
            })?;
            longest = page.iter().filter_map(|shown| shown.client.lifetime).fold(longest, Duration::max);
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.client.id.clone()),
                _ => return Ok(longest),
            }
        }
    }
}
