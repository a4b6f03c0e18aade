//! Following what happens to a request, event by event.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::watch::Waiter;
use super::{Queue, Snapshot};
use crate::core::clock::Timestamp;
use crate::core::error::Error;
use crate::core::request::{Event, Owner, RequestId, Version, history};

/// Somebody who follows a request, and how far.
#[derive(Debug)]
pub struct Following {
    waiter: Waiter<RequestId>,
    owner: Owner,
    id: RequestId,
    last: Option<Version>,
    /// What was known when the store was last looked at.
    known: Option<Known>,
}

/// How many changes there had been, and when time makes the next.
#[derive(Clone, Copy, Debug)]
struct Known {
    changes: u64,
    next_change_at: Option<Timestamp>,
}

/// What has happened to a request.
#[derive(Debug)]
pub struct News {
    /// The events, in order.
    pub events: Vec<Event>,
    /// The request as it stands.
    pub seen: Snapshot,
}

impl Queue {
    /// Begins to follow a request that the caller has seen: from its beginning, or from what came after the event of that version.
    pub fn follow(&self, seen: &Snapshot, after: Option<Version>) -> Following {
        let (owner, id) = (seen.request.owner.clone(), seen.request.id);
        Following { waiter: self.watch.request(id), owner, id, last: after, known: None }
    }

    /// What has happened by now. A version that is not that of an event is forgotten: all is told again.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub async fn catch_up(&self, following: &mut Following) -> Result<News, Error> {
        let (mut events, seen) = self.history(following).await?;
        following.last = following.last.filter(|last| events.iter().any(|event| event.version == *last));
        events.retain(|event| following.last.is_none_or(|last| event.version > last));
        following.last = events.last().map(|event| event.version).or(following.last);
        Ok(News { events, seen })
    }

    /// What happens next; none when nothing has after `most`. The store is looked at when something may have changed, and not because
    /// `most` is over.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub async fn next_news(&self, following: &mut Following, most: Duration) -> Result<Option<News>, Error> {
        let mut timeout = self.clock.sleep(most);
        loop {
            let change = pin!(following.waiter.changed());
            let changes = following.waiter.changes();
            let now = self.clock.now();
            let known = following.known.filter(|known| {
                known.changes == changes && known.next_change_at.is_none_or(|next_change_at| now < next_change_at)
            });
            let next_change_at = if let Some(known) = known {
                known.next_change_at
            } else {
                let (mut events, seen) = self.history(following).await?;
                events.retain(|event| following.last.is_none_or(|last| event.version > last));
                if !events.is_empty() || seen.view.status.is_terminal() {
                    following.last = events.last().map(|event| event.version).or(following.last);
                    return Ok(Some(News { events, seen }));
                }
                following.known = Some(Known { changes, next_change_at: seen.view.next_change_at });
                seen.view.next_change_at
            };
            let change = select(change, self.passing(next_change_at));
            if let Either::Right(_) = select(change, &mut timeout).await {
                return Ok(None);
            }
        }
    }

    /// The whole history of a request, with the request as it stood at its end.
    async fn history(&self, following: &Following) -> Result<(Vec<Event>, Snapshot), Error> {
        loop {
            let seen = self.look(&following.owner, following.id).await?;
            let stored = self.requests.events(following.id).await?;
            // Somebody acted between the two: they are of different states.
            if stored.last().is_none_or(|event| event.version.write <= seen.request.version.write) {
                return Ok((history(&seen.request, &stored, seen.now), seen));
            }
        }
    }
}
