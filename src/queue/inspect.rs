//! What operators see: anybody's requests, with all that has happened to them.

use super::{Queue, Snapshot};
use crate::core::error::Error;
use crate::core::policy::{Operate, Permit};
use crate::core::ports::requests::{Filter, Position};
use crate::core::request::{Event, Owner, RequestId, history};

impl Queue {
    /// Anybody's requests, or those of one owner, newest first, as they were when the filter was judged.
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
    ) -> Result<Vec<Snapshot>, Error> {
        let now = self.clock.now();
        let requests = self.requests.list(owner, filter, after, limit, now).await?;
        Ok(requests.into_iter().map(|request| Snapshot::of(request, now)).collect())
    }

    /// The request of that id, a tombstone too, with all that had happened to it by the time that is answered.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none; the store.
    pub async fn inspect(&self, _: &Permit<Operate>, id: RequestId) -> Result<(Snapshot, Vec<Event>), Error> {
        loop {
            // The time is taken before the row is read: what is shown never has an end that an act then undoes.
            let now = self.clock.now();
            let request = self.requests.find_any(id).await?.ok_or(Error::NotFound)?;
            let request = if request.erased_at.is_some() { request } else { self.present(request).await? };
            let stored = self.requests.events(id).await?;
            // Events of a change that came between belong to a newer row than was read.
            if stored.last().is_none_or(|last| last.version.write <= request.version.write) {
                let events = history(&request, &stored, now);
                return Ok((Snapshot::of(request, now), events));
            }
        }
    }
}
