//! What verifiers conclude, counted by verifier and result.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::{Labels, counters};
use crate::core::verdict::Reason;

/// Counts the verdicts of one verifier.
#[derive(Clone, Debug)]
pub struct VerifierMetrics(Arc<[Counter]>);

const ACCEPTED: usize = 0;
const UNAVAILABLE: usize = 1;
const FIRST_REASON: usize = 2;

impl VerifierMetrics {
    pub(super) fn of(family: &Family<Labels<2>, Counter>, name: &str) -> Self {
        let reasons = Reason::ALL.iter().map(|reason| reason.code());
        let results = ["accepted", "unavailable"].into_iter().chain(reasons);
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
}
