//! The key set of one issuer, fetched from it and kept: the one place that asks a provider for keys.
//!
//! One task asks, ahead of expiry, and nobody waits for it longer than [`WAIT`]. What it brings replaces the snapshot as a whole,
//! so a withdrawn key is gone with it; what it fails to bring leaves the old snapshot in use for as long as `stale_if_error` allows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::keys::KeySet;
use super::token::UnverifiedJwt;
use super::{FetchErrorClass, KeySetReport, KeySetState, Waiting};
use crate::core::clock::Clock;
use crate::core::entropy::Entropy;
use crate::core::verdict::Verdict;
use crate::net::HttpClient;
use crate::telemetry::metrics::{KeySetMetrics, UnknownKey};

mod absent;
mod fetch;
mod pacing;
mod refresher;
mod snapshot;
mod startup;

pub(super) use fetch::KeySource;
use pacing::Attempt;
use refresher::Refresher;
use snapshot::Snapshot;
pub(super) use startup::Startup;

/// How long a token waits for keys that it depends on.
const WAIT: Duration = Duration::from_secs(1);
/// How many may wait at once for one issuer.
const MAX_WAITING: usize = 128;
/// The bounds of what whoever is turned away is told to wait.
const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);

/// What the key set of one issuer is made with.
pub(super) struct RemoteSetup {
    pub(super) issuer: String,
    pub(super) source: KeySource,
    /// What tokens may be signed with: a set without a key for any of these is none.
    pub(super) algorithms: Vec<Algorithm>,
    /// How long keys are used past their lifetime while new ones can not be had.
    pub(super) stale_if_error: Duration,
    pub(super) startup: Startup,
    pub(super) allow_http: bool,
    pub(super) http: HttpClient,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) metrics: KeySetMetrics,
    pub(super) waiting: Waiting,
}

/// The key set of one issuer. Dropping it ends its task.
pub(super) struct RemoteKeys {
    refresher: Arc<Refresher>,
    task: Mutex<Option<JoinHandle<()>>>,
    waiters: Semaphore,
    all_waiting: Waiting,
    startup: Startup,
    began: Duration,
}

impl RemoteKeys {
    pub(super) fn new(setup: RemoteSetup) -> Self {
        Self {
            task: Mutex::new(None),
            waiters: Semaphore::new(MAX_WAITING),
            all_waiting: setup.waiting.clone(),
            startup: setup.startup,
            began: setup.clock.monotonic(),
            refresher: Arc::new(Refresher::new(setup)),
        }
    }

    /// Checks a token's signature with the keys that are known, or with those that the provider has by now, if it may be asked. A
    /// token that names no key never causes that.
    pub(super) async fn check(&self, jwt: &UnverifiedJwt<'_>, algorithm: Algorithm) -> Result<(), Verdict> {
        let key_id = jwt.unverified_header.key_id.as_deref();
        let check = |keys: &KeySet| keys.check(jwt, algorithm).map_err(Verdict::Rejected);
        let mut checked = self.with_keys(key_id, check);
        if checked.is_none() {
            self.look_for(key_id).await?;
            checked = self.with_keys(key_id, check);
        }
        checked.unwrap_or_else(|| Err(self.without(key_id))).inspect(|()| self.note_accepted())
    }

    /// What `use_keys` says of the keys, if they may be used and one of them goes by this name. The one thing that most tokens
    /// need: no lock, no waiting, no allocation.
    fn with_keys<T>(&self, unverified_key_id: Option<&str>, use_keys: impl FnOnce(&KeySet) -> T) -> Option<T> {
        let snapshot = self.refresher.snapshot();
        let snapshot = snapshot.as_deref()?;
        let now = self.refresher.clock.monotonic();
        if !snapshot.is_usable(now) || !snapshot.keys.knows(unverified_key_id) {
            return None;
        }
        Some(use_keys(&snapshot.keys))
    }

    /// Counts a token that was accepted, if that is due to keys past their lifetime.
    pub(super) fn note_accepted(&self) {
        let now = self.refresher.clock.monotonic();
        if self.refresher.snapshot().as_deref().is_some_and(|snapshot| !snapshot.is_fresh(now)) {
            self.refresher.metrics.stale_served();
        }
    }

    /// Waits until the provider has said whether it has a key, if it may be asked and there is reason to.
    async fn look_for(&self, unverified_key_id: Option<&str>) -> Result<(), Verdict> {
        self.ensure_running();
        let now = self.refresher.clock.monotonic();
        let Some(key_id) = unverified_key_id.filter(|_| self.refresher.is_usable(now)) else {
            // Without any key a token waits for what the task does by itself.
            let joined = self.refresher.lock().join(now);
            if let Some((_, over)) = joined {
                self.wait(over).await?;
            }
            return Ok(());
        };
        let asked = {
            let mut asked = self.refresher.lock();
            // Looked at once more: a fetch may have ended since, and must not be made again for a key that it brought.
            if self.refresher.snapshot().as_deref().is_some_and(|it| it.keys.knows(unverified_key_id)) {
                return Ok(());
            }
            asked.ask_for(key_id, now)
        };
        let (attempt, over) = match asked {
            Ok(attempt) => attempt,
            Err(outcome) => {
                self.refresher.metrics.unknown_key(outcome);
                return Ok(());
            }
        };
        self.refresher.wake();
        if !self.wait(over).await? {
            return Ok(());
        }
        let is_found = self.refresher.snapshot().as_deref().is_some_and(|it| it.keys.knows(unverified_key_id));
        let outcome = if is_found { UnknownKey::RefreshedFound } else { UnknownKey::RefreshedAbsent };
        self.refresher.metrics.unknown_key(outcome);
        if !is_found && attempt == Attempt::Ahead {
            self.refresher.lock().note_absent(key_id, self.refresher.clock.monotonic());
        }
        Ok(())
    }

    /// Waits until an attempt is over, at most for [`WAIT`]; false when that was too short.
    async fn wait(&self, mut over: watch::Receiver<u64>) -> Result<bool, Verdict> {
        let (Ok(_place), Some(_place_among_all)) = (self.waiters.try_acquire(), self.all_waiting.place(true)) else {
            return Err(self.unavailable());
        };
        let clock = &self.refresher.clock;
        let too_late = clock.sleep_until(clock.now().plus(WAIT));
        tokio::select! {
            _ = over.changed() => Ok(true),
            () = too_late => Ok(false),
        }
    }

    /// What is said of a token whose key is not there: that it is unknown, if the provider said so a moment ago or when it was asked for
    /// this very key. Else it can not be told: the key may be new, and the provider down, slow, or not to be asked now.
    fn without(&self, unverified_key_id: Option<&str>) -> Verdict {
        let now = self.refresher.clock.monotonic();
        match self.refresher.snapshot().as_deref().filter(|snapshot| snapshot.is_usable(now)) {
            Some(snapshot) if self.refresher.lock().knows_absent(unverified_key_id, now) => {
                Verdict::Rejected(snapshot.keys.lacks(unverified_key_id))
            }
            _ => self.unavailable(),
        }
    }

    fn unavailable(&self) -> Verdict {
        let now = self.refresher.clock.monotonic();
        let asked = self.refresher.lock();
        let time_left =
            if self.refresher.is_usable(now) { asked.pacing.time_to_ask(now) } else { asked.pacing.time_left(now) };
        Verdict::Unavailable { retry_after: time_left.clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER) }
    }

    /// Numbers the keys that are in use, anew when they changed. None: there are none that may be used now.
    pub(super) fn generation(&self) -> Option<u64> {
        let snapshot = self.refresher.snapshot();
        let now = self.refresher.clock.monotonic();
        let snapshot = snapshot.as_deref().filter(|snapshot| snapshot.is_usable(now))?;
        if !snapshot.is_fresh(now) {
            // Its task sleeps by the wall clock, which may have been set back.
            self.ensure_running();
        }
        Some(snapshot.generation)
    }

    /// Begins to fetch the keys, and keeps them fresh from then on. To be called within a runtime.
    pub(super) fn warm_up(&self) {
        self.ensure_running();
    }

    /// Sees to it that the task runs and is awake if it is due. A task ends with its runtime.
    fn ensure_running(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            let Ok(runtime) = Handle::try_current() else { return };
            self.refresher.lock().pacing.abandon();
            *task = Some(runtime.spawn(Arc::clone(&self.refresher).run()));
        } else if self.refresher.lock().pacing.is_overdue(self.refresher.clock.monotonic()) {
            self.refresher.wake();
        }
    }

    /// Fetches the keys at once, whatever the budget says, by a fetch that begins after this call.
    pub(super) async fn refresh(&self) -> Result<(), FetchErrorClass> {
        self.ensure_running();
        let (attempt, mut over) = self.refresher.lock().demand(self.refresher.clock.monotonic());
        self.refresher.wake();
        // The sender is as old as the receiver: it can not be gone.
        let _ = over.wait_for(|ended| *ended >= attempt).await;
        self.refresher.lock().pacing.last_error().map_or(Ok(()), Err)
    }

    /// Whether the gateway should be sent traffic, as far as these keys have a say in it.
    pub(super) fn is_ready(&self) -> bool {
        let now = self.refresher.clock.monotonic();
        self.startup.is_ready(self.refresher.is_usable(now), now.saturating_sub(self.began))
    }

    /// How the keys get on.
    pub(super) fn report(&self) -> KeySetReport {
        let now = self.refresher.clock.monotonic();
        let snapshot = self.refresher.snapshot();
        let snapshot = snapshot.as_deref();
        let shared = self.refresher.lock();
        let pacing = &shared.pacing;
        let state = match snapshot {
            None if pacing.is_running() => KeySetState::Loading,
            None => KeySetState::Empty,
            Some(snapshot) if snapshot.is_fresh(now) => KeySetState::Fresh,
            Some(snapshot) if snapshot.is_usable(now) => KeySetState::Stale,
            Some(_) => KeySetState::Expired,
        };
        KeySetReport {
            state,
            age: snapshot.map(|snapshot| now.saturating_sub(snapshot.confirmed_at)),
            next_refresh: pacing.has_begun().then(|| pacing.time_left(now)),
            consecutive_failures: pacing.failures(),
            last_error: pacing.last_error(),
            keys: snapshot.map(Snapshot::report).unwrap_or_default(),
        }
    }
}

impl Drop for RemoteKeys {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}
