//! Asks an issuer for its keys: where they are, whether they changed, and whether what came can be used.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;

use super::super::FetchErrorClass;
use super::super::discovery::{DiscoveryError, discover};
use super::super::keys::{JwkSet, KeySet};
use crate::net::{Answer, HttpClient, NetError, Validators};

/// How long keys are fresh when their sender does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(10);
/// What a sender may say: `no-cache` must not cause a fetch per token, and a year must not keep a withdrawn key alive.
const MIN_LIFETIME: Duration = Duration::from_mins(1);
const MAX_LIFETIME: Duration = Duration::from_hours(24);
/// How long the address of the keys holds that discovery gave.
const DISCOVERY_LIFETIME: Duration = Duration::from_hours(1);
/// After how many failures at that address in a row it is asked for again.
const MAX_FAILURES: u32 = 5;

/// Where an issuer publishes its keys.
#[derive(Clone, Debug)]
pub(in super::super) enum KeySource {
    /// At this address.
    Address(String),
    /// At the address that its discovery document names.
    Discovery,
}

/// The keys of one issuer, as they are asked for.
pub(super) struct Fetcher {
    pub(super) issuer: String,
    pub(super) source: KeySource,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) allow_http: bool,
    pub(super) http: HttpClient,
    pub(super) memory: Memory,
}

/// What earlier fetches taught. Instants are readings of the monotonic clock.
#[derive(Default)]
pub(super) struct Memory {
    /// The address that discovery gave last, and until when it holds.
    discovered: Option<(String, Duration)>,
    /// How often the keys could not be had from there since.
    failures: u32,
    /// The keys that came last.
    known: Option<Known>,
}

struct Known {
    keys: Arc<KeySet>,
    validators: Validators,
    lifetime: Duration,
}

/// What a fetch brought: keys, and for how long they hold.
pub(super) struct Download {
    pub(super) keys: Arc<KeySet>,
    pub(super) lifetime: Duration,
    /// Whether the provider said that they are still those that it gave before.
    pub(super) is_confirmed: bool,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error("{address} holds no key that can be used for {algorithms:?}")]
    NoKeys { address: String, algorithms: Vec<Algorithm> },
}

impl Fetcher {
    /// Fetches the keys.
    pub(super) async fn fetch(&mut self, now: Duration) -> Result<Download, FetchError> {
        let is_remembered = self.memory.discovered.as_ref().is_some_and(|(_, until)| now < *until);
        let address = self.address(now).await?;
        let error = match self.download(&address).await {
            Ok(download) => {
                self.memory.failures = 0;
                return Ok(download);
            }
            Err(error) => error,
        };
        // The keys may have moved: that is asked at once when it is likely, and in the end in any case.
        let has_moved = error.says_gone() && is_remembered;
        self.memory.failures = self.memory.failures.saturating_add(1);
        if has_moved || self.memory.failures >= MAX_FAILURES {
            self.memory.expire_discovery();
        }
        if has_moved {
            let moved = self.address(now).await?;
            if moved != address {
                return self.download(&moved).await;
            }
        }
        Err(error)
    }

    async fn address(&mut self, now: Duration) -> Result<String, FetchError> {
        if let KeySource::Address(address) = &self.source {
            return Ok(address.clone());
        }
        if let Some((address, until)) = &self.memory.discovered
            && now < *until
        {
            return Ok(address.clone());
        }
        let found = discover(&self.http, &self.issuer, "jwks_uri", self.allow_http).await;
        match (found, &self.memory.discovered) {
            (Ok(address), before) => {
                if before.as_ref().is_none_or(|(before, _)| *before != address) {
                    self.memory.known = None;
                }
                self.memory.discovered = Some((address.clone(), now + DISCOVERY_LIFETIME));
                self.memory.failures = 0;
                Ok(address)
            }
            // Where the keys were they may still be.
            (Err(DiscoveryError::Net(error)), Some((address, _))) => {
                tracing::warn!(issuer = self.issuer, error = %error, "the issuer's discovery document can not be fetched");
                Ok(address.clone())
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    async fn download(&mut self, address: &str) -> Result<Download, FetchError> {
        let no_keys = || FetchError::NoKeys { address: address.to_owned(), algorithms: self.algorithms.clone() };
        let validators = self.memory.known.as_ref().map(|known| known.validators.clone()).unwrap_or_default();
        match self.http.get_if_changed::<JwkSet>(address, &validators).await? {
            Answer::Document(fetched) => {
                let keys = Arc::new(KeySet::from_jwks(fetched.document));
                // A set without a key that fits would refuse every token: it is taken for a failure.
                if !keys.serves(&self.algorithms) {
                    return Err(no_keys());
                }
                let lifetime = fetched.max_age.map_or(DEFAULT_LIFETIME, bounded);
                self.memory.known = Some(Known { keys: Arc::clone(&keys), validators: fetched.validators, lifetime });
                Ok(Download { keys, lifetime, is_confirmed: false })
            }
            Answer::NotModified { max_age } => {
                let known = self.memory.known.as_mut().ok_or_else(no_keys)?;
                known.lifetime = max_age.map_or(known.lifetime, bounded);
                Ok(Download { keys: Arc::clone(&known.keys), lifetime: known.lifetime, is_confirmed: true })
            }
        }
    }
}

fn bounded(lifetime: Duration) -> Duration {
    lifetime.clamp(MIN_LIFETIME, MAX_LIFETIME)
}

impl Memory {
    fn expire_discovery(&mut self) {
        if let Some((_, until)) = &mut self.discovered {
            *until = Duration::ZERO;
        }
    }
}

impl FetchError {
    /// RFC 9110 sections 15.5.5 and 15.5.11.
    fn says_gone(&self) -> bool {
        matches!(self, Self::Net(NetError::Status { status, .. }) if [404, 410].contains(&status.as_u16()))
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Net(NetError::Status { retry_after, .. })
            | Self::Discovery(DiscoveryError::Net(NetError::Status { retry_after, .. })) => *retry_after,
            _ => None,
        }
    }

    pub(super) fn class(&self) -> FetchErrorClass {
        match self {
            Self::Net(error) => error.class(),
            Self::Discovery(error) => error.class(),
            Self::NoKeys { .. } => FetchErrorClass::Empty,
        }
    }
}
