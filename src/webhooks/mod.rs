//! Webhooks: an owner's endpoints, and the sender that tells them what becomes of the owner's requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::clock::{Clock, Timestamp};
use crate::core::entropy::Entropy;
use crate::core::error::{Error, Fault, StoreError};
use crate::core::policy::{ManageWebhooks, Permit};
use crate::core::ports::webhooks::{Addressed, Webhooks as Port};
use crate::core::request::{RequestId, Status};
use crate::core::webhook::{Change, Delivery, DeliveryId, Endpoint, EndpointId, SecretText, SigningKey};
use crate::net::Pusher;
use crate::telemetry::metrics::WebhookMetrics;

mod bell;
mod event_names;
mod sender;
mod settings;
mod signing;

pub use bell::Bell;
pub use event_names::name as event_name;
pub use settings::{EndpointSettings, Judged, WebhookPlan, WebhookSettings};
pub use signing::{Algorithm, Key};

/// How many endpoints an owner may have.
const MOST_ENDPOINTS: usize = 20;
/// How long the description of one may be, in characters.
const LONGEST_DESCRIPTION: usize = 200;
/// How many deliveries of a request an operator is shown.
const SHOWN_TO_OPERATORS: usize = 100;

/// What an owner asks for.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Where.
    pub url: String,
    /// What it is for.
    pub description: String,
    /// Of which events; of none that is named: of every end.
    pub events: Vec<String>,
    /// How its deliveries are signed.
    pub algorithm: Algorithm,
}

/// An endpoint as its owner may see it.
#[derive(Debug)]
pub struct Shown {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// How its deliveries are signed.
    pub algorithm: Algorithm,
    /// What its receiver verifies by, where that is no secret; the newest first.
    pub public_keys: Vec<String>,
}

/// The service of the webhooks.
pub struct Webhooks {
    store: Arc<dyn Port>,
    pusher: Pusher,
    settings: WebhookSettings,
    /// The keys of the endpoints that are configured, by their names.
    configured: BTreeMap<String, Vec<Key>>,
    /// Those endpoints.
    to_configure: Vec<Endpoint>,
    bell: Arc<Bell>,
    metrics: WebhookMetrics,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Webhooks {
    /// A service over a store of endpoints and deliveries.
    pub fn new(
        store: Arc<dyn Port>,
        plan: WebhookPlan,
        metrics: WebhookMetrics,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let WebhookPlan { settings, pusher, endpoints, keys } = plan;
        let bell = Arc::default();
        Self { store, pusher, settings, configured: keys, to_configure: endpoints, bell, metrics, clock, entropy }
    }

    /// Gives the store the endpoints that are configured; before anything is submitted.
    ///
    /// # Errors
    /// The store.
    pub async fn configure(&self) -> Result<(), StoreError> {
        let is_needed = !self.to_configure.is_empty() || self.store.outlook().await?.is_used;
        if is_needed { self.store.configure(self.to_configure.clone()).await } else { Ok(()) }
    }

    /// What is to be rung when a request has changed.
    pub fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    /// Adds an endpoint; answers it with its secret, which is shown only here.
    ///
    /// # Errors
    /// What is wrong with the draft; too many endpoints; the store.
    pub async fn create(
        &self,
        permit: &Permit<ManageWebhooks>,
        draft: Draft,
    ) -> Result<(Shown, Option<SecretText>), Error> {
        let statuses = self.judge(&draft)?;
        let now = self.clock.now();
        let secret = Key::draw(draft.algorithm, &*self.entropy);
        let endpoint = Endpoint {
            id: EndpointId::draw(now, &*self.entropy),
            owner: permit.caller().owner.clone(),
            name: None,
            url: draft.url,
            description: draft.description,
            statuses,
            keys: vec![SigningKey { secret: secret.clone(), expires_at: None }],
            created_at: now,
            disabled: None,
            failures: 0,
            failing_since: None,
            resting_until: None,
        };
        if !self.store.add(endpoint.clone(), MOST_ENDPOINTS).await? {
            return Err(Error::EndpointConflict("There are 20 endpoints already. Remove one that is not needed."));
        }
        self.listen();
        Ok((self.shown(endpoint), shared(draft.algorithm, secret)))
    }

    fn judge(&self, draft: &Draft) -> Result<Vec<Status>, Error> {
        let fault = |pointer: String, detail: String| Error::Malformed {
            detail: format!("The endpoint can not be used: {detail}."),
            faults: vec![Fault { pointer, code: "invalid_value", detail }],
        };
        let reach = self.pusher.reach();
        reach.judge(&draft.url).map_err(|problem| fault("/url".into(), format!("the address {problem}")))?;
        if draft.description.chars().count() > LONGEST_DESCRIPTION {
            let detail = format!("the description has more than {LONGEST_DESCRIPTION} characters");
            return Err(fault("/description".into(), detail));
        }
        event_names::parse(&draft.events).map_err(|(place, problem)| fault(format!("/events/{place}"), problem))
    }

    /// The caller's endpoints, the oldest first.
    ///
    /// # Errors
    /// The store.
    pub async fn list(&self, permit: &Permit<ManageWebhooks>) -> Result<Vec<Shown>, Error> {
        let endpoints = self.store.endpoints(&permit.caller().owner).await?;
        Ok(endpoints.into_iter().map(|endpoint| self.shown(endpoint)).collect())
    }

    /// The caller's endpoint of that id.
    ///
    /// # Errors
    /// [`Error::NotFound`]; the store.
    pub async fn get(&self, permit: &Permit<ManageWebhooks>, id: EndpointId) -> Result<Shown, Error> {
        self.find(permit, id).await.map(|endpoint| self.shown(endpoint))
    }

    async fn find(&self, permit: &Permit<ManageWebhooks>, id: EndpointId) -> Result<Endpoint, Error> {
        let endpoints = self.store.endpoints(&permit.caller().owner).await?;
        endpoints.into_iter().find(|endpoint| endpoint.id == id).ok_or(Error::NotFound)
    }

    /// The endpoint, if it was made by a call: what is configured is changed in the configuration.
    async fn find_own(&self, permit: &Permit<ManageWebhooks>, id: EndpointId) -> Result<Endpoint, Error> {
        let endpoint = self.find(permit, id).await?;
        if endpoint.name.is_some() {
            return Err(Error::EndpointConflict(
                "The endpoint is configured by the Provider, who alone can change it.",
            ));
        }
        Ok(endpoint)
    }

    /// Removes an endpoint, with its deliveries.
    ///
    /// # Errors
    /// [`Error::NotFound`]; one that is configured; the store.
    pub async fn remove(&self, permit: &Permit<ManageWebhooks>, id: EndpointId) -> Result<(), Error> {
        self.find_own(permit, id).await?;
        if self.store.remove(&permit.caller().owner, id).await? { Ok(()) } else { Err(Error::NotFound) }
    }

    /// Gives an endpoint another key of the same kind; the one before it signs as well for a while.
    ///
    /// # Errors
    /// As [`Webhooks::remove`].
    pub async fn rotate(
        &self,
        permit: &Permit<ManageWebhooks>,
        id: EndpointId,
    ) -> Result<(Shown, Option<SecretText>), Error> {
        let algorithm = self.shown(self.find_own(permit, id).await?).algorithm;
        let secret = Key::draw(algorithm, &*self.entropy);
        let change = Change::Rotate(secret.clone(), self.settings.rotation_overlap.duration());
        Ok((self.change(permit, id, change).await?, shared(algorithm, secret)))
    }

    /// Lets an endpoint be told again that was disabled.
    ///
    /// # Errors
    /// [`Error::NotFound`]; the store.
    pub async fn enable(&self, permit: &Permit<ManageWebhooks>, id: EndpointId) -> Result<Shown, Error> {
        self.change(permit, id, Change::Enable).await
    }

    async fn change(&self, permit: &Permit<ManageWebhooks>, id: EndpointId, change: Change) -> Result<Shown, Error> {
        let changed = self.store.change(&permit.caller().owner, id, change).await?;
        self.listen();
        changed.map(|endpoint| self.shown(endpoint)).ok_or(Error::NotFound)
    }

    /// Sends a test to an endpoint.
    ///
    /// # Errors
    /// [`Error::NotFound`]; one that is disabled; the store.
    pub async fn test(&self, permit: &Permit<ManageWebhooks>, id: EndpointId) -> Result<Delivery, Error> {
        self.find_enabled(permit, id).await?;
        let now = self.clock.now();
        let delivery = Delivery::test(DeliveryId::draw(now, &*self.entropy), id, now);
        self.store.deliver(delivery.clone()).await?;
        self.listen();
        Ok(delivery)
    }

    /// The deliveries to an endpoint, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`]; the store.
    pub async fn deliveries(
        &self,
        permit: &Permit<ManageWebhooks>,
        id: EndpointId,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>, Error> {
        self.find(permit, id).await?;
        Ok(self.store.deliveries(id, after, limit).await?)
    }

    /// The endpoint, if it is told anything.
    async fn find_enabled(&self, permit: &Permit<ManageWebhooks>, id: EndpointId) -> Result<Endpoint, Error> {
        let endpoint = self.find(permit, id).await?;
        if endpoint.disabled.is_some() {
            return Err(Error::EndpointConflict("The endpoint is disabled. Enable it first."));
        }
        Ok(endpoint)
    }

    /// Sends a delivery again, under the same name.
    ///
    /// # Errors
    /// [`Error::NotFound`]; one that is disabled; the store.
    pub async fn replay(
        &self,
        permit: &Permit<ManageWebhooks>,
        id: EndpointId,
        delivery: DeliveryId,
    ) -> Result<Delivery, Error> {
        self.find_enabled(permit, id).await?;
        let replayed = self.store.replay(id, delivery).await?.ok_or(Error::NotFound)?;
        self.listen();
        Ok(replayed)
    }

    /// The deliveries that tell of a request, with their endpoints, for operators.
    ///
    /// # Errors
    /// The store.
    pub async fn deliveries_of(&self, request: RequestId) -> Result<Vec<Addressed>, StoreError> {
        self.store.deliveries_of(request, SHOWN_TO_OPERATORS).await
    }

    /// Something is there to be told.
    fn listen(&self) {
        self.bell.set_heard(true);
        self.bell.ring();
    }

    fn shown(&self, endpoint: Endpoint) -> Shown {
        let keys = |key: &Key| (key.algorithm(), key.public());
        let keys: Vec<_> =
            self.with_keys(&endpoint, self.clock.now(), |found| found.iter().map(|key| keys(key)).collect());
        let algorithm = keys.first().map_or(Algorithm::default(), |(algorithm, _)| *algorithm);
        Shown { endpoint, algorithm, public_keys: keys.into_iter().filter_map(|(_, public)| public).collect() }
    }

    /// Does something with the keys that sign at `now`.
    fn with_keys<T>(&self, endpoint: &Endpoint, now: Timestamp, use_them: impl FnOnce(&[&Key]) -> T) -> T {
        let own: Vec<_> = endpoint.keys_at(now).filter_map(|key| Key::parse(&key.secret.0).ok()).collect();
        let configured = endpoint.name.as_ref().and_then(|name| self.configured.get(name));
        use_them(&configured.unwrap_or(&own).iter().collect::<Vec<_>>())
    }
}

/// The secret, where the receiver has to know it.
fn shared(algorithm: Algorithm, secret: SecretText) -> Option<SecretText> {
    (algorithm == Algorithm::HmacSha256).then_some(secret)
}
