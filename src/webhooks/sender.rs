//! The sender: sleeps until something is to be told, and tells it; it looks at the store only when it was woken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};

use super::Webhooks;
use super::signing::headers;
use crate::core::clock::Timestamp;
use crate::core::error::StoreError;
use crate::core::ports::webhooks::{Addressed, Report, Take};
use crate::core::webhook::{Attempt, Delivery, Endpoint, EndpointId, Heard};
use crate::telemetry::metrics::Told;

/// How many deliveries are on their way at once, to all endpoints together.
const AT_ONCE: usize = 64;
/// How many timelines are looked at in one commit.
const TIMELINES: usize = 500;
/// How many deliveries are removed in one commit, and how often it is looked for them.
const FORGOTTEN: usize = 1000;
const FORGET_EVERY: Duration = Duration::from_hours(1);
/// How long to wait when the store did not answer, and when every place is taken.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
const WHEN_FULL: Duration = Duration::from_secs(1);
/// How often to look where other gateways write as well.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// When to look again, unless woken before.
enum Next {
    At(Timestamp),
    After(Duration),
    WhenWoken,
}

/// The deliveries that are on their way.
#[derive(Default)]
struct Flights {
    tasks: JoinSet<EndpointId>,
    by_endpoint: BTreeMap<EndpointId, usize>,
}

impl Flights {
    fn landed(&mut self, landed: Result<EndpointId, JoinError>) {
        let Ok(endpoint) = landed else {
            // Nobody knows whose it was: all may be counted again.
            self.by_endpoint.clear();
            return;
        };
        if let Some(count) = self.by_endpoint.get_mut(&endpoint) {
            *count -= 1;
            if *count == 0 {
                self.by_endpoint.remove(&endpoint);
            }
        }
    }
}

impl Webhooks {
    /// Sends what is to be sent, for as long as it is polled.
    pub async fn run(self: Arc<Self>) {
        let (mut flights, mut forget_at, mut is_failing) = (Flights::default(), self.clock.now(), false);
        loop {
            let looked = self.look(&mut flights, &mut forget_at).await;
            let has_failed = std::mem::replace(&mut is_failing, looked.is_err());
            let next = match looked {
                Ok(next) => {
                    if has_failed {
                        tracing::info!("webhooks go on: the store answers again");
                    }
                    next
                }
                Err(error) => {
                    if !has_failed {
                        tracing::warn!(%error, "webhooks wait: the store does not answer");
                    }
                    Next::After(AFTER_FAILURE)
                }
            };
            tokio::select! {
                () = self.bell.rung() => {}
                Some(landed) = flights.tasks.join_next() => flights.landed(landed),
                () = self.wait(next) => {}
            }
        }
    }

    async fn wait(&self, next: Next) {
        let is_shared = self.store.is_shared();
        match next {
            Next::After(duration) => self.clock.sleep(duration).await,
            Next::At(instant) if is_shared => {
                tokio::select! {
                    () = self.clock.sleep_until(instant) => {}
                    () = self.clock.sleep(LOOK_EVERY) => {}
                }
            }
            Next::At(instant) => self.clock.sleep_until(instant).await,
            Next::WhenWoken if is_shared => self.clock.sleep(LOOK_EVERY).await,
            Next::WhenWoken => std::future::pending().await,
        }
    }

    /// Does what there is to do now, and says when there will be more.
    async fn look(self: &Arc<Self>, flights: &mut Flights, forget_at: &mut Timestamp) -> Result<Next, StoreError> {
        let mut outlook = self.store.outlook().await?;
        if !outlook.is_used {
            // Who begins to listen says so after that is written: either it is seen here, or the bell is heard.
            self.bell.set_heard(false);
            outlook = self.store.outlook().await?;
        }
        if !outlook.is_used {
            return Ok(Next::WhenWoken);
        }
        self.bell.set_heard(true);
        let now = self.clock.now();
        // There may always be more of them: what is due is sent between one look and the next.
        let has_followed = outlook.next_stage_at.is_some_and(|at| at <= now);
        if has_followed {
            self.store.follow(TIMELINES).await?;
        }
        if *forget_at <= now {
            let before = now.plus_millis(-self.settings.retention.millis());
            let is_all = self.store.forget(before, FORGOTTEN).await? < FORGOTTEN;
            *forget_at = if is_all { now.plus(FORGET_EVERY) } else { now };
        }
        if has_followed || outlook.next_due_at.is_some_and(|at| at <= now) {
            // There may be more; and where there is no room for it, something else may be due next.
            let is_any = self.launch(flights).await?;
            return Ok(if has_followed || is_any { Next::At(now) } else { Next::After(WHEN_FULL) });
        }
        let next = [outlook.next_stage_at, outlook.next_due_at, Some(*forget_at)];
        Ok(next.into_iter().flatten().min().map_or(Next::WhenWoken, Next::At))
    }

    /// Sends what is due, as far as there is room; says whether there was anything.
    async fn launch(self: &Arc<Self>, flights: &mut Flights) -> Result<bool, StoreError> {
        while let Some(landed) = flights.tasks.try_join_next() {
            flights.landed(landed);
        }
        let most = AT_ONCE.saturating_sub(flights.tasks.len());
        if most == 0 {
            return Ok(false);
        }
        let taken = self.store.take(Take { most, on_their_way: flights.by_endpoint.clone() }).await?;
        let is_any = !taken.is_empty();
        for addressed in taken {
            *flights.by_endpoint.entry(addressed.1.id).or_default() += 1;
            flights.tasks.spawn(Arc::clone(self).send(addressed));
        }
        Ok(is_any)
    }

    /// Makes one attempt, and writes down what came of it.
    async fn send(self: Arc<Self>, (delivery, endpoint): Addressed) -> EndpointId {
        let (at, began) = (self.clock.now(), self.clock.monotonic());
        let heard = self.ask(&delivery, &endpoint, at).await;
        let took = self.clock.monotonic().saturating_sub(began);
        self.metrics.told(outcome(&heard), took);
        let (status, error) = match &heard {
            Heard::Answer { status, .. } => (Some(*status), None),
            Heard::Nothing(why) => (None, Some(why.clone())),
        };
        let attempt = Attempt { at, took: u64::try_from(took.as_millis()).unwrap_or(u64::MAX), status, error };
        let (id, event) = (delivery.id, &delivery.event);
        if !heard.is_taken() {
            tracing::info!(webhook_id = %id, endpoint_id = %endpoint.id, event, ?status, error = attempt.error, "a webhook was not taken");
        }
        let chance = u16::from_be_bytes(self.entropy.draw());
        let report = Report { delivery: id, attempt, heard, chance };
        match self.store.attempted(report).await {
            Ok(Some((_, after))) => self.tell_disabled(&endpoint, &after),
            Ok(None) => {}
            // It is sent again when its time as one that is on its way is over.
            Err(error) => tracing::warn!(webhook_id = %id, %error, "what came of a webhook could not be stored"),
        }
        endpoint.id
    }

    fn tell_disabled(&self, before: &Endpoint, after: &Endpoint) {
        if let (None, Some(disabled)) = (&before.disabled, &after.disabled) {
            self.metrics.disabled();
            tracing::warn!(endpoint_id = %after.id, name = after.name, reason = disabled.reason, "a webhook endpoint was disabled");
        }
    }

    async fn ask(&self, delivery: &Delivery, endpoint: &Endpoint, now: Timestamp) -> Heard {
        let id = delivery.id.to_string();
        let headers = self.with_keys(endpoint, now, |keys| {
            (!keys.is_empty()).then(|| headers(&id, now.seconds(), &delivery.body, keys.iter().copied()))
        });
        let Some(headers) = headers else { return Heard::Nothing("There is no key to sign with.".into()) };
        match self.pusher.push(&endpoint.url, &headers, &delivery.body).await {
            Ok(pushed) => Heard::Answer { status: pushed.status, retry_after: pushed.retry_after },
            Err(why) => Heard::Nothing(why),
        }
    }
}

fn outcome(heard: &Heard) -> Told {
    match heard {
        heard if heard.is_taken() => Told::Taken,
        Heard::Answer { .. } => Told::Refused,
        Heard::Nothing(_) => Told::Unreachable,
    }
}
