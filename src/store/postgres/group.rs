//! Group commit: whoever submits while commits are under way shares the next one; a lone submission waits for nobody.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::fault::Fault;
use super::shared::Shared;
use super::submit::{Prepared, submit};
use crate::core::ports::requests::Submission;

/// The most callers who wait; more are turned away.
const WAITING: usize = 4096;
/// The most commits under way.
const COMMITS: usize = 3;
/// The most submissions in one commit, and the most bytes, but for one caller's own.
const REQUESTS: usize = 256;
const BYTES: usize = 4 << 20;

type Outcome = Result<Vec<Submission>, Fault>;

/// What one caller submits.
struct Job {
    new: Vec<Prepared>,
    reply: oneshot::Sender<Outcome>,
}

/// Where submissions go.
pub(super) struct Group(mpsc::Sender<Job>);

impl Group {
    /// Starts the task that commits. It ends when this is dropped.
    pub(super) fn start(shared: Arc<Shared>) -> Self {
        let (jobs, waiting) = mpsc::channel(WAITING);
        tokio::spawn(serve(shared, waiting));
        Self(jobs)
    }

    /// Stores what one caller submits, durably when this answers.
    pub(super) async fn submit(&self, new: Vec<Prepared>) -> Outcome {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Job { new, reply }).map_err(|_| Fault::Busy)?;
        answer.await.unwrap_or_else(|_| Err(Fault::Failed("the store is closed".into())))
    }
}

async fn serve(shared: Arc<Shared>, mut waiting: mpsc::Receiver<Job>) {
    let commits = Arc::new(Semaphore::new(COMMITS));
    while let Some(first) = waiting.recv().await {
        // Who comes while this waits is in the same commit.
        let Ok(permit) = Arc::clone(&commits).acquire_owned().await else { return };
        let batch = gather(first, &mut waiting);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            commit(&shared, batch).await;
            drop(permit);
        });
    }
}

fn gather(first: Job, waiting: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let size = |job: &Job| (job.new.len(), job.new.iter().map(Prepared::bytes).sum::<usize>());
    let (mut requests, mut bytes) = size(&first);
    let mut batch = vec![first];
    while requests < REQUESTS && bytes < BYTES {
        let Ok(job) = waiting.try_recv() else { break };
        let (more_requests, more_bytes) = size(&job);
        (requests, bytes) = (requests + more_requests, bytes + more_bytes);
        batch.push(job);
    }
    batch
}

/// Commits a batch and answers it. What one of several has done wrong is not the others' fault: then each has a commit of its own.
async fn commit(shared: &Shared, batch: Vec<Job>) {
    let (mut all, mut replies) = (Vec::new(), Vec::new());
    for Job { new, reply } in batch {
        replies.push((new.len(), reply));
        all.extend(new);
    }
    let done = submit(shared, &all).await;
    if done.is_ok() {
        shared.news.submitted(all.iter().map(Prepared::request));
    }
    match done {
        Ok(mut outcomes) => {
            for (length, reply) in replies {
                let rest = outcomes.split_off(length);
                _ = reply.send(std::mem::replace(&mut outcomes, rest).into_iter().collect());
            }
        }
        Err(Fault::Taken(_)) if replies.len() > 1 => {
            for (length, reply) in replies {
                let rest = all.split_off(length);
                let own = std::mem::replace(&mut all, rest);
                let outcome = submit(shared, &own).await;
                if outcome.is_ok() {
                    shared.news.submitted(own.iter().map(Prepared::request));
                }
                _ = reply.send(outcome.and_then(|outcomes| outcomes.into_iter().collect()));
            }
        }
        Err(fault) => {
            for (_, reply) in replies {
                _ = reply.send(Err(fault.clone()));
            }
        }
    }
}
