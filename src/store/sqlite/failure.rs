//! The end of a store: declared once, with a sentence, and told to everyone who asks.

use std::future::pending;

use tokio::sync::watch;

use crate::core::BoxFuture;
use crate::core::error::StoreError;

/// Whether the store has failed, and why.
#[derive(Debug, Default)]
pub(super) struct Failure(watch::Sender<Option<String>>);

impl Failure {
    /// Declares that the store can not be used any more. The first sentence stays.
    pub(super) fn declare(&self, sentence: String) {
        tracing::error!("{sentence}");
        self.0.send_if_modified(|reason| {
            let first = reason.is_none();
            reason.get_or_insert(sentence);
            first
        });
    }

    /// What happened, when something has.
    pub(super) fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Completes with what happened, when something does.
    pub(super) fn declared(&self) -> BoxFuture<'static, String> {
        let mut reason = self.0.subscribe();
        Box::pin(async move {
            let declared = reason.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
            // A store that is gone without a failure never fails.
            match declared {
                Some(sentence) => sentence,
                None => pending().await,
            }
        })
    }

    /// What a write answers that the store did not carry out.
    pub(super) fn of_a_write(&self) -> StoreError {
        StoreError::Failed(self.sentence().into())
    }

    /// What a read answers.
    pub(super) fn of_a_read(&self) -> StoreError {
        StoreError::Unreadable(self.sentence().into())
    }

    fn sentence(&self) -> String {
        self.reason().unwrap_or_else(|| "the store is closed".into())
    }
}
