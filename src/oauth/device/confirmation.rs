//! The person's side of the device grant: which device a user code is of, and whether it may; RFC 8628 section 3.3.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::user_code::UserCode;
use super::{Decision, Device, Named, TRIES};
use crate::core::error::StoreError;
use crate::oauth::AuthorizationServer;
use crate::oauth::accounts::Person;
use crate::oauth::clients::Client;
use crate::oauth::grants::Grant;
use crate::oauth::network::Network;
use crate::oauth::shelf::{Found, insert};

/// A device, as the person who is asked is told of it.
#[derive(Debug)]
pub struct Asking {
    /// The code that it shows.
    pub user_code: UserCode,
    /// What asks.
    pub client: Arc<Client>,
    /// Which of the scopes that it asks for the person may let it have, and what each allows.
    pub offered: Vec<(String, String)>,
}

/// Why a user code leads to no device.
#[derive(Debug, thiserror::Error)]
pub enum UserCodeError {
    /// No device shows this code, or not any more. Which of the two is not told.
    #[error("No device waits with this code: it is mistyped, was used, or is older than ten minutes.")]
    Unknown,
    /// The device asks for what this person may not do.
    #[error("The device asks for nothing that you may let it have.")]
    NothingToAllow,
    /// Too many codes were tried.
    #[error("There were too many codes that no device waits with. Please wait before you try again.")]
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
    pub async fn asking_device(
        &self,
        typed: &str,
        address: Option<IpAddr>,
        person: &Person,
    ) -> Result<Asking, UserCodeError> {
        let code: UserCode = typed.parse().map_err(|()| UserCodeError::Unknown)?;
        let (_, device) = self.waiting(&code, address).await?;
        self.asking(&device.value, person).await
    }

    /// Says yes or no to the device that waits with that code. It can be said once.
    ///
    /// # Errors
    /// As [`Self::asking_device`].
    pub async fn decide_device(
        &self,
        typed: &str,
        address: Option<IpAddr>,
        person: &Person,
        is_allowed: bool,
    ) -> Result<Asking, UserCodeError> {
        let code: UserCode = typed.parse().map_err(|()| UserCodeError::Unknown)?;
        for _ in 0..TRIES {
            let (named, device) = self.waiting(&code, address).await?;
            let asking = self.asking(&device.value, person).await?;
            let (decision, granted) = if is_allowed {
                let grant_id = self.new_grant_id();
                let grant = insert(&grant_id, &self.device_grant(&device.value, &asking, person))?;
                (Decision::Granted { grant_id }, Some(grant))
            } else {
                (Decision::Denied, None)
            };
            let decided = device.replace(&Device { decision, ..device.value.clone() })?;
            let changes = [named.remove(), decided].into_iter().chain(granted).collect();
            // Else the device asked at that very moment, or somebody else has decided.
            if self.shelf.commit(changes).await? {
                return Ok(asking);
            }
        }
        Err(UserCodeError::Unknown)
    }

    fn device_grant(&self, device: &Device, asking: &Asking, person: &Person) -> Grant {
        let scopes: Vec<_> = asking.offered.iter().map(|(scope, _)| scope.as_str()).collect();
        Grant {
            client_id: device.client_id.clone(),
            subject: person.id.clone(),
            name: person.name.clone(),
            scope: scopes.join(" "),
            granted_at: self.clock.now(),
            expires_at: device.expires_at,
        }
    }

    async fn waiting(
        &self,
        code: &UserCode,
        address: Option<IpAddr>,
    ) -> Result<(Found<Named>, Found<Device>), UserCodeError> {
        let network = Network::of(address);
        let counted = self.device_limits.guesses.take(&network, self.clock.monotonic());
        counted.map_err(|retry_after| UserCodeError::Throttled { retry_after })?;
        let now = self.clock.now();
        let named = self.shelf.find::<Named>(code.key()).await?.filter(|named| now < named.value.expires_at);
        let Some(named) = named else { return Err(UserCodeError::Unknown) };
        let Some(device) = self.shelf.find::<Device>(&named.value.device).await? else {
            return Err(UserCodeError::Unknown);
        };
        self.device_limits.guesses.give_back(&network);
        Ok((named, device))
    }

    async fn asking(&self, device: &Device, person: &Person) -> Result<Asking, UserCodeError> {
        // A client that was removed since asks for nothing any more.
        let client = self.clients.find(&device.client_id).await?.ok_or(UserCodeError::Unknown)?;
        let is_asked = |scope: &String| device.scope.split(' ').any(|asked| asked == scope);
        let allows = |scope: &str| self.minter.scopes.get(scope).map(|scope| scope.allows.clone()).unwrap_or_default();
        let granted = self.grantable(&client, person).into_iter().filter(is_asked);
        let offered: Vec<_> =
            granted.map(|scope| (allows(&scope), scope)).map(|(allows, scope)| (scope, allows)).collect();
        if offered.is_empty() {
            return Err(UserCodeError::NothingToAllow);
        }
        Ok(Asking { user_code: device.user_code.clone(), client, offered })
    }
}
