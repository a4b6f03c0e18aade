//! Taking many requests in at once, each with an outcome of its own.

use std::sync::Arc;

use super::room::Room;
use super::submit::submitted;
use super::{Draft, Queue, Submitted, to_its_end};
use crate::core::error::{Error, Fault};
use crate::core::policy::{Permit, WriteRequests};
use crate::core::ports::requests::{NewRequest, Submission};
use crate::core::request::By;

/// So many bytes of payloads are judged before others on the same thread have their turn: a batch can take as long as thousands of calls.
const BYTES_AT_A_TIME: usize = 16 << 10;

impl Queue {
    /// Takes requests in, in one commit. Those that break a rule are left out; what became of each stands at its place. A draft that
    /// could not even be read comes as the error that it has. Each is judged before the next is read: as values they take many times
    /// the bytes that they came in.
    ///
    /// # Errors
    /// The store's: then none is taken in.
    pub async fn submit_batch(
        &self,
        permit: &Permit<WriteRequests>,
        drafts: impl Iterator<Item = Result<Draft, Error>>,
        by: &By,
    ) -> Result<Vec<Result<Submitted, Error>>, Error> {
        let (mut new, mut rooms, mut judged) = (Vec::new(), Vec::new(), Vec::new());
        let mut since_pause = 0;
        for draft in drafts {
            since_pause += draft.as_ref().map_or(0, |draft| draft.payload.bytes());
            if since_pause >= BYTES_AT_A_TIME {
                since_pause = 0;
                tokio::task::yield_now().await;
            }
            let request = match draft {
                Ok(draft) => self.judge_with_room(permit, draft, by).await,
                Err(error) => Err(error),
            };
            judged.push(match request {
                Ok((request, room)) => {
                    new.push(request);
                    rooms.push(room);
                    Ok(())
                }
                Err(Error::Store(error)) => return Err(error.into()),
                Err(error) => Err(error),
            });
        }
        let (requests, watch) = (Arc::clone(&self.requests), self.watch.clone());
        let stored = to_its_end(async move {
            let stored = if new.is_empty() { Vec::new() } else { requests.submit_all(new).await? };
            for (submission, room) in stored.iter().zip(rooms) {
                room.settle(submission);
                if let Submission::Accepted(request) = submission {
                    watch.changed(request);
                }
            }
            Ok(stored)
        });
        let mut stored = stored.await?.into_iter();
        // A store that answers too few has failed; that is not to pass for an acceptance.
        let mut next = || stored.next().map_or(Err(Error::NotFound), submitted);
        Ok(judged.into_iter().enumerate().map(|(index, judged)| place(judged.and_then(|()| next()), index)).collect())
    }

    async fn judge_with_room(
        &self,
        permit: &Permit<WriteRequests>,
        draft: Draft,
        by: &By,
    ) -> Result<(NewRequest, Room), Error> {
        let new = self.judge(permit, draft, by.clone()).await?;
        let room = self.room(permit, &new).await?;
        Ok((new, room))
    }
}

/// An outcome, with the faults pointed at in the body of the whole batch.
fn place(outcome: Result<Submitted, Error>, index: usize) -> Result<Submitted, Error> {
    let moved = |faults: Vec<Fault>| {
        let moved = |fault: Fault| Fault { pointer: format!("/requests/{index}{}", fault.pointer), ..fault };
        faults.into_iter().map(moved).collect()
    };
    outcome.map_err(|error| match error {
        Error::Malformed { detail, faults } => Error::Malformed { detail, faults: moved(faults) },
        Error::Invalid { detail, faults } => Error::Invalid { detail, faults: moved(faults) },
        other => other,
    })
}
