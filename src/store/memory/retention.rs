//! What is kept too long goes.

use super::state::{Kept, State};
use crate::core::clock::Timestamp;
use crate::core::ports::requests::{Purged, Retention};
use crate::core::request::{Request, RequestId};

impl State {
    pub(super) fn purge(&mut self, retention: Retention, most: usize, now: Timestamp) -> Purged {
        let mut purged = Purged::default();
        let ended = |request: &Request| request.ends_at().filter(|at| *at <= now);
        let mut ends: Vec<(Timestamp, RequestId)> =
            self.requests.values().filter_map(|kept| Some((ended(&kept.request)?, kept.request.id))).collect();
        ends.sort_unstable();
        let count = self.requests.len();
        let too_many =
            retention.most_requests.map_or(0, |most| count.saturating_sub(usize::try_from(most).unwrap_or(usize::MAX)));
        let old = ends.iter().take_while(|(at, _)| at.plus(retention.request) <= now).count();
        let gone = old.max(too_many).max(self.too_heavy(&ends, retention.most_bytes)).min(ends.len());
        for (_, id) in &ends[..gone.min(most)] {
            self.remove(*id);
            purged.requests += 1;
        }
        purged.more = gone > most;
        for (at, id) in &ends[gone.min(most)..] {
            let Some(kept) = self.requests.get_mut(id).filter(|_| at.plus(retention.payload) <= now) else { break };
            if kept.payload.is_none() && kept.output.is_none() {
                continue;
            }
            (kept.payload, kept.output) = (None, None);
            let mut request = (*kept.request).clone();
            request.forget_result();
            kept.request = request.into();
            purged.payloads += 1;
        }
        purged
    }

    /// How many of those that have ended longest ago are to go, so that the rest is no more than so many bytes.
    fn too_heavy(&self, ends: &[(Timestamp, RequestId)], most_bytes: Option<u64>) -> usize {
        let Some(most_bytes) = most_bytes else { return 0 };
        let mut kept: u64 = self.requests.values().map(bytes).sum();
        let mut gone = 0;
        while let Some((_, id)) = ends.get(gone).filter(|_| kept > most_bytes) {
            kept -= self.requests.get(id).map_or(0, bytes);
            gone += 1;
        }
        gone
    }
}

/// The bytes of its payload and its result.
fn bytes(kept: &Kept) -> u64 {
    let payload = kept.payload.as_ref().map_or(0, String::len);
    let output = kept.output.as_ref().map_or(0, |output| output.body.len());
    u64::try_from(payload + output).unwrap_or(u64::MAX)
}
