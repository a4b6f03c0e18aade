//! How the work stands, for metrics: asked of the store once in a second at most, however often it is read.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::Queue;
use crate::core::error::StoreError;
use crate::core::ports::requests::Backlog;

/// How long an answer is good enough.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// The last answer, and when by the monotonic clock it came.
#[derive(Debug, Default)]
pub(super) struct Backlogs(Mutex<Option<(Duration, Arc<[Backlog]>)>>);

impl Queue {
    /// How the types stand that workers work on. Up to a second old.
    ///
    /// # Errors
    /// The store's.
    pub async fn backlogs(&self) -> Result<Arc<[Backlog]>, StoreError> {
        // Who comes meanwhile waits for the one answer.
        let mut remembered = self.backlogs.0.lock().await;
        let now = self.clock.monotonic();
        if let Some((at, backlogs)) = &*remembered
            && now.saturating_sub(*at) < FRESH_FOR
        {
            return Ok(Arc::clone(backlogs));
        }
        let backlogs: Arc<[Backlog]> = self.requests.backlogs().await?.into();
        *remembered = Some((now, Arc::clone(&backlogs)));
        Ok(backlogs)
    }
}
