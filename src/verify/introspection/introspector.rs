//! Decides about a token by what its issuer says of it: from the facts that are kept, else from a call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::super::acceptance::AcceptanceSettings;
use super::super::rules::Rules;
use super::super::verified::Fingerprint;
use super::super::{FetchErrorClass, IntrospectionReport, Terms, UnverifiedJwt, UnverifiedToken};
use super::answer;
use super::calls::{Admission, Calls, Making, Outcome, SOON, Waiter};
use super::facts::{AskedAt, Fact, Facts, Known};
use super::provider::{AskError, Provider};
use crate::core::clock::Clock;
use crate::core::verdict::{Refusal, Verdict};
use crate::telemetry::metrics::{Introspected, IntrospectionMetrics};

/// How long a request waits for a call. What comes later is kept for the next.
const WAIT: Duration = Duration::from_secs(2);
/// The least time that an answer is believed once it is there, so that one without `exp` is good for those who waited for it.
const MIN_BELIEVED: Duration = Duration::from_secs(1);
/// The least time between two lines in the log about calls that fail.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What decides about the tokens of one verifier.
pub(super) struct Introspector {
    /// Its name in the configuration.
    pub(super) name: String,
    pub(super) rules: Rules,
    pub(super) acceptance: AcceptanceSettings,
    pub(super) provider: Provider,
    pub(super) facts: Facts,
    pub(super) calls: Arc<Calls>,
    pub(super) lately: Mutex<Lately>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: IntrospectionMetrics,
}

/// What came of the calls lately. Instants are readings of the monotonic clock.
#[derive(Default)]
pub(super) struct Lately {
    last_call: Option<Duration>,
    last_error: Option<FetchErrorClass>,
    /// How many failed since the last that did not.
    failures: u32,
    /// When the log last said that they fail; none since one did not.
    logged: Option<Duration>,
}

impl Introspector {
    /// Judges what a JWT says of itself, so that one which can not be good is not asked about.
    pub(super) fn judge_before_asking(&self, jwt: &UnverifiedJwt<'_>, terms: Terms<'_>) -> Result<(), Refusal> {
        Rules::CHECKS_BEFORE_ASKING.iter().try_for_each(|(_, check)| check(&self.rules, jwt, terms))
    }

    /// Decides about a token. Times and audience are judged on every use, wherever the fact comes from.
    pub(super) async fn judge(self: &Arc<Self>, token: UnverifiedToken<'_>, terms: Terms<'_>) -> Verdict {
        let fingerprint = Fingerprint::of(token.as_str());
        let began = self.clock.monotonic();
        let (outcome, terms) = match self.facts.get(fingerprint, began) {
            Known::Fact(fact) => {
                self.metrics.hit();
                (Ok(fact), terms)
            }
            known => {
                let outcome = self.ask(token, fingerprint, matches!(known, Known::Nothing)).await;
                // A token may have expired meanwhile.
                let waited = self.clock.monotonic().saturating_sub(began);
                (outcome, Terms { now: terms.now.plus(waited), ..terms })
            }
        };
        match outcome {
            Ok(Fact::Active(caller)) => self.rules.recall(&caller, terms),
            Ok(Fact::Refused(refusal)) => Verdict::Rejected(refusal),
            Err(retry_after) => Verdict::Unavailable { retry_after },
        }
    }

    /// Joins the call about a token, or makes it in a task of its own, which goes on when nobody waits any more.
    async fn ask(self: &Arc<Self>, token: UnverifiedToken<'_>, fingerprint: Fingerprint, is_unknown: bool) -> Outcome {
        self.metrics.miss();
        let now = self.clock.monotonic();
        let known = || match self.facts.get(fingerprint, now) {
            Known::Fact(fact) => Some(fact),
            _ => None,
        };
        match self.calls.admit(fingerprint, is_unknown, now, known) {
            Admission::Known(fact) => Ok(fact),
            Admission::Wait(waiter) => self.wait(waiter).await,
            Admission::Make(waiter, making) => {
                let call = Arc::clone(self).call(token.as_str().to_owned(), fingerprint, making);
                Handle::current().spawn(call);
                self.wait(waiter).await
            }
            Admission::Refused(wait) => {
                self.metrics.limited();
                Err(wait)
            }
        }
    }

    async fn wait(&self, waiter: Waiter) -> Outcome {
        let too_late = self.clock.sleep_until(self.clock.now().plus(WAIT));
        tokio::select! {
            outcome = waiter.outcome() => outcome,
            () = too_late => Err(SOON),
        }
    }

    async fn call(self: Arc<Self>, token: String, fingerprint: Fingerprint, making: Making) {
        let asked = AskedAt { at: self.clock.now(), instant: self.clock.monotonic() };
        let (result, outcome) = match self.fact(&token, asked).await {
            Ok(fact) => {
                self.facts.keep(fingerprint, &fact, asked);
                self.note_success();
                let result =
                    if matches!(fact, Fact::Active(_)) { Introspected::Active } else { Introspected::Inactive };
                (Ok(result), Ok(fact))
            }
            Err(error) => (Err(error.class()), Err(self.fail(&error))),
        };
        self.metrics.asked(result, self.clock.monotonic().saturating_sub(asked.instant));
        making.end(outcome);
    }

    async fn fact(&self, token: &str, asked: AskedAt) -> Result<Fact, AskError> {
        let answer = self.provider.ask(token).await?;
        let believed_until = asked.at.plus(self.facts.lifetime()).max(self.clock.now().plus(MIN_BELIEVED));
        Ok(answer::judge(answer, &self.acceptance, &self.rules, believed_until)?)
    }

    /// Finds out where the issuer is asked, in a task of its own.
    pub(super) fn find_endpoint(self: &Arc<Self>) {
        let introspector = Arc::clone(self);
        Handle::current().spawn(async move {
            if let Err(error) = introspector.provider.address().await {
                introspector.fail(&error);
            }
        });
    }

    /// Tells the operator, and gives the time after which it makes sense to ask again.
    fn fail(&self, error: &AskError) -> Duration {
        let now = self.clock.monotonic();
        if self.note_failure(error.class(), now) {
            let (name, issuer) = (&self.name, &self.provider.issuer);
            if error.is_about_us() {
                tracing::error!(
                    verifier = name,
                    issuer,
                    %error,
                    "the issuer refuses this gateway: correct verifiers.{name}.client_id, client_secret or auth, or allow \
                     this client to introspect"
                );
            } else {
                tracing::warn!(verifier = name, issuer, %error, "the issuer can not be asked about tokens");
            }
        }
        error.retry_after().map_or(SOON, |wait| self.calls.pause(now, wait))
    }

    /// Notes a failure; true when the log has not told of one for a while.
    fn note_failure(&self, class: FetchErrorClass, now: Duration) -> bool {
        let mut lately = self.lately();
        lately.last_call = Some(now);
        lately.last_error = Some(class);
        lately.failures = lately.failures.saturating_add(1);
        let may_log = lately.logged.is_none_or(|last| now >= last + LOG_INTERVAL);
        if may_log {
            lately.logged = Some(now);
        }
        may_log
    }

    fn note_success(&self) {
        let mut lately = self.lately();
        let before =
            std::mem::replace(&mut *lately, Lately { last_call: Some(self.clock.monotonic()), ..Lately::default() });
        if before.failures > 0 {
            tracing::info!(
                verifier = self.name,
                issuer = self.provider.issuer,
                "the issuer can be asked about tokens again"
            );
        }
    }

    fn lately(&self) -> MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the calls get on.
    pub(super) fn report(&self) -> IntrospectionReport {
        let lately = self.lately();
        IntrospectionReport {
            last_call: lately.last_call.map(|last| self.clock.monotonic().saturating_sub(last)),
            consecutive_failures: lately.failures,
            last_error: lately.last_error,
        }
    }
}
