//! The one task that asks an issuer for its keys, and what it shares with those who wait for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use tokio::sync::{Notify, watch};

use super::RemoteSetup;
use super::absent::AbsentKeys;
use super::fetch::{Download, FetchError, Fetcher, Memory};
use super::pacing::{Attempt, Pacing};
use super::snapshot::{Snapshot, Validity};
use crate::core::clock::Clock;
use crate::core::entropy::Entropy;
use crate::telemetry::metrics::{Fetched, KeySetMetrics, UnknownKey};

/// Keeps the snapshot of one key set fresh.
pub(super) struct Refresher {
    pub(super) issuer: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: KeySetMetrics,
    entropy: Arc<dyn Entropy>,
    stale_if_error: Duration,
    snapshot: ArcSwapOption<Snapshot>,
    shared: Mutex<Shared>,
    wake: Notify,
    fetcher: tokio::sync::Mutex<Fetcher>,
}

/// What the task shares with those who wait for it: what was asked of the provider, and what may be.
pub(super) struct Shared {
    pub(super) pacing: Pacing,
    absent: AbsentKeys,
    /// The number of the last attempt that is over.
    over: watch::Sender<u64>,
}

impl Refresher {
    pub(super) fn new(setup: RemoteSetup) -> Self {
        let fetcher = Fetcher {
            issuer: setup.issuer.clone(),
            source: setup.source,
            algorithms: setup.algorithms,
            allow_http: setup.allow_http,
            http: setup.http,
            memory: Memory::default(),
        };
        let pacing = Pacing::starting_at(setup.clock.monotonic());
        Self {
            issuer: setup.issuer,
            clock: setup.clock,
            metrics: setup.metrics,
            entropy: setup.entropy,
            stale_if_error: setup.stale_if_error,
            snapshot: ArcSwapOption::empty(),
            shared: Mutex::new(Shared { pacing, absent: AbsentKeys::default(), over: watch::Sender::new(0) }),
            wake: Notify::new(),
            fetcher: tokio::sync::Mutex::new(fetcher),
        }
    }

    pub(super) fn snapshot(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.snapshot.load()
    }

    pub(super) fn is_usable(&self, now: Duration) -> bool {
        self.snapshot().as_ref().is_some_and(|snapshot| snapshot.is_usable(now))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the task look whether an attempt is due.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Makes every attempt that is due, one after another, for ever.
    pub(super) async fn run(self: Arc<Self>) {
        loop {
            self.until_due().await;
            self.attempt().await;
        }
    }

    async fn until_due(&self) {
        loop {
            let time_left = self.lock().pacing.time_left(self.clock.monotonic());
            if time_left.is_zero() {
                return;
            }
            // Rounded up, since the clock tells milliseconds: else the last one would be spun through.
            let millis = u64::try_from(time_left.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
            tokio::select! {
                () = self.clock.sleep_until(self.clock.now().plus(Duration::from_millis(millis))) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    async fn attempt(&self) {
        let began = self.clock.monotonic();
        self.lock().pacing.begin(began);
        let fetched = self.fetcher.lock().await.fetch(began).await;
        let now = self.clock.monotonic();
        let took = now.saturating_sub(began);
        match fetched {
            Ok(download) => self.succeeded(download, now, took),
            Err(error) => self.failed(&error, now, took),
        }
    }

    fn succeeded(&self, download: Download, now: Duration, took: Duration) {
        let Download { keys, lifetime, is_confirmed } = download;
        self.metrics.fetched(Ok(if is_confirmed { Fetched::NotModified } else { Fetched::KeySet }), took);
        let before = self.snapshot.load_full();
        let validity = Validity { now, lifetime, stale_if_error: self.stale_if_error };
        let unchanged = before.as_deref().filter(|before| before.keys.is_same(&keys));
        let has_changed = unchanged.is_none();
        let next = match unchanged {
            Some(before) => before.renewed(validity),
            None => Snapshot::of(keys, before.as_deref(), self.clock.now(), validity),
        };
        let (keys, generation) = (next.keys.iter().len(), next.generation);
        self.snapshot.store(Some(Arc::new(next)));
        // Told before anybody is woken: who acts on it finds the reason in the log.
        if has_changed {
            tracing::info!(issuer = self.issuer, keys, generation, "the issuer's keys are new");
        } else if self.lock().pacing.failures() > 0 {
            tracing::info!(issuer = self.issuer, keys, "the issuer's keys can be fetched again");
        }
        let mut shared = self.lock();
        if has_changed {
            shared.absent.clear();
        }
        shared.pacing.succeeded(now, lifetime, self.random());
        shared.tell();
    }

    fn failed(&self, error: &FetchError, now: Duration, took: Duration) {
        let class = error.class();
        self.metrics.fetched(Err(class), took);
        let mut shared = self.lock();
        shared.pacing.failed(now, class, error.retry_after(), self.random());
        let (failures, next) = (shared.pacing.failures(), shared.pacing.time_left(now));
        drop(shared);
        let (issuer, class, next_seconds) = (&self.issuer, class.name(), next.as_secs_f64());
        tracing::warn!(issuer, error = %error, class, failures, next_seconds, "the issuer's keys can not be fetched");
        self.lock().tell();
    }

    /// From 0 to 1.
    fn random(&self) -> f64 {
        f64::from(u32::from_be_bytes(self.entropy.draw())) / f64::from(u32::MAX)
    }
}

impl Shared {
    /// The attempt that is due or running, to wait for.
    pub(super) fn join(&self, now: Duration) -> Option<(Attempt, watch::Receiver<u64>)> {
        Some((self.pacing.attempt(now)?, self.over.subscribe()))
    }

    /// The attempt that will tell whether the provider has this key, or why none will.
    pub(super) fn ask_for(
        &mut self,
        unverified_key_id: &str,
        now: Duration,
    ) -> Result<(Attempt, watch::Receiver<u64>), UnknownKey> {
        if self.absent.contains(unverified_key_id, now) {
            return Err(UnknownKey::NegativeCache);
        }
        if let Some(joined) = self.join(now) {
            return Ok(joined);
        }
        if self.pacing.force(now) { Ok((Attempt::Ahead, self.over.subscribe())) } else { Err(UnknownKey::Cooldown) }
    }

    /// Notes that the provider was asked for this key and does not have it, unless it did not answer.
    pub(super) fn note_absent(&mut self, unverified_key_id: &str, now: Duration) {
        if self.pacing.last_error().is_none() && !self.absent.contains(unverified_key_id, now) {
            self.absent.insert(unverified_key_id, now);
        }
    }

    /// Whether it is known that the provider does not have this key.
    pub(super) fn knows_absent(&self, unverified_key_id: Option<&str>, now: Duration) -> bool {
        self.pacing.is_told(now) || unverified_key_id.is_some_and(|key_id| self.absent.contains(key_id, now))
    }

    /// Has an attempt begin as soon as none is running, and gives its number.
    pub(super) fn demand(&mut self, now: Duration) -> (u64, watch::Receiver<u64>) {
        (self.pacing.demand(now), self.over.subscribe())
    }

    /// Tells those who wait that the attempt is over that began last.
    fn tell(&self) {
        self.over.send_replace(self.pacing.begun());
    }
}
