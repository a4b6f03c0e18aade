//! What the authorization server does by itself: learns what other gateways on the store have changed, and forgets what has expired.

use std::convert::Infallible;
use std::time::Duration;

use super::AuthorizationServer;
use crate::core::error::StoreError;

/// How late this gateway may learn what another one on the store has revoked or rotated.
pub const PERIOD: Duration = Duration::from_secs(5);
/// After so many periods expired records are removed, …
const FORGET_EVERY: u64 = 12;
/// … so many in one commit, so that nobody waits long for it, until none is left.
const FORGOTTEN_AT_ONCE: usize = 5000;

impl AuthorizationServer {
    /// Learns what the store has, before the first call is answered.
    ///
    /// # Errors
    /// The store's.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        self.learn_revocations().await?;
        self.learn_keys().await
    }

    /// Keeps the house for as long as it is polled.
    pub async fn keep(&self) -> Infallible {
        let mut fails = false;
        for period in 1_u64.. {
            self.clock.sleep(PERIOD).await;
            let failed = self.keep_once(period.is_multiple_of(FORGET_EVERY)).await.err();
            match (&failed, fails) {
                (Some(error), false) => tracing::warn!(
                    "what the store has of keys and revocations can not be read: {error}; it is tried again every {} s",
                    PERIOD.as_secs()
                ),
                (None, true) => tracing::info!("what the store has of keys and revocations is read again"),
                _ => {}
            }
            fails = failed.is_some();
        }
        std::future::pending().await
    }

    async fn keep_once(&self, forget: bool) -> Result<(), StoreError> {
        self.prepare().await?;
        let now = self.clock.now();
        while forget && self.shelf.forget(now, FORGOTTEN_AT_ONCE).await? == FORGOTTEN_AT_ONCE {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
