//! How long requests of a type take lately, from when they may start to when they are done: what a client is told to wait.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::core::clock::Timestamp;
use crate::core::entropy::Entropy;
use crate::core::request::{Request, Status, view};

/// The least and the most that a client is told to wait.
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_mins(1);
/// How much the newest duration counts, as one part of so many.
const WEIGHT: i64 = 5;

/// The moving averages, in milliseconds, by type.
#[derive(Debug, Default)]
pub(super) struct Durations(Mutex<HashMap<String, i64>>);

impl Durations {
    /// Notes one that workers are done with. What was cancelled or came too late tells nothing.
    pub(super) fn note(&self, request: &Request) {
        let Some(work) = request.work() else { return };
        let view = view(request, work.since);
        let Some(finished_at) = view.finished_at else { return };
        if !matches!(view.status, Status::Succeeded | Status::Failed) {
            return;
        }
        let took = finished_at.millis_since(request.begins_at()).max(0);
        let mut averages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match averages.get_mut(&request.kind) {
            Some(average) => *average += (took - *average) / WEIGHT,
            None => _ = averages.insert(request.kind.clone(), took),
        }
    }

    /// How much longer a request is likely to take: 1 to 60 seconds, and by chance a fifth more or less, so that those who wait do not
    /// come all at once. One that takes longer than usual is looked at again after an eighth of what it has taken. None when no request
    /// of its type is known to have been done.
    pub(super) fn left(&self, request: &Request, now: Timestamp, entropy: &dyn Entropy) -> Option<Duration> {
        let average = *self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&request.kind)?;
        let elapsed = now.millis_since(request.begins_at()).max(0);
        let millis = u64::try_from((average - elapsed).max(elapsed / 8)).unwrap_or(0);
        let left = Duration::from_millis(millis).clamp(LEAST, MOST);
        let chance = u32::from(u16::from_be_bytes(entropy.draw()));
        // Four to six fifths.
        let varied = left * 4 / 5 + left * 2 / 5 * chance / (1 << 16);
        Some(varied.clamp(LEAST, MOST))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Durations, MOST};
    use crate::core::clock::Timestamp;
    use crate::core::entropy::Entropy;
    use crate::core::request::{Owner, Process, Request, RequestId, Status, Tags, Version, Work, WorkState};

    /// Randomness that is always the same.
    struct Same(u8);

    impl Entropy for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// One that was submitted at 0 and may start a second later.
    fn request(state: WorkState, since: i64) -> Request {
        let work = Work { state, since: at(since), ..Work::new(at(0), at(1_000), 3) };
        Request {
            id: RequestId::draw(at(0), &Same(0)),
            owner: Owner { issuer: "i".into(), subject: "s".into() },
            kind: "k".into(),
            submitted_at: at(0),
            trace_id: None,
            not_before: Some(at(1_000)),
            deadline: None,
            alias: None,
            tags: Tags::new(),
            process: Process::Lease(Box::new(work)),
            version: Version::default(),
            erased_at: None,
        }
    }

    #[test]
    fn what_is_left_follows_from_what_others_took() {
        let durations = Durations::default();
        let waiting = request(WorkState::Waiting { until: at(1_000) }, 0);
        let left = |now, chance| durations.left(&waiting, at(now), &Same(chance)).map(|left| left.as_millis());
        assert_eq!(left(1_000, 0), None);
        durations.note(&waiting);
        durations.note(&request(WorkState::Ended(Status::Cancelled), 500));
        assert_eq!(left(1_000, 0), None, "neither was done");
        durations.note(&request(WorkState::Ended(Status::Succeeded), 11_000));
        assert_eq!((left(1_000, 0), left(1_000, 255)), (Some(8_000), Some(11_999)));
        assert_eq!(left(6_000, 0), Some(4_000), "half of the time is over");
        assert_eq!((left(10_900, 0), left(10_900, 128)), (Some(1_000), Some(1_237)), "it is due");
        assert_eq!(left(41_000, 0), Some(4_000), "it takes longer than usual");
        durations.note(&request(WorkState::Ended(Status::Failed), 61_000));
        assert_eq!(left(1_000, 0), Some(16_000), "the newest counts a fifth");
        for _ in 0..40 {
            durations.note(&request(WorkState::Ended(Status::Succeeded), 10_000_000));
        }
        assert_eq!(durations.left(&waiting, at(1_000), &Same(255)), Some(MOST));
        assert_eq!(left(1_000, 0), Some(Duration::from_secs(48).as_millis()));
    }
}
