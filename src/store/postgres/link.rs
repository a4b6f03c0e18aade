//! The session that is always there: it notices when the server goes and comes back, compares the clocks, hears of what other
//! gateways change, and tells them what changes here.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, Config, Notification};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::announcer::{CHANNEL, Hint, announce, changes};
use super::fault::told;
use super::pause;
use super::shared::{Known, Shared};
use crate::core::clock::Clock;
use crate::core::ports::Change;

/// How long to wait before the server is asked again that was away.
const RETRY: Duration = Duration::from_millis(500);
/// How often it is asked whether it is there, and for the time.
const PULSE: Duration = Duration::from_secs(1);
/// How long it may take to answer that.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often everybody who waits looks for himself, in case a hint was lost.
const BACKSTOP: Duration = Duration::from_secs(30);
/// Clocks that differ by this are worth a word to the operator.
const NOTABLE_MILLIS: u64 = 1_000;

/// Who wants to know what other gateways change.
pub(super) type Listener = OnceLock<Box<dyn Fn(Change) + Send + Sync>>;

/// What the link is made of.
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    pub(super) listener: Arc<Listener>,
}

impl Link {
    /// Holds the session, and opens it again whenever it is lost.
    pub(super) async fn hold(self, mut hints: mpsc::Receiver<Hint>) {
        let reached = &self.shared.is_reached;
        loop {
            let lost = self.serve(&mut hints).await;
            if reached.swap(false, Ordering::Relaxed) {
                tracing::warn!("the database can not be reached: {lost}; it is asked again until it can");
            }
            self.shared.distrust_idle();
            pause(RETRY).await;
        }
    }

    /// One session, until it is lost; says how.
    async fn serve(&self, hints: &mut mpsc::Receiver<Hint>) -> String {
        let opened = match timeout(PATIENCE, self.open()).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return told(&error),
            Err(_) => return "it does not answer".into(),
        };
        let (client, own, mut notes) = opened;
        self.reached();
        let hear = async {
            while let Some(note) = notes.recv().await {
                if note.process_id() != own {
                    changes(note.payload()).for_each(|change| self.tell(change));
                }
            }
            "the connection was closed".to_owned()
        };
        let say = async {
            match announce(&client, hints).await {
                Ok(()) => std::future::pending().await,
                Err(error) => told(&error),
            }
        };
        let backstop = async {
            loop {
                pause(BACKSTOP).await;
                self.tell(Change::Anything);
            }
        };
        tokio::select! {
            lost = hear => lost,
            lost = say => lost,
            lost = pulse(&client, &self.shared) => lost,
            () = backstop => String::new(),
        }
    }

    /// A session that listens, with the number of its process at the server.
    async fn open(&self) -> Result<(Client, i32, mpsc::Receiver<Notification>), tokio_postgres::Error> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        // A message too many is a hint too many; there are more.
        let (note, notes) = mpsc::channel(1024);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message {
                    note.try_send(notification).ok();
                }
            }
        });
        // What it says need not be durable.
        client.batch_execute(&format!("SET synchronous_commit = off; LISTEN {CHANNEL}")).await?;
        let own = client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
        Ok((client, own, notes))
    }

    fn reached(&self) {
        if !self.shared.is_reached.swap(true, Ordering::Relaxed) {
            tracing::info!("the database can be reached again");
            self.shared.names.forget();
        }
        // What changed in between, nobody has told.
        self.tell(Change::Anything);
    }

    fn tell(&self, change: Change) {
        if let Some(listener) = self.listener.get() {
            listener(change);
        }
    }
}

/// Asks the server for the time, now and then, until it does not answer.
async fn pulse(client: &Client, shared: &Shared) -> String {
    loop {
        match timeout(PATIENCE, look(client, &*shared.clock, &shared.known)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return told(&error),
            Err(_) => return "it does not answer".into(),
        }
        pause(PULSE).await;
    }
}

/// Looks whether the server syncs, and at its clock: makes ours tell the database's time, as exactly as the round
/// trip lets it know that; so that all gateways judge alike.
pub(super) async fn look(client: &Client, clock: &dyn Clock, known: &Known) -> Result<(), tokio_postgres::Error> {
    let began = clock.machine().map(|machine| (machine, clock.monotonic()));
    let select = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, \
                  current_setting('fsync') <> 'on' OR current_setting('full_page_writes') <> 'on'";
    let row = client.query_one(select, &[]).await?;
    let theirs: i64 = row.get(0);
    known.is_unsynced.store(row.get(1), Ordering::Relaxed);
    let Some((machine, began)) = began else { return Ok(()) };
    let took = i64::try_from(clock.monotonic().saturating_sub(began).as_millis()).unwrap_or(i64::MAX);
    let measured = theirs.saturating_sub(machine.plus_millis(took / 2).millis());
    let before = known.ahead.load(Ordering::Relaxed);
    if measured.abs_diff(before) > took.unsigned_abs() / 2 + 1 {
        known.ahead.store(measured, Ordering::Relaxed);
        clock.follow(measured);
        if measured.abs_diff(before) >= NOTABLE_MILLIS {
            tracing::warn!(
                ahead_millis = measured,
                "the database's clock differs from this machine's; the database's counts"
            );
        }
    }
    Ok(())
}
