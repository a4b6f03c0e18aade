//! What a gateway does at start while an issuer's keys are not there yet.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whether readiness waits for an issuer's keys. The listener opens at once in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Startup {
    /// It does not: until they come, this issuer's tokens are answered 503, and all others work.
    #[default]
    Degraded,
    /// It does for [`PATIENCE`].
    Wait,
    /// There is no readiness without them, at any time.
    Require,
}

const PATIENCE: Duration = Duration::from_secs(15);

impl Startup {
    pub(super) fn is_ready(self, has_keys: bool, since_start: Duration) -> bool {
        match self {
            Self::Degraded => true,
            Self::Wait => has_keys || since_start >= PATIENCE,
            Self::Require => has_keys,
        }
    }
}
