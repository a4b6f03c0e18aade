//! What is known of tokens because their issuer was asked: facts only, for a short time, and never past it.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::super::verified::{Fingerprint, OVERHEAD, weight};
use crate::core::claims::Caller;
use crate::core::clock::Timestamp;
use crate::core::verdict::Refusal;

/// How long a token is held to be inactive without asking again, at most.
const MAX_INACTIVE: Duration = Duration::from_secs(5);

/// What the issuer says of a token.
#[derive(Clone)]
pub(super) enum Fact {
    /// It speaks for this caller. Times and audience are judged on every use.
    Active(Arc<Caller>),
    /// It is not active, or not what is accepted here.
    Refused(Refusal),
}

impl Fact {
    /// How long it holds from `now` on.
    fn lifetime(&self, cache: Duration, now: Timestamp) -> Duration {
        match self {
            Self::Active(caller) => {
                let left = u64::try_from(caller.expires_at.millis_since(now)).unwrap_or(0);
                cache.min(Duration::from_millis(left))
            }
            Self::Refused(_) => cache.min(MAX_INACTIVE),
        }
    }
}

/// What is known of a token now.
pub(super) enum Known {
    /// This.
    Fact(Fact),
    /// That it was active when it was asked about last, which has to be asked again.
    WasActive,
    /// Nothing.
    Nothing,
}

/// How much memory the facts may take, in bytes, about.
const BYTES: u64 = 16 << 20;

#[derive(Clone)]
struct Bytes;

#[derive(Clone)]
struct Entry {
    fact: Fact,
    /// By the monotonic clock.
    holds_until: Duration,
}

impl Weighter<Fingerprint, Entry> for Bytes {
    fn weight(&self, _: &Fingerprint, entry: &Entry) -> u64 {
        match &entry.fact {
            Fact::Active(caller) => weight(caller),
            Fact::Refused(_) => OVERHEAD as u64,
        }
    }
}

/// The facts about the tokens of one verifier, by the hash of the token.
pub(super) struct Facts {
    kept: Cache<Fingerprint, Entry, Bytes>,
    lifetime: Duration,
}

/// When something was asked: by the wall clock and by the monotonic one.
#[derive(Clone, Copy)]
pub(super) struct AskedAt {
    pub(super) at: Timestamp,
    pub(super) instant: Duration,
}

impl Facts {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { kept: Cache::with_weighter(256, BYTES, Bytes), lifetime }
    }

    /// How long an answer is believed.
    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// What is known of a token at this instant.
    pub(super) fn get(&self, token: Fingerprint, now: Duration) -> Known {
        match self.kept.get(&token) {
            Some(entry) if now < entry.holds_until => Known::Fact(entry.fact),
            Some(Entry { fact: Fact::Active(_), .. }) => Known::WasActive,
            _ => Known::Nothing,
        }
    }

    /// Keeps a fact from the time at which its issuer was asked.
    pub(super) fn keep(&self, token: Fingerprint, fact: &Fact, asked: AskedAt) {
        let lifetime = fact.lifetime(self.lifetime, asked.at);
        if matches!(fact, Fact::Refused(_)) && lifetime.is_zero() {
            self.kept.remove(&token);
            return;
        }
        self.kept.insert(token, Entry { fact: fact.clone(), holds_until: asked.instant + lifetime });
    }
}
