//! What a device is answered that asks whether its person has decided; RFC 8628 section 3.5.

use std::time::Duration;

use super::{Decision, Device, INTERVAL, LIFETIME};
use crate::core::clock::Timestamp;
use crate::oauth::TokenError;

/// The answer to a question.
#[derive(Debug)]
pub(super) enum Poll {
    /// The person has said yes.
    Granted {
        /// What the tokens come of.
        grant_id: String,
    },
    /// There is no token, or not yet; and what is kept of the device from then on, where that changes.
    Refused(TokenError, Option<Device>),
}

impl Device {
    /// What it is answered at `now`.
    pub(super) fn asked(&self, now: Timestamp) -> Poll {
        if now >= self.expires_at {
            return Poll::Refused(TokenError::ExpiredToken, None);
        }
        match &self.decision {
            Decision::Granted { grant_id } => Poll::Granted { grant_id: grant_id.clone() },
            Decision::Denied => Poll::Refused(TokenError::AccessDenied, None),
            Decision::Pending => self.asked_while_pending(now),
        }
    }

    fn asked_while_pending(&self, now: Timestamp) -> Poll {
        let next = self.asked_at.map(|asked_at| asked_at.plus(Duration::from_secs(self.interval)));
        if next.is_none_or(|next| now >= next) {
            return Poll::Refused(TokenError::AuthorizationPending, Some(Self { asked_at: Some(now), ..self.clone() }));
        }
        // A device that never waits is not worth a write each time: by now it has to wait for longer than there is to wait for.
        let interval = self.interval.saturating_add(INTERVAL.as_secs());
        let slower = (interval <= LIFETIME.as_secs()).then(|| Self { asked_at: Some(now), interval, ..self.clone() });
        Poll::Refused(TokenError::SlowDown, slower)
    }
}
