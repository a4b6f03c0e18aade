//! The person's side of the device grant: which device a user code is of, and whether it may; RFC 8628 section 3.3.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::user_code::UserCode;
use super::{Decision, Device, Named, TRIES};
use crate::core::error::StoreError;
use crate::oauth::AuthorizationServer;
use crate::oauth::clients::Client;
use crate::oauth::shelf::Found;

/// A device, as the person who is asked is told of it.
#[derive(Debug)]
pub struct Asking {
    /// The code that it shows.
    pub user_code: UserCode,
    /// What asks.
    pub client: Arc<Client>,
    /// What it asks for, separated by spaces.
    pub scope: String,
}

/// Why a user code leads to no device.
#[derive(Debug, thiserror::Error)]
pub enum UserCodeError {
    /// No device shows this code, or not any more. Which of the two is not told.
    #[error("no device waits with this code: it is mistyped, was used, or is older than ten minutes")]
    Unknown,
    /// Too many codes were tried.
    #[error("too many codes were tried that no device waits with")]
    Throttled {
        /// When the next one is looked at.
        retry_after: Duration,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AuthorizationServer {
    /// The device that waits with what a person typed. Codes that no device waits with are counted: they are short enough to be
    /// guessed by whoever may try as many as they want.
    ///
    /// # Errors
    /// There is none, there were too many such, and the store's.
    pub async fn asking_device(&self, typed: &str, address: Option<IpAddr>) -> Result<Asking, UserCodeError> {
        let code: UserCode = typed.parse().map_err(|()| UserCodeError::Unknown)?;
        let (_, device) = self.waiting(&code, address).await?;
        self.asking(device.value).await
    }

    /// Says yes or no to the device that waits with that code, for the person `subject`. It can be said once.
    ///
    /// # Errors
    /// As [`Self::asking_device`].
    pub async fn decide_device(
        &self,
        typed: &str,
        address: Option<IpAddr>,
        subject: &str,
        granted: bool,
    ) -> Result<Asking, UserCodeError> {
        let code: UserCode = typed.parse().map_err(|()| UserCodeError::Unknown)?;
        for _ in 0..TRIES {
            let (named, device) = self.waiting(&code, address).await?;
            let decision = if granted { Decision::Granted { subject: subject.to_owned() } } else { Decision::Denied };
            let asking = self.asking(device.value.clone()).await?;
            let decided = device.replace(&Device { decision, ..device.value.clone() })?;
            // Else the device asked at that very moment, or somebody else has decided.
            if self.shelf.commit(vec![named.remove(), decided]).await? {
                return Ok(asking);
            }
        }
        Err(UserCodeError::Unknown)
    }

    async fn waiting(
        &self,
        code: &UserCode,
        address: Option<IpAddr>,
    ) -> Result<(Found<Named>, Found<Device>), UserCodeError> {
        let counted = self.device_limits.guesses.take(address, self.clock.monotonic());
        counted.map_err(|retry_after| UserCodeError::Throttled { retry_after })?;
        let now = self.clock.now();
        let named = self.shelf.find::<Named>(code.key()).await?.filter(|named| now < named.value.expires_at);
        let Some(named) = named else { return Err(UserCodeError::Unknown) };
        let Some(device) = self.shelf.find::<Device>(&named.value.device).await? else {
            return Err(UserCodeError::Unknown);
        };
        self.device_limits.guesses.give_back(address);
        Ok((named, device))
    }

    async fn asking(&self, device: Device) -> Result<Asking, UserCodeError> {
        let Device { client_id, scope, user_code, .. } = device;
        // A client that was removed since asks for nothing any more.
        let client = self.clients.find(&client_id).await?.ok_or(UserCodeError::Unknown)?;
        Ok(Asking { user_code, client, scope })
    }
}
