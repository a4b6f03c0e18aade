//! Owners and timelines by their numbers: rows that never change, so that each is asked for once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use deadpool_postgres::GenericClient;
use quick_cache::sync::Cache;

use super::document::json;
use super::fault::Fault;
use crate::core::request::{Owner, Request};
use crate::core::timeline::Timeline;

/// So many owners are remembered.
const OWNERS: usize = 10_000;

/// The timelines that are known to be committed, by their number.
pub(super) struct Timelines(RwLock<HashMap<i64, Arc<Timeline>>>);

impl Timelines {
    pub(super) fn get(&self, number: i64) -> Option<Arc<Timeline>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    fn number_of(&self, timeline: &Arc<Timeline>) -> Option<i64> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let same = |one: &Arc<Timeline>| Arc::ptr_eq(one, timeline) || one == timeline;
        known.iter().find(|(_, one)| same(one)).map(|(number, _)| *number)
    }

    /// Learns one as it lies in its row. What is damaged is found out by the requests that name it.
    pub(super) fn learn_definition(&self, number: i64, definition: &str) {
        if let Ok(timeline) = serde_json::from_str::<Timeline>(definition) {
            self.learn(number, Arc::new(timeline));
        }
    }

    fn learn(&self, number: i64, timeline: Arc<Timeline>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(number, timeline);
    }
}

/// What is known of both tables.
pub(super) struct Names {
    owners: Cache<Owner, i64>,
    pub(super) timelines: Timelines,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { owners: Cache::new(OWNERS), timelines: Timelines(RwLock::default()) }
    }

    /// Forgets everything: after an outage the database may be another, restored from a backup.
    pub(super) fn forget(&self) {
        self.owners.clear();
        self.timelines.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The number of an owner who has one.
    pub(super) async fn find_owner(&self, client: &impl GenericClient, owner: &Owner) -> Result<Option<i64>, Fault> {
        if let Some(number) = self.owners.get(owner) {
            return Ok(Some(number));
        }
        let statement = client.prepare_cached("SELECT owner FROM owners WHERE issuer = $1 AND subject = $2").await?;
        let row = client.query_opt(&statement, &[&owner.issuer.as_bytes(), &owner.subject.as_bytes()]).await?;
        let number = row.map(|row| row.get(0));
        if let Some(number) = number {
            self.owners.insert(owner.clone(), number);
        }
        Ok(number)
    }

    /// The number of an owner, who gets one where there is none. To be called outside of a transaction.
    pub(super) async fn owner(&self, client: &impl GenericClient, owner: &Owner) -> Result<i64, Fault> {
        loop {
            if let Some(number) = self.find_owner(client, owner).await? {
                return Ok(number);
            }
            let insert = "INSERT INTO owners (issuer, subject) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            let statement = client.prepare_cached(insert).await?;
            client.execute(&statement, &[&owner.issuer.as_bytes(), &owner.subject.as_bytes()]).await?;
        }
    }

    /// The number of the request's timeline, which gets one where there is none; none when workers work on it. To be called outside
    /// of a transaction.
    pub(super) async fn timeline(&self, client: &impl GenericClient, request: &Request) -> Result<Option<i64>, Fault> {
        let Some(timeline) = request.simulation().map(|simulation| &simulation.timeline) else { return Ok(None) };
        if let Some(number) = self.timelines.number_of(timeline) {
            return Ok(Some(number));
        }
        let definition = definition(timeline);
        let insert = "INSERT INTO timelines (definition) VALUES ($1) ON CONFLICT DO NOTHING";
        client.execute(&client.prepare_cached(insert).await?, &[&definition]).await?;
        let select = "SELECT timeline FROM timelines WHERE md5(definition) = md5($1)";
        let row = client.query_one(&client.prepare_cached(select).await?, &[&definition]).await?;
        let number = row.get(0);
        self.timelines.learn(number, Arc::clone(timeline));
        Ok(Some(number))
    }

    /// Sees to it that timelines are known.
    pub(super) async fn learn(&self, client: &impl GenericClient, numbers: Vec<i64>) -> Result<(), Fault> {
        let unknown: Vec<i64> = numbers.into_iter().filter(|number| self.timelines.get(*number).is_none()).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let select = "SELECT timeline, definition FROM timelines WHERE timeline = ANY($1)";
        for row in client.query(&client.prepare_cached(select).await?, &[&unknown]).await? {
            self.timelines.learn_definition(row.get(0), row.get(1));
        }
        Ok(())
    }
}

/// A timeline as JSON text: the same for the same timeline.
fn definition(timeline: &Timeline) -> String {
    json(timeline)
}
