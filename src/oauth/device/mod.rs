//! The device authorization grant, RFC 8628: a device that has no browser shows a code, and a person confirms it elsewhere.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::clients::{Client, generate_secret};
use super::grant_type::GrantType;
use super::grants::Grant;
use super::network::Network;
use super::shelf::{Found, Kept, hashed, insert};
use super::token::{Credentials, TokenRequest, narrow};
use super::{AuthorizationServer, Issued, TokenError};
use crate::core::clock::Timestamp;
use crate::core::ports::records::RecordKind;

pub mod confirmation;
mod limit;
mod polling;
pub mod user_code;

pub(super) use limit::DeviceLimits;
use polling::Poll;
use user_code::UserCode;

/// How long a person has time.
pub const LIFETIME: Duration = Duration::from_mins(10);
/// How long a device is to wait between two questions, RFC 8628 section 3.2; and by how much longer each time it does not.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// How long it is kept after its end, so that a late device learns that it came too late.
const LINGER: Duration = Duration::from_mins(5);
/// How many times a change is tried again that another one has overtaken.
const TRIES: usize = 5;

/// A device that waits for a person; kept by the hash of its device code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Device {
    client_id: String,
    /// What it asks for, separated by spaces.
    scope: String,
    user_code: UserCode,
    expires_at: Timestamp,
    /// How many seconds it has to wait between two questions.
    interval: u64,
    /// When it asked last.
    asked_at: Option<Timestamp>,
    decision: Decision,
}

/// What a person has said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    /// Nothing yet.
    Pending,
    /// No.
    Denied,
    /// Yes.
    Granted {
        /// The grant that its tokens come of.
        grant_id: String,
    },
}

impl Kept for Device {
    const KIND: RecordKind = RecordKind::Device;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at.plus(LINGER))
    }
}

/// Which device a user code stands for; kept by the user code.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Named {
    /// The hash of its device code.
    device: String,
    expires_at: Timestamp,
}

impl Kept for Named {
    const KIND: RecordKind = RecordKind::UserCode;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// What a device asks with to be confirmed, RFC 8628 section 3.1.
#[derive(Debug, Default)]
pub struct DeviceRequest {
    /// Which client it is of.
    pub credentials: Credentials,
    /// The scopes it asks for, separated by spaces.
    pub scope: Option<String>,
    /// Where it calls from.
    pub address: Option<IpAddr>,
}

/// What a device is told, RFC 8628 section 3.2.
#[derive(Debug)]
pub struct Waiting {
    /// What it asks the token endpoint with.
    pub device_code: SecretString,
    /// What it shows to the person.
    pub user_code: UserCode,
}

impl AuthorizationServer {
    /// Lets a device wait for a person.
    ///
    /// # Errors
    /// The client is not known or may not use the grant; a scope that it does not have; too many devices wait; the store's.
    pub async fn begin_device(&self, request: &DeviceRequest) -> Result<Waiting, TokenError> {
        let client = self.authenticate(&request.credentials, request.address).await?;
        if !client.grants.contains(&GrantType::DeviceCode) {
            return Err(TokenError::UnauthorizedClient);
        }
        let scope = narrow(&client.scopes, request.scope.as_deref())?;
        let network = Network::of(request.address);
        let counted = self.device_limits.begin(&client, &network, self.clock.monotonic());
        counted.map_err(|retry_after| TokenError::TooManyDevices { retry_after })?;
        let expires_at = self.clock.now().plus(LIFETIME);
        for _ in 0..TRIES {
            let device_code = generate_secret(&*self.entropy);
            let (key, user_code) = (hashed(device_code.expose_secret()), UserCode::draw(&*self.entropy));
            let device = Device {
                client_id: client.id.clone(),
                scope: scope.clone(),
                user_code: user_code.clone(),
                expires_at,
                interval: INTERVAL.as_secs(),
                asked_at: None,
                decision: Decision::Pending,
            };
            let named = Named { device: key.clone(), expires_at };
            let changes = vec![insert(&key, &device)?, insert(user_code.key(), &named)?];
            // Else somebody's user code is the same: another is drawn.
            if self.shelf.commit(changes).await? {
                return Ok(Waiting { device_code, user_code });
            }
        }
        Err(TokenError::TooManyDevices { retry_after: INTERVAL })
    }

    /// A token for a device whose person has confirmed it; RFC 8628 section 3.4. It is given once.
    pub(super) async fn by_device_code(&self, request: &TokenRequest) -> Result<Issued, TokenError> {
        let client = self.client_for(GrantType::DeviceCode, request).await?;
        let key = hashed(request.parameter("device_code")?);
        for _ in 0..TRIES {
            let unknown = TokenError::InvalidGrant("the device code is not known, or it was used before");
            let Some(found) = self.shelf.find::<Device>(&key).await? else { return Err(unknown) };
            if found.value.client_id != client.id {
                return Err(unknown);
            }
            // Where a change is not made it asked twice at once, or the person decided just now: it is looked at again.
            match found.value.asked(self.clock.now()) {
                Poll::Granted { grant_id } => {
                    if let Some(issued) = self.redeem_device(&client, &found, &grant_id).await? {
                        return Ok(issued);
                    }
                }
                Poll::Refused(error, None) => return Err(error),
                Poll::Refused(error, Some(device)) => {
                    if self.shelf.commit(vec![found.replace(&device)?]).await? {
                        return Err(error);
                    }
                }
            }
        }
        Err(TokenError::SlowDown)
    }

    /// The token for what a person has granted; none when the device was changed meanwhile.
    async fn redeem_device(
        &self,
        client: &Client,
        device: &Found<Device>,
        grant_id: &str,
    ) -> Result<Option<Issued>, TokenError> {
        let Some((grant, _)) = self.grant(grant_id).await? else { return Err(TokenError::AccessDenied) };
        let (refresh_token, mut changes) = self.first_refresh_token(client, &grant)?;
        changes.push(device.remove());
        if !self.shelf.commit(changes).await? {
            return Ok(None);
        }
        let Grant { subject, scope, .. } = grant.value;
        self.issue_for(client, &subject, scope, grant_id, refresh_token).map(Some)
    }
}
