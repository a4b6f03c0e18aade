//! Waiting for a request to become what somebody wants to see: woken by the change, or by the time at which it changes by itself.

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::{Queue, Snapshot};
use crate::core::BoxFuture;
use crate::core::clock::Timestamp;
use crate::core::error::Error;
use crate::core::request::View;

impl Queue {
    /// The request that the caller has seen, as soon as it `is_awaited`; as it stands then when that has not come about after `most`,
    /// or once `stop` completes.
    ///
    /// # Errors
    /// As [`Queue::get`].
    pub async fn wait(
        &self,
        seen: &Snapshot,
        most: Duration,
        stop: impl Future<Output = ()>,
        is_awaited: impl Fn(&View) -> bool,
    ) -> Result<Snapshot, Error> {
        let waiter = self.watch.request(seen.request.id);
        let stop = pin!(stop);
        let mut over = select(self.clock.sleep(most), stop);
        loop {
            // The change is waited for before the request is looked at, so that none falls between the two.
            let change = pin!(waiter.changed());
            let seen = self.look(&seen.request.owner, seen.request.id).await?;
            if is_awaited(&seen.view) {
                return Ok(seen);
            }
            let change = select(change, self.passing(seen.view.next_change_at));
            // Patience is asked first: what changes all the time must not outlast it.
            if let Either::Left(_) = select(&mut over, change).await {
                return self.look(&seen.request.owner, seen.request.id).await;
            }
        }
    }

    /// Completes when time makes the next change, if it does.
    pub(super) fn passing(&self, next_change_at: Option<Timestamp>) -> BoxFuture<'static, ()> {
        next_change_at.map_or_else(|| Box::pin(pending()) as _, |at| self.clock.sleep_until(at))
    }
}
