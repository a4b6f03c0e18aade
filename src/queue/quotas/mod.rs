//! A fair share per owner: how often it may call, and how many of its requests may be open, so that a noisy one does not starve others.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::core::claims::Caller;
use crate::core::clock::Clock;
use crate::core::error::{Error, StoreError};
use crate::core::ports::requests::Requests;
use crate::core::quota::{Exceeded, Limit};
use crate::core::request::Owner;
use crate::telemetry::metrics::QuotaMetrics;

mod open;
mod rate;
pub mod settings;

use open::Open;
pub(super) use open::Taken;
use rate::{Rate, Ticks};
use settings::{QuotaSettings, Terms};

/// So many owners are remembered: one who is forgotten begins with a whole share, and is counted anew.
const OWNERS: usize = 16_384;

/// How many there usually are; space for these is taken at once.
const USUAL_OWNERS: usize = 256;

/// What is known of owners. Hashed with keys drawn at random, and fast: a look costs every call.
type Known<T> = Cache<Owner, Arc<T>, UnitWeighter, foldhash::fast::RandomState>;

fn known<T>() -> Known<T> {
    Cache::with(
        USUAL_OWNERS,
        OWNERS as u64,
        UnitWeighter,
        foldhash::fast::RandomState::default(),
        DefaultLifecycle::default(),
    )
}

/// What owners may take, and have taken.
pub struct Quotas {
    usual: Class,
    /// The clients with limits of their own, by name: their issuer, and the limits.
    own: HashMap<String, (String, Class)>,
    open: Known<Open>,
    /// The greatest limit on open requests; none where nobody has one.
    most_open: Option<u64>,
    clock: Arc<dyn Clock>,
    metrics: QuotaMetrics,
}

/// Limits, and what the owners have left of the rate who have these.
struct Class {
    terms: Terms,
    quota: Option<governor::Quota>,
    rates: Known<Rate>,
}

impl Class {
    fn of(terms: Terms) -> Self {
        let quota = rate::quota(terms.requests_per_second, terms.burst);
        Self { terms, quota, rates: known() }
    }

    /// The limit on open requests, if there is one.
    fn open_requests(&self) -> Option<u64> {
        Some(self.terms.open_requests).filter(|limit| *limit > 0)
    }
}

impl Quotas {
    /// Quotas as the section `[quotas]` says. Clients that are named without an issuer are those of `own_issuer`.
    pub fn new(settings: &QuotaSettings, own_issuer: &str, clock: Arc<dyn Clock>, metrics: QuotaMetrics) -> Self {
        let named = settings.clients.iter().map(|(name, client)| {
            let issuer = client.issuer.as_deref().unwrap_or(own_issuer).to_owned();
            (name.clone(), (issuer, Class::of(settings.of(client))))
        });
        let (usual, own): (_, HashMap<_, _>) = (Class::of(settings.usual()), named.collect());
        let classes = own.values().map(|(_, class)| class).chain([&usual]);
        let most_open = classes.filter_map(Class::open_requests).max();
        Self { usual, own, open: known(), most_open, clock, metrics }
    }

    /// The limits that hold for a caller: those of its client, where it has its own. Whoever has no client goes by its subject.
    fn class(&self, caller: &Caller) -> &Class {
        if self.own.is_empty() {
            return &self.usual;
        }
        let own = self.own.get(caller.client_id.as_ref().unwrap_or(&caller.subject));
        own.filter(|(issuer, _)| *issuer == caller.issuer).map_or(&self.usual, |(_, class)| class)
    }

    /// Takes one call out of the share of the caller's owner.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`]: there is none left now.
    pub fn admit(&self, caller: &Caller) -> Result<(), Error> {
        let class = self.class(caller);
        let Some(quota) = class.quota else { return Ok(()) };
        let begin = || Ok::<_, Infallible>(Arc::new(Rate::new(quota, Ticks(Arc::clone(&self.clock)))));
        let rate = class.rates.get_or_insert_with(&caller.owner, begin).unwrap_or_else(|never| match never {});
        let value = class.terms.requests_per_second.into();
        rate.take().map_err(|reset| self.refuse(Exceeded { limit: Limit::RequestsPerSecond, value, reset }))
    }

    /// Counts a refusal.
    pub(super) fn refuse(&self, exceeded: Exceeded) -> Error {
        self.metrics.refused(exceeded.limit);
        Error::QuotaExceeded(exceeded)
    }

    /// Takes the room of one more open request; none is needed where nobody has a limit.
    ///
    /// # Errors
    /// The store's. Within: there is no room, which is not counted as a refusal yet.
    pub(super) async fn room(
        &self,
        requests: &dyn Requests,
        caller: &Caller,
    ) -> Result<Result<Option<Taken>, Exceeded>, StoreError> {
        let Some(most) = self.most_open else { return Ok(Ok(None)) };
        let (limit, owner) = (self.class(caller).open_requests(), &caller.owner);
        let unknown = || Ok::<_, Infallible>(Arc::default());
        let open = self.open.get_or_insert_with(owner, unknown).unwrap_or_else(|never| match never {});
        if let Some(taken) = open.take(limit) {
            return Ok(Ok(Some(taken)));
        }
        let _alone = open.recounting.lock().await;
        if open.counts_for(self.clock.monotonic()).is_zero() {
            open.begin();
            let began = self.clock.monotonic();
            // Up to the greatest limit: another client of the same owner may have that one.
            let counted = requests.count_open(owner, most, self.clock.now()).await?;
            open.learn(counted, began, self.clock.monotonic());
        }
        Ok(open.take(limit).map(Some).ok_or_else(|| Exceeded {
            limit: Limit::OpenRequests,
            value: limit.unwrap_or(most),
            reset: open.counts_for(self.clock.monotonic()),
        }))
    }
}
