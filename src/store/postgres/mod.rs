//! The store that several gateways share: a PostgreSQL database.
//!
//! Everything that speaks to the server runs on one [`thread`]. A submission goes through [`group`] and shares a commit with those that
//! come meanwhile; an act locks the rows of its requests, judges, and writes ([`acts`], [`ledger`]); a claim passes over what others
//! are about to lease ([`leases`]). [`link`] holds the one session that is always there. The server may go and come back at any time:
//! meanwhile every operation fails, within seconds, and nothing is tried again of which nobody knows whether it was done.

mod acts;
mod announcer;
mod check;
mod document;
mod fault;
mod group;
mod leases;
mod ledger;
mod link;
mod migrate;
mod names;
mod place;
mod reads;
mod records;
mod requests;
mod retention;
mod rows;
mod shared;
mod submit;
mod thread;
mod tls;
mod webhooks;

use std::future::{Future, pending};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::core::BoxFuture;
use crate::core::clock::Clock;
use crate::core::error::Misconfiguration;
use crate::core::ports::records::Records;
use crate::core::ports::requests::Requests;
use crate::core::ports::webhooks::Webhooks;
use crate::core::ports::{Change, Store, StoreDescription};
use crate::store::StoreSettings;
use crate::telemetry::metrics::StoreMetrics;

use announcer::News;
use group::Group;
use link::{Link, Listener};
use migrate::Trouble;
use names::Names;
use place::Place;
use records::PostgresRecords;
use requests::PostgresRequests;
use shared::{Known, Shared};
use thread::Thread;
use webhooks::PostgresWebhooks;

/// How long an operation waits for a session, and a session for the server.
const TIMEOUTS: Timeouts = Timeouts {
    wait: Some(Duration::from_secs(2)),
    create: Some(Duration::from_secs(3)),
    recycle: Some(Duration::from_secs(1)),
};

/// Judges the settings; connects to nothing.
pub(super) fn judge(place: &str, settings: &StoreSettings) -> Result<(), Misconfiguration> {
    if settings.pool_size == 0 {
        return Err(Misconfiguration::new(
            "store.pool_size",
            "is 0",
            "Leave it out, or write how many sessions there may be",
        ));
    }
    let place = Place::of(place, settings)?;
    tls::connector(settings, place.encrypts()).map(|_| ())
}

/// Opens the database at `place`, and makes its tables where there are none.
pub(super) fn open(
    place: &str,
    settings: &StoreSettings,
    clock: Arc<dyn Clock>,
    metrics: StoreMetrics,
) -> Result<Arc<dyn Store>, Misconfiguration> {
    judge(place, settings)?;
    let place = Place::of(place, settings)?;
    let tls = tls::connector(settings, place.encrypts())?;
    let shown = place.shown();
    let pool_size = settings.pool_size;
    let at_url = |trouble: Trouble| super::mistake(format!("{shown} {}", trouble.problem), trouble.remedy);
    let no_thread = |what: &dyn std::fmt::Display| {
        at_url(Trouble::new(format!("can not be spoken to: {what}"), "Let the process have another thread"))
    };
    let thread = Arc::new(Thread::start().map_err(|error| no_thread(&error))?);
    let its_thread = Arc::downgrade(&thread);
    let opened = thread.block_on(async move {
        let known = Known::default();
        migrate::prepare(&place, &tls, &*clock, &known).await?;
        let (news, hints) = News::new();
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(place.serving.clone(), tls.clone(), config);
        let pool = Pool::builder(manager).max_size(pool_size).timeouts(TIMEOUTS).runtime(Runtime::Tokio1).build();
        let pool = pool.map_err(|error| Trouble::new(format!("can not be used: {error}"), "Mend [store]"))?;
        let (names, turns) = (Names::new(), Mutex::default());
        let is_reached = AtomicBool::new(true);
        let shared = Arc::new(Shared { pool, clock, metrics, names, news, turns, known, is_reached });
        let listener = Arc::new(Listener::new());
        let link = Link { shared: Arc::clone(&shared), config: place.serving, tls, listener: Arc::clone(&listener) };
        if let Some(thread) = its_thread.upgrade() {
            thread.begin(link.hold(hints));
        }
        let group = Arc::new(Group::start(Arc::clone(&shared)));
        Ok::<_, Trouble>((shared, group, listener))
    });
    let (shared, group, listener) = opened.ok_or_else(|| no_thread(&"it has ended"))?.map_err(at_url)?;
    let requests = Arc::new(PostgresRequests { shared: Arc::clone(&shared), group, thread: Arc::clone(&thread) });
    Ok(Arc::new(Postgres { requests, shared, thread, listener }))
}

/// Refuses a database that no gateway has used yet; makes nothing.
pub(super) fn find(place: &str, settings: &StoreSettings) -> Result<(), Misconfiguration> {
    ask(place, settings, |place, tls| async move { check::find(&place, &tls).await.map(|_| ()) })
}

/// Checks every record of the database at `place`; tells what is wrong.
pub(super) fn check(place: &str, settings: &StoreSettings) -> Result<Vec<String>, Misconfiguration> {
    ask(place, settings, |place, tls| async move { check::check(&place, &tls).await })
}

/// Asks the database something without opening it as a store.
fn ask<T: Send + 'static, A: Future<Output = Result<T, Trouble>> + Send + 'static>(
    place: &str,
    settings: &StoreSettings,
    question: impl FnOnce(Place, MakeRustlsConnect) -> A,
) -> Result<T, Misconfiguration> {
    judge(place, settings)?;
    let place = Place::of(place, settings)?;
    let tls = tls::connector(settings, place.encrypts())?;
    let shown = place.shown();
    let at_url = |trouble: Trouble| super::mistake(format!("{shown} {}", trouble.problem), trouble.remedy);
    let unspoken = || at_url(Trouble::new("can not be spoken to", "Let the process have another thread"));
    let thread = Thread::start().map_err(|_| unspoken())?;
    thread.block_on(question(place, tls)).ok_or_else(unspoken)?.map_err(at_url)
}

struct Postgres {
    requests: Arc<PostgresRequests>,
    shared: Arc<Shared>,
    thread: Arc<Thread>,
    listener: Arc<Listener>,
}

impl Store for Postgres {
    fn requests(&self) -> Arc<dyn Requests> {
        Arc::clone(&self.requests) as Arc<dyn Requests>
    }

    fn describe(&self) -> StoreDescription {
        let durability = if self.shared.known.is_synced() {
            "each commit is synced by the server before it is answered"
        } else {
            "a commit outlives this process, and may be lost when the server's machine fails: fsync or full_page_writes is off there"
        };
        StoreDescription { scheme: "postgres", durability }
    }

    fn webhooks(&self) -> Arc<dyn Webhooks> {
        Arc::new(PostgresWebhooks { shared: Arc::clone(&self.shared), thread: Arc::clone(&self.thread) })
    }

    fn records(&self) -> Arc<dyn Records> {
        Arc::new(PostgresRecords { shared: Arc::clone(&self.shared), thread: Arc::clone(&self.thread) })
    }

    fn is_ready(&self) -> bool {
        self.shared.is_ready()
    }

    fn failure(&self) -> BoxFuture<'static, String> {
        // A server that is away may come back.
        Box::pin(pending())
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.shared.pool.close();
        self.thread.stop()
    }

    fn on_change(&self, listener: Box<dyn Fn(Change) + Send + Sync>) {
        self.listener.set(listener).ok();
    }
}

/// Waits. How the server is asked and told follows the time that passes on this machine, whatever the time of requests is.
#[expect(clippy::disallowed_methods, reason = "the pace of the network is no matter of the requests' time")]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
