//! The key set of one issuer, fetched from it and kept: the one place that asks a provider for keys.
//!
//! A fetch runs in a task of its own, one at a time, and nobody waits for it longer than [`WAIT`]. What it brings replaces the
//! snapshot as a whole, so a withdrawn key is gone with it; what it fails to bring leaves the old snapshot in use for
//! [`STALE_LIFETIME`]. All pacing is by the monotonic clock and stamped before the attempt, so that failures count.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::keys::{JwkSet, KeySet};
use crate::core::clock::Clock;
use crate::net::{HttpClient, NetError};

/// How long keys are fresh when their sender does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(10);
/// What a sender may say: `no-cache` must not cause a fetch per token, and a year must not keep a withdrawn key alive.
const MIN_LIFETIME: Duration = Duration::from_mins(1);
const MAX_LIFETIME: Duration = Duration::from_hours(24);
/// How long keys are used past their lifetime while new ones can not be had.
const STALE_LIFETIME: Duration = Duration::from_hours(1);
/// The least time between two fetches that unknown key ids cause.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(30);
/// The least time between two fetches while there are no fresh keys.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// How long a token waits for a fetch that it depends on, and for one that old keys can stand in for.
const WAIT: Duration = Duration::from_secs(1);
const WAIT_WITH_OLD_KEYS: Duration = Duration::from_millis(500);

/// Where an issuer publishes its keys.
#[derive(Clone, Debug)]
pub(super) enum KeySource {
    /// At this address.
    Address(String),
    /// At the address that its discovery document names.
    Discovery,
}

/// The keys are not to be had now.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeysUnavailable {
    /// When it makes sense to ask again.
    pub(super) retry_after: Duration,
}

/// The key set of one issuer.
pub(super) struct RemoteKeys {
    issuer: String,
    source: KeySource,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    snapshot: ArcSwapOption<Snapshot>,
    fetches: Mutex<Fetches>,
}

/// Instants are readings of the monotonic clock.
struct Snapshot {
    keys: Arc<KeySet>,
    fresh_until: Duration,
    usable_until: Duration,
}

#[derive(Default)]
struct Fetches {
    /// Of the fetch that was started last; closed when it is over.
    running: Option<watch::Receiver<()>>,
    last: Option<Duration>,
    last_for_unknown_key: Option<Duration>,
    /// Whether the fetch before the one that is running failed, or the last one when none is.
    failing: bool,
}

/// Why a fetch is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    NoFreshKeys,
    UnknownKey,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("{address} is the discovery document of {found:?}{hint}")]
    ForeignIssuer { address: String, found: String, hint: &'static str },
    #[error("{address} names {jwks_uri:?} for the keys, and the keys of an https issuer come by https alone")]
    InsecureKeys { address: String, jwks_uri: String },
    #[error("{0} holds no key that can be used")]
    NoKeys(String),
}

/// OpenID Connect Discovery section 3; what else it says is of no interest here.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl RemoteKeys {
    pub(super) fn new(issuer: String, source: KeySource, http: HttpClient, clock: Arc<dyn Clock>) -> Arc<Self> {
        let (snapshot, fetches) = (ArcSwapOption::empty(), Mutex::default());
        Arc::new(Self { issuer, source, http, clock, snapshot, fetches })
    }

    /// The keys to check a token with that names `unverified_key_id`: from the snapshot when that is fresh and knows the name, else
    /// after a fetch, if one is due. A token that names no key never causes one.
    pub(super) async fn get(self: &Arc<Self>, unverified_key_id: Option<&str>) -> Result<Arc<KeySet>, KeysUnavailable> {
        let now = self.clock.monotonic();
        let snapshot = self.snapshot.load_full();
        let known = snapshot.as_ref().filter(|snapshot| snapshot.keys.knows(unverified_key_id));
        let cause = match &snapshot {
            Some(snapshot) if now < snapshot.fresh_until => Cause::UnknownKey,
            _ => Cause::NoFreshKeys,
        };
        match known {
            Some(snapshot) if now < snapshot.fresh_until => return Ok(Arc::clone(&snapshot.keys)),
            Some(snapshot) if now < snapshot.usable_until => {
                // In an outage that is known of, what can be done without the provider is not held up.
                if let Some(over) = self.fetch(cause).filter(|_| !self.is_failing()) {
                    self.wait(over, WAIT_WITH_OLD_KEYS).await;
                }
            }
            _ => {
                if let Some(over) = self.fetch(cause) {
                    self.wait(over, WAIT).await;
                }
            }
        }
        self.settle(unverified_key_id)
    }

    /// Waits until a fetch is over, at most for `limit`. It is over when its sender is dropped, which `changed` reports as an
    /// error; too late is as good as failed.
    async fn wait(&self, mut over: watch::Receiver<()>, limit: Duration) {
        let too_late = self.clock.sleep_until(self.clock.now().plus(limit));
        tokio::select! {
            _ = over.changed() => {}
            () = too_late => {}
        }
    }

    fn is_failing(&self) -> bool {
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner).failing
    }

    /// What the snapshot gives once a fetch was tried, or was not due.
    fn settle(&self, unverified_key_id: Option<&str>) -> Result<Arc<KeySet>, KeysUnavailable> {
        let now = self.clock.monotonic();
        match self.snapshot.load_full() {
            Some(snapshot) if now < snapshot.fresh_until => Ok(Arc::clone(&snapshot.keys)),
            // Through an outage the keys that are known serve; whether another one exists by now can not be told.
            Some(snapshot) if now < snapshot.usable_until && snapshot.keys.knows(unverified_key_id) => {
                Ok(Arc::clone(&snapshot.keys))
            }
            _ => Err(KeysUnavailable { retry_after: self.retry_after(now) }),
        }
    }

    fn retry_after(&self, now: Duration) -> Duration {
        let last = self.fetches.lock().unwrap_or_else(PoisonError::into_inner).last;
        let wait = last.map_or(Duration::ZERO, |last| (last + RETRY_INTERVAL).saturating_sub(now));
        wait.max(Duration::from_secs(1))
    }

    /// Whether there are keys to use. Asking for this also fetches them when they are due, because an instance that is not ready
    /// is given no tokens that would.
    pub(super) fn is_ready(self: &Arc<Self>) -> bool {
        let now = self.clock.monotonic();
        let snapshot = self.snapshot.load();
        if snapshot.as_ref().is_none_or(|snapshot| now >= snapshot.fresh_until) {
            self.fetch(Cause::NoFreshKeys);
        }
        snapshot.as_ref().is_some_and(|snapshot| now < snapshot.usable_until)
    }

    /// Joins the fetch that is running, or starts one if one is due. None: there is nothing to wait for.
    fn fetch(self: &Arc<Self>, cause: Cause) -> Option<watch::Receiver<()>> {
        let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        // A closed channel reports an error: that fetch is over, be it because its runtime is gone.
        if let Some(running) = fetches.running.as_ref().filter(|running| running.has_changed().is_ok()) {
            return Some(running.clone());
        }
        let runtime = Handle::try_current().ok()?;
        let now = self.clock.monotonic();
        let (last, interval) = match cause {
            Cause::NoFreshKeys => (&mut fetches.last, RETRY_INTERVAL),
            Cause::UnknownKey => (&mut fetches.last_for_unknown_key, UNKNOWN_KEY_INTERVAL),
        };
        if last.is_some_and(|last| now < last + interval) {
            return None;
        }
        *last = Some(now);
        fetches.last = Some(now);
        let (sender, receiver) = watch::channel(());
        let keys = Arc::clone(self);
        runtime.spawn(async move {
            let failing = !keys.refresh().await;
            keys.fetches.lock().unwrap_or_else(PoisonError::into_inner).failing = failing;
            drop(sender);
        });
        fetches.running = Some(receiver.clone());
        Some(receiver)
    }

    /// Fetches the keys; false when that failed.
    async fn refresh(&self) -> bool {
        match self.download().await {
            Ok((keys, lifetime)) => {
                let fresh_until = self.clock.monotonic() + lifetime;
                let usable_until = fresh_until + STALE_LIFETIME;
                tracing::debug!(
                    issuer = self.issuer,
                    lifetime_seconds = lifetime.as_secs(),
                    "fetched the issuer's keys"
                );
                self.snapshot.store(Some(Arc::new(Snapshot { keys: Arc::new(keys), fresh_until, usable_until })));
                true
            }
            Err(error) => {
                tracing::warn!(issuer = self.issuer, error = %error, "the issuer's keys can not be fetched");
                false
            }
        }
    }

    async fn download(&self) -> Result<(KeySet, Duration), FetchError> {
        let address = match &self.source {
            KeySource::Address(address) => address.clone(),
            KeySource::Discovery => self.discover().await?,
        };
        let fetched = self.http.get_json::<JwkSet>(&address).await?;
        let keys = KeySet::from_jwks(fetched.document);
        // An empty set would refuse every token: it is taken for a failure.
        if keys.is_empty() {
            return Err(FetchError::NoKeys(address));
        }
        let lifetime = fetched.max_age.unwrap_or(DEFAULT_LIFETIME).clamp(MIN_LIFETIME, MAX_LIFETIME);
        Ok((keys, lifetime))
    }

    /// The document has to name the very issuer it was asked for (RFC 8414 section 3.3).
    async fn discover(&self) -> Result<String, FetchError> {
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let found = self.http.get_json::<Discovery>(&address).await?.document;
        if found.issuer == self.issuer {
            let jwks_uri = found.jwks_uri;
            // Else whoever writes the document could point us at what listens on this machine.
            let is_secure = jwks_uri.starts_with("https://") || !self.issuer.starts_with("https://");
            return if is_secure { Ok(jwks_uri) } else { Err(FetchError::InsecureKeys { address, jwks_uri }) };
        }
        let only_slash = found.issuer.trim_end_matches('/') == self.issuer.trim_end_matches('/');
        let hint = if only_slash {
            ", which differs from the configured issuer in the slash at the end: write it exactly like that"
        } else {
            ", and not of the configured issuer: correct `issuer`"
        };
        Err(FetchError::ForeignIssuer { address, found: found.issuer, hint })
    }
}
