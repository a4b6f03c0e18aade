//! What verifiers conclude, counted by verifier and result, and how often the conclusion was known.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::{Labels, counters};
use crate::core::verdict::{Reason, Verdict};

/// Counts the verdicts of one verifier.
#[derive(Clone, Debug)]
pub struct VerifierMetrics(Arc<[Counter]>);

const ACCEPTED: usize = 0;
const UNAVAILABLE: usize = 1;
const REPEATED: usize = 2;
const FIRST_REASON: usize = 3;

impl VerifierMetrics {
    pub(super) fn of(family: &Family<Labels<2>, Counter>, name: &str) -> Self {
        let reasons = Reason::ALL.iter().map(|reason| reason.code());
        let results = ["accepted", "unavailable", "token_repeated"].into_iter().chain(reasons);
        Self(counters(family, ("verifier", name), "result", results))
    }

    /// A token was accepted.
    pub fn accepted(&self) {
        self.0[ACCEPTED].inc();
    }

    /// A token was refused.
    pub fn rejected(&self, reason: Reason) {
        self.0[FIRST_REASON + reason as usize].inc();
    }

    /// It could not be told.
    pub fn unavailable(&self) {
        self.0[UNAVAILABLE].inc();
    }

    /// A verifier has decided.
    pub fn decided(&self, verdict: &Verdict) {
        match verdict {
            Verdict::Accepted(_) => self.accepted(),
            Verdict::Rejected(refusal) => self.rejected(refusal.reason),
            Verdict::Unavailable { .. } => self.unavailable(),
        }
    }

    /// There was more than one token, so that none was looked at.
    pub fn repeated(&self) {
        self.0[REPEATED].inc();
    }
}

const HIT: usize = 0;
const MISS: usize = 1;

/// Counts how often one verifier's tokens had been found genuine before.
#[derive(Clone, Debug)]
pub struct VerifiedCacheMetrics(Arc<[Counter]>);

impl VerifiedCacheMetrics {
    pub(super) fn of(family: &Family<Labels<2>, Counter>, name: &str) -> Self {
        Self(counters(family, ("verifier", name), "outcome", ["hit", "miss"].into_iter()))
    }

    /// The token had been found genuine before, with the keys that there are now.
    pub fn hit(&self) {
        self.0[HIT].inc();
    }

    /// The token had to be checked.
    pub fn miss(&self) {
        self.0[MISS].inc();
    }
}
