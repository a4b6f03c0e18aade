//! Dead letters: requests that have failed for good, seen by those who run the workers, and tried again one by one.

use super::{Queue, Snapshot};
use crate::core::error::Error;
use crate::core::policy::{Permit, WorkRequests};
use crate::core::ports::requests::{Filter, Order, Outcome, Position, Target};
use crate::core::request::{Act, By, RequestId, Status, view};

impl Queue {
    /// The filter for dead letters of one of these types; of any, when there is none.
    pub fn dead_letters_of(kinds: Vec<String>) -> Filter {
        Filter { statuses: vec![Status::Failed], kinds, leased_types_only: true, ..Filter::default() }
    }

    /// Requests that workers have failed at, newest first, whoever's they are.
    ///
    /// # Errors
    /// The store.
    pub async fn dead_letters(
        &self,
        _permit: &Permit<WorkRequests>,
        filter: &Filter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Snapshot>, Error> {
        let now = self.clock.now();
        let requests = self.requests.list(None, filter, after, limit, now).await?;
        Ok(requests.into_iter().map(|request| Snapshot::of(request, now)).collect())
    }

    /// Lets a dead letter be tried again, with all its attempts.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such request, or no worker works on it; [`Error::Gone`] when its payload is no longer kept;
    /// the store.
    pub async fn redrive(&self, _permit: &Permit<WorkRequests>, id: RequestId, by: By) -> Result<Outcome, Error> {
        let request = self.requests.find_any(id).await?.filter(|request| request.erased_at.is_none());
        let request = request.filter(|request| request.work().is_some()).ok_or(Error::NotFound)?;
        let has_failed = view(&request, self.clock.now()).status == Status::Failed;
        if has_failed && self.requests.payload(id).await?.is_none() {
            return Err(Error::Gone(
                "The request's payload is no longer kept, so a worker would have nothing to work on. Its owner can submit it again.",
            ));
        }
        self.act(Order { target: Target { owner: None, id }, act: Act::Redrive, by }).await
    }
}
