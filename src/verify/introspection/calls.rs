//! The calls to an issuer that are under way: one for a token, so many at a time, and so many in a second about tokens that nobody
//! knows, so that made-up ones can not be turned against it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::super::Waiting;
use super::super::verified::Fingerprint;
use super::facts::Fact;

/// How many calls are under way at once, and how many of them about tokens that were not known to be active.
const MAX_CALLS: usize = 128;
const MAX_CALLS_ABOUT_UNKNOWN: usize = 64;
/// How many requests wait at once for calls about tokens that were active, and how many join a call about one that is not known: who
/// makes such a call has its place beside them, so that a crowd with a made-up token keeps nobody else out.
const MAX_WAITERS_WITH_KNOWN: usize = 256;
const MAX_JOINING_UNKNOWN: usize = 64;
/// When to come again, where nothing better is known.
pub(super) const SOON: Duration = Duration::from_secs(1);
/// The longest that an issuer can keep us away.
const MAX_PAUSE: Duration = Duration::from_mins(1);

/// What came of a call: a fact, or when to ask again.
pub(super) type Outcome = Result<Fact, Duration>;

/// The calls about the tokens of one verifier. Instants are readings of the monotonic clock.
pub(super) struct Calls {
    state: Mutex<State>,
    /// What one call about an unknown token takes of the second that may be saved up.
    cost: Duration,
    with_known: Arc<Semaphore>,
    joining_unknown: Arc<Semaphore>,
    /// The places of all verifiers.
    waiting: Waiting,
}

#[derive(Default)]
struct State {
    under_way: HashMap<Fingerprint, Call>,
    about_unknown: usize,
    /// Until when the rate is used up; a second ahead of now at most.
    spent_until: Duration,
    paused_until: Duration,
    /// When a token that was active may be asked about although there is a pause: whoever can cause one must not stop the others.
    next_in_pause: Duration,
}

struct Call {
    outcome: watch::Receiver<Option<Outcome>>,
    is_about_unknown: bool,
}

/// What a request about a token comes to.
pub(super) enum Admission {
    /// It waits for a call that is under way …
    Wait(Waiter),
    /// … or has to make it.
    Make(Waiter, Making),
    /// The token has become known meanwhile.
    Known(Fact),
    /// It is turned away, to come again after this time.
    Refused(Duration),
}

/// A request that waits for the outcome of a call.
pub(super) struct Waiter {
    outcome: watch::Receiver<Option<Outcome>>,
    _places: Places,
}

/// The places that one who waits takes up: among those of the verifier, where these are counted, and among those of all.
type Places = (Option<OwnedSemaphorePermit>, OwnedSemaphorePermit);

/// A call that is being made; it is over when this is dropped.
pub(super) struct Making {
    calls: Arc<Calls>,
    token: Fingerprint,
    outcome: watch::Sender<Option<Outcome>>,
}

impl Calls {
    /// `rate` is how many calls about unknown tokens there may be in a second.
    pub(super) fn new(rate: u32, waiting: Waiting) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            cost: Duration::from_secs(1) / rate.max(1),
            with_known: Arc::new(Semaphore::new(MAX_WAITERS_WITH_KNOWN)),
            joining_unknown: Arc::new(Semaphore::new(MAX_JOINING_UNKNOWN)),
            waiting,
        })
    }

    /// Takes up a request about a token. `known` looks once more, since the call that it needs may just have ended.
    pub(super) fn admit(
        self: &Arc<Self>,
        token: Fingerprint,
        is_unknown: bool,
        now: Duration,
        known: impl FnOnce() -> Option<Fact>,
    ) -> Admission {
        let mut state = self.lock();
        if let Some(fact) = known() {
            return Admission::Known(fact);
        }
        let under_way = state.under_way.get(&token).map(|call| call.outcome.clone());
        let Some(places) = self.places(is_unknown, under_way.is_some()) else {
            return Admission::Refused(SOON);
        };
        if let Some(outcome) = under_way {
            return Admission::Wait(Waiter { outcome, _places: places });
        }
        if let Err(wait) = state.spend(is_unknown, self.cost, now) {
            return Admission::Refused(wait);
        }
        let (sender, outcome) = watch::channel(None);
        state.under_way.insert(token, Call { outcome: outcome.clone(), is_about_unknown: is_unknown });
        let making = Making { calls: Arc::clone(self), token, outcome: sender };
        Admission::Make(Waiter { outcome, _places: places }, making)
    }

    /// The places of one more who waits. How many make calls about unknown tokens is bounded with the calls.
    fn places(&self, is_unknown: bool, is_joining: bool) -> Option<Places> {
        let counted = match (is_unknown, is_joining) {
            (false, _) => Some(&self.with_known),
            (true, true) => Some(&self.joining_unknown),
            (true, false) => None,
        };
        let own = counted.map(|places| Arc::clone(places).try_acquire_owned()).transpose().ok()?;
        Some((own, self.waiting.place(is_unknown)?))
    }

    /// Makes next to no call for a while, because the issuer asks for that; gives how long that is.
    pub(super) fn pause(&self, now: Duration, wait: Duration) -> Duration {
        let wait = wait.clamp(SOON, MAX_PAUSE);
        let mut state = self.lock();
        state.paused_until = state.paused_until.max(now + wait);
        state.next_in_pause = now + SOON;
        wait
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the room and the rate for one more call, or says how long to wait.
    fn spend(&mut self, is_unknown: bool, cost: Duration, now: Duration) -> Result<(), Duration> {
        let is_paused = now < self.paused_until;
        if is_paused && (is_unknown || now < self.next_in_pause) {
            return Err(self.paused_until.saturating_sub(now).max(SOON));
        }
        if self.under_way.len() >= MAX_CALLS {
            return Err(SOON);
        }
        if is_unknown {
            let spent_until = self.spent_until.max(now) + cost;
            if self.about_unknown >= MAX_CALLS_ABOUT_UNKNOWN || spent_until > now + Duration::from_secs(1) {
                return Err(SOON);
            }
            self.spent_until = spent_until;
            self.about_unknown += 1;
        }
        if is_paused {
            self.next_in_pause = now + SOON;
        }
        Ok(())
    }
}

impl Waiter {
    /// Waits until the call is over. One that ended without an outcome has to be made again.
    pub(super) async fn outcome(mut self) -> Outcome {
        let outcome = self.outcome.wait_for(Option::is_some).await;
        outcome.ok().and_then(|outcome| outcome.clone()).unwrap_or(Err(SOON))
    }
}

impl Making {
    /// Tells those who wait.
    pub(super) fn end(self, outcome: Outcome) {
        self.outcome.send_replace(Some(outcome));
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let mut state = self.calls.lock();
        if state.under_way.remove(&self.token).is_some_and(|call| call.is_about_unknown) {
            state.about_unknown -= 1;
        }
    }
}
