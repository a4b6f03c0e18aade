//! The composition root: opens the store, wires the services, serves, and stops gracefully.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::SecretString;

use crate::core::clock::Clock;
use crate::core::entropy::Entropy;
use crate::core::error::Misconfiguration;
use crate::core::period::Period;
use crate::core::policy::WEBHOOKS_MANAGE;
use crate::core::ports::Store;
use crate::http::{Contract, Gateway, Mode, Server, Services};
use crate::oauth::TokenService;
use crate::oauth::clients::{Client, Clients, default_scopes};
use crate::queue::Queue;
use crate::settings::Settings;
use crate::store;
use crate::telemetry::access::AccessLog;
use crate::webhooks::Webhooks;

mod data_dir;
mod plan;
mod system;

pub use data_dir::{DEMO_SECRET, DataDir};
pub use plan::{Plan, SecretOrigin};
pub use system::{SystemClock, SystemEntropy};

/// The client id of the demo client.
pub const DEMO_CLIENT: &str = "demo";

/// A gateway that listens.
pub struct Application {
    gateway: Arc<Gateway>,
    server: Server,
    webhooks: Arc<Webhooks>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    shutdown_delay: Period,
    demo_secret: Option<SecretString>,
    _data_dir: DataDir,
}

impl Application {
    /// Judges the settings, opens everything and listens. To be called within a runtime. A start that is refused by what the settings
    /// say leaves nothing behind.
    ///
    /// # Errors
    /// Every mistake in the settings; a data directory, store or address that can not be had.
    pub fn start(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Vec<Misconfiguration>> {
        let one = |mistake| vec![mistake];
        let plan = Plan::of(settings, clock, entropy)?;
        let Plan { mut clients, types, chain, token_places, guards, webhooks, issuer, clock, entropy, metrics, .. } =
            plan;
        let data_dir = DataDir::open(&settings.server.data_dir).map_err(one)?;
        if plan.secret_origin != SecretOrigin::Configured {
            data_dir.keep_issuer_secret(&plan.signing_secret).map_err(one)?;
        }
        let demo_secret =
            settings.has_demo_client().then(|| data_dir.demo_secret(&*entropy)).transpose().map_err(one)?;
        clients.extend(demo_secret.as_ref().map(|secret| Client::new(DEMO_CLIENT, secret, demo_scopes())));
        let contract = Contract::of(&types, &settings.server)
            .map_err(|error| one(Misconfiguration::new("types", error.to_string(), "Mend the schema of the type")))?;
        let store = store::open(&settings.store, data_dir.path(), Arc::clone(&clock), metrics.store()).map_err(one)?;
        let webhooks = {
            let (clock, entropy) = (Arc::clone(&clock), Arc::clone(&entropy));
            Arc::new(Webhooks::new(store.webhooks(), webhooks, metrics.webhooks(), clock, entropy))
        };
        let queue = Queue::new(store.requests(), types, Arc::clone(&clock), Arc::clone(&entropy));
        let bell = webhooks.bell();
        queue.watch().listen(move || bell.ring());
        let gateway = Arc::new(Gateway::new(Services {
            chain,
            token_places,
            guards,
            queue,
            webhooks: Arc::clone(&webhooks),
            tokens: TokenService::new(Clients::new(clients), issuer, Arc::clone(&clock)),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            entropy,
            server: settings.server.clone(),
            ui_client_id: demo_secret.as_ref().map(|_| DEMO_CLIENT.to_owned()),
            access_log: AccessLog::new(settings.log_format()),
            metrics,
        }));
        let server = Server::bind(Arc::clone(&gateway), contract, settings.shutdown.grace).map_err(one)?;
        gateway.chain.warm_up();
        Ok(Self {
            shutdown_delay: shutdown_delay(settings),
            gateway,
            server,
            webhooks,
            store,
            clock,
            demo_secret,
            _data_dir: data_dir,
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The address that it is operated at, where that is another.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.server.admin_address()
    }

    /// The secret of the demo client, if there is one.
    pub fn demo_secret(&self) -> Option<&SecretString> {
        self.demo_secret.as_ref()
    }

    /// Serves until `stop` completes, then stops: `/readyz` says 503, after the delay no new connection is taken, requests in flight
    /// finish within the grace, the store closes.
    ///
    /// # Errors
    /// The store failed, or the server; then it stops at once.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), String> {
        self.webhooks.configure().await.map_err(|error| error.to_string())?;
        let telling = tokio::spawn(self.webhooks.run());
        let handle = self.server.handle();
        let serving = self.server.run();
        let stopping = async {
            let failed = tokio::select! {
                () = stop => None,
                reason = self.store.failure() => Some(reason),
            };
            self.gateway.begin_to_stop();
            if failed.is_none() {
                let deadline = self.clock.now().plus(self.shutdown_delay.duration());
                self.clock.sleep_until(deadline).await;
            }
            handle.stop().await;
            failed
        };
        let (served, failed) = tokio::join!(serving, stopping);
        // What is on its way is sent again by the next gateway.
        telling.abort();
        _ = telling.await;
        self.store.close().await;
        match (failed, served) {
            (Some(reason), _) => Err(reason),
            (None, served) => served.map_err(|error| error.to_string()),
        }
    }
}

/// What the demo client may ask for.
fn demo_scopes() -> Vec<String> {
    let mut scopes = default_scopes();
    scopes.push(WEBHOOKS_MANAGE.into());
    scopes
}

/// How long `/readyz` says 503 before no new connection is taken.
pub fn shutdown_delay(settings: &Settings) -> Period {
    let usual = match settings.server.effective_mode() {
        Mode::Development => Period::default(),
        Mode::Production => Period::seconds(1),
    };
    settings.shutdown.delay.unwrap_or(usual)
}
