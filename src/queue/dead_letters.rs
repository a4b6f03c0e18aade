//! Dead letters: requests that have failed for good, seen by those who run the workers, and tried again one by one.

use std::sync::Arc;

use super::Queue;
use crate::core::clock::Timestamp;
use crate::core::error::Error;
use crate::core::policy::{Permit, WorkRequests};
use crate::core::ports::requests::{Filter, Order, Outcome, Position, Target};
use crate::core::request::{Act, By, Request, RequestId, Status};

impl Queue {
    /// The filter for dead letters of one of these types; of any, when there is none.
    pub fn dead_letters_of(kinds: Vec<String>) -> Filter {
        Filter { statuses: vec![Status::Failed], kinds, leased_types_only: true, ..Filter::default() }
    }

    /// Requests that workers have failed at, newest first, whoever's they are, with the time at which that was judged.
    ///
    /// # Errors
    /// The store.
    pub async fn dead_letters(
        &self,
        _permit: &Permit<WorkRequests>,
        filter: &Filter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<(Vec<Arc<Request>>, Timestamp), Error> {
        let now = self.clock.now();
        Ok((self.requests.list(None, filter, after, limit, now).await?, now))
    }

    /// Lets a dead letter be tried again, with all its attempts.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such request, or no worker works on it; the store.
    pub async fn redrive(&self, _permit: &Permit<WorkRequests>, id: RequestId, by: By) -> Result<Outcome, Error> {
        let request = self.requests.find_any(id).await?.filter(|request| request.erased_at.is_none());
        if request.is_none_or(|request| request.work().is_none()) {
            return Err(Error::NotFound);
        }
        self.act(Order { target: Target { owner: None, id }, act: Act::Redrive, by }).await
    }
}
