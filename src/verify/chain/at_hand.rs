//! What is known of tokens from before: a verdict that is at hand costs no signature check, and no look into the token.

use std::sync::Arc;

use super::super::Terms;
use super::super::token::{MAX_TOKEN_BYTES, UnverifiedToken};
use super::super::verified::{Entry, Fingerprint};
use super::{Chain, Link, Trust};
use crate::core::clock::Timestamp;
use crate::core::verdict::{Reason, Refusal, Verdict};
use crate::telemetry::metrics::{VerifiedCacheMetrics, VerifierMetrics};

/// Which verifier found that a signature does not match, and with which generation of its keys.
#[derive(Clone, Copy)]
pub(super) struct Forged {
    verifier: usize,
    generation: u64,
}

/// So many forged tokens are remembered.
pub(super) const FORGED: usize = 1024;

/// A verdict that was at hand: nothing was checked anew, and nothing is counted yet.
pub struct AtHand<'c> {
    /// The verdict.
    pub verdict: Verdict,
    counted: &'c VerifierMetrics,
    cache: Option<&'c VerifiedCacheMetrics>,
}

impl AtHand<'_> {
    /// Counts the verdict.
    pub fn count(&self) {
        if let Some(cache) = self.cache {
            cache.hit();
        }
        self.counted.decided(&self.verdict);
    }
}

impl Chain {
    /// The verdict on what was sent as a token, if it takes no look into the token: it was sent before, or is none.
    pub fn at_hand(&self, unverified_bearer: &[u8], trust: &Trust, now: Timestamp) -> Option<AtHand<'_>> {
        let terms = Terms { audience: trust.audience.as_ref(), now };
        let is_bearable = unverified_bearer.len() <= MAX_TOKEN_BYTES;
        let fingerprint = is_bearable.then(|| Fingerprint::of(unverified_bearer));
        if let Some((place, verdict)) = fingerprint.and_then(|token| self.recall(token, trust, terms)) {
            let link = &self.links[place];
            let verdict = named(verdict, Some(link));
            return Some(AtHand { verdict, counted: &link.metrics, cache: Some(&link.cache) });
        }
        if let Some(link) = fingerprint.and_then(|token| self.found_forged(token, trust)) {
            let verdict = named(Verdict::Rejected(Reason::SignatureInvalid.into()), Some(link));
            return Some(AtHand { verdict, counted: &link.metrics, cache: None });
        }
        let refusal = match UnverifiedToken::from_bearer(unverified_bearer) {
            Ok(token) if token.is_in_segments() => return None,
            Ok(token) => self.pick(token, trust).err()?,
            Err(refusal) => refusal,
        };
        Some(AtHand { verdict: Verdict::Rejected(refusal), counted: &self.unassigned, cache: None })
    }

    /// Remembers what the keys of a generation have shown of a token.
    pub(super) fn remember(&self, token: Fingerprint, verdict: &Verdict, (verifier, generation): (usize, u64)) {
        match verdict {
            Verdict::Accepted(caller) => {
                self.verified.keep(token, Entry { caller: Arc::clone(caller), verifier, generation });
            }
            Verdict::Rejected(Refusal { reason: Reason::SignatureInvalid, .. }) => {
                self.forged.insert(token, Forged { verifier, generation });
            }
            _ => {}
        }
    }

    /// Who found that the signature of a token does not match, for as long as its keys are the same.
    fn found_forged(&self, token: Fingerprint, trust: &Trust) -> Option<&Link> {
        let Forged { verifier, generation } =
            self.forged.get(&token).filter(|found| trust.verifiers[found.verifier])?;
        let link = &self.links[verifier];
        (link.verifier.generation() == Some(generation)).then_some(link)
    }

    /// Judges anew a token that was accepted before, for as long as the keys are the same.
    fn recall(&self, fingerprint: Fingerprint, trust: &Trust, terms: Terms<'_>) -> Option<(usize, Verdict)> {
        let entry = self.verified.get(fingerprint).filter(|entry| trust.verifiers[entry.verifier])?;
        let verifier = &self.links[entry.verifier].verifier;
        let is_current = verifier.generation()? == entry.generation;
        let verdict = is_current.then(|| verifier.recall(&entry.caller, terms));
        let is_over = |refusal: &Refusal| refusal.reason == Reason::TokenExpired;
        if verdict.as_ref().is_none_or(|verdict| matches!(verdict, Verdict::Rejected(refusal) if is_over(refusal))) {
            self.verified.forget(fingerprint);
        }
        Some((entry.verifier, verdict?))
    }
}

/// A verdict with the name of the verifier whose it is.
pub(super) fn named(verdict: Verdict, link: Option<&Link>) -> Verdict {
    match (verdict, link) {
        (Verdict::Rejected(refusal), Some(link)) => {
            Verdict::Rejected(Refusal { verifier: Some(Arc::clone(&link.name)), ..refusal })
        }
        (verdict, _) => verdict,
    }
}
