//! Tokens that were found genuine, so that the next request with the same one costs no signature check: for as long as the keys are
//! those that it was found genuine with. Facts only: times and audience are judged on every use, and what a policy asks for as well.

use std::sync::Arc;

use aws_lc_rs::digest;
use foldhash::fast::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use serde_json::{Map, Value};

use crate::core::claims::Caller;

/// How much memory they may take, in bytes, about.
const BYTES: u64 = 32 << 20;
/// What an entry takes besides what is weighed, about: the caller with its own texts, its place in the cache.
pub(super) const OVERHEAD: usize = 1024;
/// What the members of an object take, about: they stand in nodes of this many, each with room for all.
const MEMBERS_PER_NODE: usize = 11;
/// What a value takes besides what it points to, and the least that an allocation takes.
const VALUE: usize = size_of::<Value>();
const ALLOCATION: usize = 16;
/// What a text in a set takes besides itself, about: the nodes of a set are half empty at worst.
const TEXT: usize = 2 * size_of::<String>() + ALLOCATION;

/// SHA-256 of a token: the token itself is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(token: impl AsRef<[u8]>) -> Self {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, token.as_ref()).as_ref());
        Self(fingerprint)
    }
}

#[derive(Clone)]
struct Bytes;

/// Whom a token was found to speak for.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) caller: Arc<Caller>,
    /// Which verifier found that, as its place in the chain.
    pub(super) verifier: usize,
    /// The [generation](super::Verifier::generation) of that verifier's keys then.
    pub(super) generation: u64,
}

impl Weighter<Fingerprint, Entry> for Bytes {
    fn weight(&self, _: &Fingerprint, entry: &Entry) -> u64 {
        weight(&entry.caller)
    }
}

/// How much memory a cached caller takes, in bytes, about: its claims, and what of them it has once more.
pub(super) fn weight(caller: &Caller) -> u64 {
    let texts = caller.scopes.iter().chain(&caller.token_scopes).chain(&caller.permissions).chain(&caller.audience);
    let texts: usize = texts.map(|text| TEXT + text.len()).sum();
    (OVERHEAD + size_of_members(&caller.claims) + texts) as u64
}

fn size_of_members(members: &Map<String, Value>) -> usize {
    let room = members.len().div_ceil(MEMBERS_PER_NODE) * MEMBERS_PER_NODE * (size_of::<String>() + VALUE);
    room + members.iter().map(|(name, value)| ALLOCATION + name.len() + size_behind(value)).sum::<usize>()
}

/// What a value points to.
fn size_behind(value: &Value) -> usize {
    match value {
        Value::String(text) => ALLOCATION + text.len(),
        Value::Array(items) => ALLOCATION + items.iter().map(|item| VALUE + size_behind(item)).sum::<usize>(),
        Value::Object(members) => size_of_members(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// The callers whom tokens were found to speak for.
pub(super) struct Verified(Cache<Fingerprint, Entry, Bytes, RandomState>);

impl Verified {
    pub(super) fn new() -> Self {
        Self(Cache::with(256, BYTES, Bytes, RandomState::default(), DefaultLifecycle::default()))
    }

    pub(super) fn get(&self, token: Fingerprint) -> Option<Entry> {
        self.0.get(&token)
    }

    pub(super) fn keep(&self, token: Fingerprint, entry: Entry) {
        self.0.insert(token, entry);
    }

    pub(super) fn forget(&self, token: Fingerprint) {
        self.0.remove(&token);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use serde_json::{Map, Value, json};

    use super::{BYTES, Entry, Fingerprint, OVERHEAD, Verified, weight};
    use crate::core::claims::{Caller, OwnerClaim, Reading, UnverifiedClaims};
    use crate::core::clock::Timestamp;

    fn entry(claims: &Value) -> Entry {
        let mut all: Map<String, Value> =
            json!({ "iss": "https://idp.example/", "sub": "ada", "aud": "anteroom", "exp": 1 })
                .as_object()
                .unwrap()
                .clone();
        all.extend(claims.as_object().unwrap().clone());
        let reading = Reading { audience: &"aud".into(), email: &"email".into(), owner: OwnerClaim::Subject };
        let claims = UnverifiedClaims::from_object(all).unwrap();
        let caller: Arc<Caller> = Arc::new(claims.into_caller(BTreeSet::new(), reading));
        Entry { caller, verifier: 0, generation: 0 }
    }

    /// Keeps the same caller for so many tokens.
    fn filled(entry: &Entry, tokens: u32) -> Verified {
        let verified = Verified::new();
        (0..tokens).for_each(|token| verified.keep(Fingerprint::of(token.to_string()), entry.clone()));
        verified
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        for (claims, tokens) in [
            (json!({}), 100_000),
            (json!({ "text": "x".repeat(1 << 20) }), 100),
            (json!({ "texts": vec!["x"; 2_000] }), 2_000),
            (json!({ "objects": vec![json!({ "x": 1 }); 1_000] }), 500),
        ] {
            let entry = entry(&claims);
            let filled = filled(&entry, tokens).0;
            assert!(filled.weight() <= BYTES, "{} bytes", filled.weight());
            assert!(filled.weight() > BYTES / 2, "{} bytes", filled.weight());
            // At the very least what the texts of the claims take as they were sent.
            let least = OVERHEAD.max(serde_json::to_vec(&entry.caller.claims).unwrap().len());
            assert!(filled.len() * least <= usize::try_from(BYTES).unwrap(), "{} entries", filled.len());
        }
    }

    #[test]
    fn what_was_kept_last_is_found_until_it_is_forgotten() {
        let verified = filled(&entry(&json!({})), 10);
        let last = Fingerprint::of("9");
        assert_eq!(verified.get(last).unwrap().caller.subject, "ada");
        verified.forget(last);
        assert!(verified.get(last).is_none() && verified.get(Fingerprint::of("8")).is_some());
    }

    /// A claim of many short words takes much more as words than as a claim.
    #[test]
    fn the_words_of_a_caller_weigh_what_they_take() {
        let words: BTreeSet<String> = (1000..3000).map(|number| number.to_string()).collect();
        let scope = words.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let Value::Object(claims) = json!({ "active": true, "sub": "acme", "scope": scope }) else { panic!() };
        let genuine = UnverifiedClaims::from_introspection(claims, "https://idp.example/", Timestamp::from_millis(0));
        let reading = Reading { audience: &"aud".into(), email: &"email".into(), owner: OwnerClaim::default() };
        let caller = Caller { token_scopes: words, ..genuine.unwrap().into_caller(BTreeSet::new(), reading) };
        let bare = Caller { token_scopes: BTreeSet::new(), ..caller.clone() };
        // Each stands in the set as a text, and has an allocation of its own.
        let least = 2000 * (size_of::<String>() + 4) as u64;
        assert!(weight(&bare) > scope.len() as u64, "{}", weight(&bare));
        assert!(weight(&caller) - weight(&bare) > least, "{}", weight(&caller));
    }
}
