//! A sender whose store always has stages of timelines to tell: what is due is sent all the same.

use std::path::Path;
use std::sync::Arc;

use anteroom::core::BoxFuture;
use anteroom::core::clock::{Clock, Timestamp};
use anteroom::core::error::StoreError;
use anteroom::core::ports::webhooks::{Addressed, Outlook, Report, Take, Webhooks as Port};
use anteroom::core::request::{Owner, RequestId, Status};
use anteroom::core::webhook::{Change, Delivery, DeliveryId, Endpoint, EndpointId, SecretText, SigningKey};
use anteroom::net::NetSettings;
use anteroom::telemetry::metrics::Metrics;
use anteroom::webhooks::{Judged, WebhookSettings, Webhooks};

use super::Receiver;
use crate::stores::{Opened, owner};
use crate::verify::fake_provider::Chance;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A store in which a stage has always just begun, as where requests come in faster than one looks.
struct Busy(Arc<dyn Port>, Arc<dyn Clock>);

impl Port for Busy {
    fn outlook(&self) -> Answer<'_, Outlook> {
        let now = self.1.now();
        Box::pin(async move {
            // A store on a disk lets others go on meanwhile as well.
            tokio::task::yield_now().await;
            Ok(Outlook { next_stage_at: Some(now), ..self.0.outlook().await? })
        })
    }

    fn configure(&self, endpoints: Vec<Endpoint>) -> Answer<'_, ()> {
        self.0.configure(endpoints)
    }

    fn add(&self, endpoint: Endpoint, most: usize) -> Answer<'_, bool> {
        self.0.add(endpoint, most)
    }

    fn endpoints<'a>(&'a self, owner: &'a Owner) -> Answer<'a, Vec<Endpoint>> {
        self.0.endpoints(owner)
    }

    fn change<'a>(&'a self, owner: &'a Owner, id: EndpointId, change: Change) -> Answer<'a, Option<Endpoint>> {
        self.0.change(owner, id, change)
    }

    fn remove<'a>(&'a self, owner: &'a Owner, id: EndpointId) -> Answer<'a, bool> {
        self.0.remove(owner, id)
    }

    fn deliver(&self, delivery: Delivery) -> Answer<'_, ()> {
        self.0.deliver(delivery)
    }

    fn deliveries(&self, id: EndpointId, after: Option<DeliveryId>, limit: usize) -> Answer<'_, Vec<Delivery>> {
        self.0.deliveries(id, after, limit)
    }

    fn deliveries_of(&self, request: RequestId, limit: usize) -> Answer<'_, Vec<Addressed>> {
        self.0.deliveries_of(request, limit)
    }

    fn replay(&self, endpoint: EndpointId, id: DeliveryId) -> Answer<'_, Option<Delivery>> {
        self.0.replay(endpoint, id)
    }

    fn follow(&self, most: usize) -> Answer<'_, ()> {
        self.0.follow(most)
    }

    fn take(&self, take: Take) -> Answer<'_, Vec<Addressed>> {
        self.0.take(take)
    }

    fn attempted(&self, report: Report) -> Answer<'_, Option<Addressed>> {
        self.0.attempted(report)
    }

    fn forget(&self, before: Timestamp, most: usize) -> Answer<'_, usize> {
        self.0.forget(before, most)
    }
}

fn endpoint(url: String, now: Timestamp) -> Endpoint {
    let secret = SecretText("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
    Endpoint {
        id: EndpointId::draw(now, &Chance(1)),
        owner: owner("anna"),
        name: None,
        url,
        description: String::new(),
        statuses: vec![Status::Succeeded],
        keys: vec![SigningKey { secret, expires_at: None }],
        created_at: now,
        disabled: None,
        failures: 0,
        failing_since: None,
        resting_until: None,
    }
}

#[tokio::test]
async fn stages_that_begin_all_the_time_keep_no_delivery_waiting() {
    let (on, receiver) = (Opened::new("memory:"), Receiver::start().await);
    let clock: Arc<dyn Clock> = Arc::new(on.clock.clone());
    let to = endpoint(receiver.url(), clock.now());
    let busy = Arc::new(Busy(on.store.webhooks(), Arc::clone(&clock)));
    assert!(busy.add(to.clone(), 20).await.unwrap());
    let id = DeliveryId::draw(clock.now(), &Chance(2));
    busy.deliver(Delivery::test(id, to.id, clock.now())).await.unwrap();
    let net = NetSettings::default().open(Path::new(".")).unwrap();
    let judged = Judged {
        base: Path::new("."),
        issuer: "https://anteroom.example",
        is_development: true,
        net: &net,
        now: clock.now(),
        entropy: &Chance(3),
    };
    let plan = WebhookSettings::default().build(judged).unwrap();
    let sender = Webhooks::new(busy, plan, Metrics::new().webhooks(), clock, Arc::new(Chance(4)));
    let sending = tokio::spawn(Arc::new(sender).run());
    receiver.told(1).await;
    sending.abort();
}
