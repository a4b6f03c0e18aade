//! What is kept too long goes.

use super::state::State;
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
        let gone = old.max(too_many).min(ends.len());
        for (_, id) in &ends[..gone.min(most)] {
            self.requests.remove(id);
            self.keys.retain(|_, (_, of)| of != id);
            purged.requests += 1;
        }
        purged.more = gone > most;
        for (at, id) in &ends[gone.min(most)..] {
            let Some(kept) = self.requests.get_mut(id).filter(|_| at.plus(retention.payload) <= now) else { break };
            if kept.payload.take().is_some() | kept.output.take().is_some() {
                let mut request = (*kept.request).clone();
                request.forget_result();
                kept.request = request.into();
                purged.payloads += 1;
            }
        }
        purged
    }
}
