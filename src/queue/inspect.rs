//! What operators see: anybody's requests, with all that has happened to them.

use std::sync::Arc;

use super::Queue;
use crate::core::clock::Timestamp;
use crate::core::error::Error;
use crate::core::policy::{Operate, Permit};
use crate::core::ports::requests::{Filter, Position};
use crate::core::request::{Event, Owner, Request, RequestId, history};

impl Queue {
    /// Anybody's requests, or those of one owner, newest first, with the time at which the filter was judged.
    ///
    /// # Errors
    /// The store.
    pub async fn list_all(
        &self,
        _: &Permit<Operate>,
        owner: Option<&Owner>,
        filter: &Filter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<(Vec<Arc<Request>>, Timestamp), Error> {
        let now = self.clock.now();
        Ok((self.requests.list(owner, filter, after, limit, now).await?, now))
    }

    /// The request of that id, a tombstone too, with all that had happened to it by the time that is answered.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none; the store.
    pub async fn inspect(
        &self,
        _: &Permit<Operate>,
        id: RequestId,
    ) -> Result<(Arc<Request>, Vec<Event>, Timestamp), Error> {
        loop {
            // The time is taken before the row is read: what is shown never has an end that an act then undoes.
            let now = self.clock.now();
            let request = self.requests.find_any(id).await?.ok_or(Error::NotFound)?;
            let request = if request.erased_at.is_some() { request } else { self.present(request).await? };
            let stored = self.requests.events(id).await?;
            // Events of a change that came between belong to a newer row than was read.
            if stored.last().is_none_or(|last| last.version.write <= request.version.write) {
                let events = history(&request, &stored, now);
                return Ok((request, events, now));
            }
        }
    }
}
