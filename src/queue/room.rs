//! What the share of an owner has room for: asked before a call is read, and before a request is taken in.

use std::sync::Arc;

use super::Queue;
use super::quotas::{Quotas, Taken};
use crate::core::claims::Caller;
use crate::core::error::Error;
use crate::core::policy::{Permit, WriteRequests};
use crate::core::ports::requests::{NewRequest, Submission};

/// The room that a submission takes, where that is counted.
pub(super) struct Room(Option<Taken>);

impl Room {
    /// Says what became of the submission.
    pub(super) fn settle(self, submission: &Submission) {
        if let Some(taken) = self.0 {
            taken.settle(submission);
        }
    }
}

impl Queue {
    /// The same queue, in which every owner has a share.
    #[must_use]
    pub fn sharing(self, quotas: Arc<Quotas>) -> Self {
        Self { quotas: Some(quotas), ..self }
    }

    /// Lets one call of the API in, whatever it asks for.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`] when its owner has called too often.
    pub fn admit(&self, caller: &Caller) -> Result<(), Error> {
        self.quotas.as_ref().map_or(Ok(()), |quotas| quotas.admit(caller))
    }

    /// Room for a request that is to be stored. One that came before needs none, and is not refused for it.
    pub(super) async fn room(&self, permit: &Permit<WriteRequests>, new: &NewRequest) -> Result<Room, Error> {
        let Some(quotas) = &self.quotas else { return Ok(Room(None)) };
        match quotas.room(&*self.requests, permit.caller()).await? {
            Ok(taken) => Ok(Room(taken)),
            Err(_) if self.came_before(permit, new).await? => Ok(Room(None)),
            Err(exceeded) => Err(quotas.refuse(exceeded)),
        }
    }

    async fn came_before(&self, permit: &Permit<WriteRequests>, new: &NewRequest) -> Result<bool, Error> {
        let key = new.idempotency.as_ref().map(|sent| sent.key.as_str());
        if self.has_key(permit, key).await? {
            return Ok(true);
        }
        let Some(alias) = &new.request.alias else { return Ok(false) };
        Ok(self.requests.find_by_alias(&permit.caller().owner, alias).await?.is_some())
    }
}
