//! When a provider is asked: ahead of expiry, with a backoff after failures, and within a budget for what tokens cause.
//!
//! Instants are readings of the monotonic clock. Whatever asks is stamped before it does, so that failures count.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::FetchErrorClass;

/// When keys are refreshed, as parts of their lifetime: 80 %, give or take 10 %.
const AHEAD: f64 = 0.7;
const AHEAD_JITTER: f64 = 0.2;
/// The bounds of the random wait after a failure: up to 1 s after the first, up to 60 s in the end.
const MIN_BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// The longest that a provider is left alone because it asks for that.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(5);
/// The least time between two attempts that unknown key ids cause.
const COOLDOWN: Duration = Duration::from_secs(30);
/// How many attempts of any cause there may be within the cooldown for one of them to be for an unknown key id.
const MAX_RECENT: usize = 2;
/// How many attempts unknown key ids cause before they have to wait for [`REFILL`] each, and less when they have caused some lately.
const MAX_FORCED: u32 = 20;
const REFILL: Duration = Duration::from_mins(3);

/// The plan of the attempts to fetch one key set.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// When the next attempt begins. It stays in the past until that attempt has ended.
    due: Duration,
    is_running: bool,
    /// Whether another one is to begin as soon as the one that is running is over.
    is_demanded: bool,
    /// How many have begun.
    begun: u64,
    /// When the last attempts began, whatever caused them.
    recent: VecDeque<Duration>,
    /// When an unknown key id last caused one.
    forced: Option<Duration>,
    /// When the budget for unknown key ids will be whole again.
    whole: Duration,
    /// When the last one began that succeeded.
    answered: Option<Duration>,
    failures: u32,
    last_error: Option<FetchErrorClass>,
}

/// An attempt that is due or has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// What it brings was published after this moment.
    Ahead,
    /// What it brings may have been published before this moment.
    Running,
}

impl Pacing {
    /// A plan whose first attempt begins at `now`.
    pub(super) fn starting_at(now: Duration) -> Self {
        Self { due: now, ..Self::default() }
    }

    /// How long it is until the next attempt; zero also while one is running.
    pub(super) fn time_left(&self, now: Duration) -> Duration {
        self.due.saturating_sub(now)
    }

    /// The attempt that whoever needs its result now can wait for.
    pub(super) fn attempt(&self, now: Duration) -> Option<Attempt> {
        if self.is_running { Some(Attempt::Running) } else { (self.due <= now).then_some(Attempt::Ahead) }
    }

    pub(super) fn is_running(&self) -> bool {
        self.is_running
    }

    /// Whether an attempt should have begun by now.
    pub(super) fn is_overdue(&self, now: Duration) -> bool {
        !self.is_running && self.due <= now
    }

    /// Whether there has been any attempt.
    pub(super) fn has_begun(&self) -> bool {
        !self.recent.is_empty()
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn last_error(&self) -> Option<FetchErrorClass> {
        self.last_error
    }

    /// Has the next attempt begin now because a token names a key that is not known, if that may be. A provider that fails is not
    /// asked for this: its backoff ends soon enough.
    pub(super) fn force(&mut self, now: Duration) -> bool {
        let may = self.failures == 0 && self.next_forced() <= now;
        if may {
            self.forced = Some(now);
            self.whole = self.whole.max(now) + REFILL;
            self.due = now;
        }
        may
    }

    /// The first moment at which an unknown key id may cause an attempt, if the provider is well.
    fn next_forced(&self) -> Duration {
        let cooled = |since: Option<Duration>| since.map_or(Duration::ZERO, |since| since + COOLDOWN);
        let is_crowded = self.recent.len() == MAX_RECENT;
        let uncrowded = cooled(self.recent.front().copied().filter(|_| is_crowded));
        cooled(self.forced).max(uncrowded).max(self.whole.saturating_sub(REFILL * (MAX_FORCED - 1)))
    }

    /// Whether the provider said a moment ago which keys there are: what is not among them is unknown. What fails, or has not ended
    /// yet, says nothing.
    pub(super) fn is_told(&self, now: Duration) -> bool {
        let is_recent = self.answered.is_some_and(|since| now < since + COOLDOWN);
        is_recent && self.failures == 0 && !self.is_running
    }

    /// How long it is until the provider may be asked for a key that is not known.
    pub(super) fn time_to_ask(&self, now: Duration) -> Duration {
        let next = if self.failures == 0 { self.due.min(self.next_forced()) } else { self.due };
        next.saturating_sub(now)
    }

    /// Has the next attempt begin now because an operator wants it, and gives its number. One that is running already may bring what
    /// was published before: the next one follows it at once.
    pub(super) fn demand(&mut self, now: Duration) -> u64 {
        self.is_demanded = self.is_running;
        self.due = self.due.min(now);
        self.begun + 1
    }

    /// How many attempts have begun: the number of the last one.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    pub(super) fn begin(&mut self, now: Duration) {
        keep(&mut self.recent, now, MAX_RECENT);
        self.begun += 1;
        self.is_running = true;
    }

    /// Forgets an attempt whose task is gone: it is due again.
    pub(super) fn abandon(&mut self) {
        (self.is_running, self.is_demanded) = (false, false);
    }

    /// `random` is from 0 to 1.
    pub(super) fn succeeded(&mut self, now: Duration, lifetime: Duration, random: f64) {
        self.answered = self.recent.back().copied();
        (self.failures, self.last_error) = (0, None);
        self.end(now, lifetime.mul_f64(AHEAD + AHEAD_JITTER * random));
    }

    /// `random` is from 0 to 1; `retry_after` is what the provider asks for.
    pub(super) fn failed(&mut self, now: Duration, error: FetchErrorClass, retry_after: Option<Duration>, random: f64) {
        let bound = MAX_BACKOFF.min(Duration::from_secs(1 << self.failures.min(6)));
        let backoff = bound.mul_f64(random).max(MIN_BACKOFF);
        self.failures = self.failures.saturating_add(1);
        self.last_error = Some(error);
        self.end(now, backoff.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)));
    }

    fn end(&mut self, now: Duration, wait: Duration) {
        self.is_running = false;
        self.due = if std::mem::take(&mut self.is_demanded) { now } else { now + wait };
    }
}

fn keep(instants: &mut VecDeque<Duration>, now: Duration, limit: usize) {
    instants.push_back(now);
    if instants.len() > limit {
        instants.pop_front();
    }
}
