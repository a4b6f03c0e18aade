//! The composition root: opens the store, wires the services, serves, and stops gracefully.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::SecretString;

use crate::core::clock::Clock;
use crate::core::entropy::Entropy;
use crate::core::error::Misconfiguration;
use crate::core::period::Period;
use crate::core::ports::Store;
use crate::http::{Contract, Gateway, Mode, Server, Services, UiLogin};
use crate::oauth::clients::{Client, Clients, default_scopes, demo_scopes};
use crate::oauth::grant_type::GrantType;
use crate::oauth::minter::Minter;
use crate::oauth::scopes::Scopes;
use crate::oauth::{AuthorizationServer, Parts};
use crate::queue::Queue;
use crate::queue::quotas::Quotas;
use crate::settings::Settings;
use crate::store;
use crate::telemetry::access::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::webhooks::Webhooks;

mod admin_socket;
mod data_dir;
mod offline;
mod plan;
mod steady;
mod system;
mod ui_client;

use admin_socket::AdminSocket;
pub use admin_socket::admin_socket;
pub use data_dir::{DEMO_SECRET, DataDir};
pub use offline::{Offline, check_store};
pub use plan::{Plan, SecretOrigin};
pub use steady::SteadyClock;
pub use system::{SystemClock, SystemEntropy};

/// The client id of the demo client.
pub const DEMO_CLIENT: &str = "demo";
/// The client id of `anteroom login`, where none is given. In development mode there is such a client beside the demo client.
pub const CLI_CLIENT: &str = "anteroom-cli";

/// A gateway that listens.
pub struct Application {
    gateway: Arc<Gateway>,
    server: Server,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    shutdown_delay: Period,
    demo_secret: Option<SecretString>,
    _socket: Option<AdminSocket>,
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
        let data_dir = DataDir::open(&settings.server.data_dir).map_err(one)?;
        if let Some(secret) = plan.signing_secret.as_ref().filter(|_| plan.secret_origin != SecretOrigin::Configured) {
            data_dir.keep_issuer_secret(secret).map_err(one)?;
        }
        let demo_secret =
            settings.has_demo_client().then(|| data_dir.demo_secret(&*plan.entropy)).transpose().map_err(one)?;
        let demo =
            demo_secret.as_ref().map(|secret| Client::new(DEMO_CLIENT, secret, demo_scopes(plan.types.scopes())));
        let contract = Contract::of(&plan.types, &settings.server, settings.ui_client().is_some())
            .map_err(|error| one(Misconfiguration::new("types", error.to_string(), "Mend the schema of the type")))?;
        let metrics = plan.metrics.store();
        let store = store::open(&settings.store, data_dir.path(), Arc::clone(&plan.clock), metrics).map_err(one)?;
        let clock = Arc::clone(&plan.clock);
        let gateway = assemble(settings, plan, demo, &store);
        let (socket, listener) = AdminSocket::listen(&data_dir).map_err(no_socket).ok().unzip();
        let server = Server::bind(Arc::clone(&gateway), contract, settings.shutdown.grace, listener).map_err(one)?;
        let told = Arc::downgrade(&gateway);
        store.on_change(Box::new(move |change| {
            if let Some(gateway) = told.upgrade() {
                gateway.queue.watch().heard(change);
                gateway.webhooks.bell().ring();
            }
        }));
        gateway.chain.warm_up();
        Ok(Self {
            shutdown_delay: shutdown_delay(settings),
            gateway,
            server,
            store,
            clock,
            demo_secret,
            _socket: socket,
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
        let webhooks = Arc::clone(&self.gateway.webhooks);
        webhooks.configure().await.map_err(|error| error.to_string())?;
        self.gateway.authorization.prepare().await.map_err(|error| error.to_string())?;
        let telling = tokio::spawn(webhooks.run());
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
        let (served, failed) = tokio::select! {
            ended = futures_util::future::join(serving, stopping) => ended,
            never = self.gateway.queue.keep(self.gateway.metrics.keeper()) => match never {},
            never = self.gateway.authorization.keep() => match never {},
        };
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

/// Clients are served all the same.
fn no_socket(problem: String) {
    tracing::warn!(
        "{problem}; commands as `anteroom request` can not ask this gateway. Give server.data_dir a shorter path, on a file system that \
         has sockets"
    );
}

/// The services, wired. `demo` is the client that development mode has besides those that are configured.
fn assemble(settings: &Settings, plan: Plan, demo: Option<Client>, store: &Arc<dyn Store>) -> Arc<Gateway> {
    let Plan {
        mut clients,
        types,
        chain,
        own_chain,
        token_places,
        guards,
        webhooks,
        issuer,
        own_tokens,
        clock,
        entropy,
        metrics,
        ..
    } = plan;
    let mut ui_logins: Vec<_> = demo.iter().map(|demo| UiLogin::by_client_credentials(&demo.id)).collect();
    ui_logins.extend(settings.ui_client().map(UiLogin::by_code));
    clients.extend(ui_client::ui_client(settings, demo_scopes(types.scopes())));
    let by_device = vec![GrantType::DeviceCode, GrantType::RefreshToken];
    let every_type = types.scopes().iter().map(|(name, _)| name.to_owned());
    let cli_scopes = default_scopes().into_iter().chain(every_type).collect();
    let cli = || Client::public(CLI_CLIENT, "The command line", Vec::new(), cli_scopes).using(by_device);
    clients.extend(demo.is_some().then(cli));
    clients.extend(demo);
    let webhooks = {
        let (clock, entropy) = (Arc::clone(&clock), Arc::clone(&entropy));
        Arc::new(Webhooks::new(store.webhooks(), webhooks, metrics.webhooks(), clock, entropy))
    };
    let scopes = Scopes::new(types.scopes());
    let queue = Queue::new(store.requests(), types, Arc::clone(&clock), Arc::clone(&entropy), metrics.leases());
    let authorization = AuthorizationServer::new(Parts {
        clients: Clients::new(clients),
        accounts: settings.accounts.clone(),
        minter: Minter { issuer, scopes, clock: Arc::clone(&clock) },
        records: store.records(),
        own_tokens,
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
    });
    let bell = webhooks.bell();
    queue.watch().listen(move || bell.ring());
    Arc::new(Gateway::new(Services {
        chain,
        token_places,
        guards,
        queue: queue.retaining(settings.retention.retention()).sharing(quotas(settings, &clock, &metrics)),
        webhooks,
        authorization,
        own_tokens: own_chain,
        store: Arc::clone(store),
        clock,
        entropy,
        server: settings.server.clone(),
        ui_logins,
        access_log: AccessLog::new(settings.log_format()),
        metrics,
    }))
}

/// What each owner may take.
fn quotas(settings: &Settings, clock: &Arc<dyn Clock>, metrics: &Metrics) -> Arc<Quotas> {
    Arc::new(Quotas::new(&settings.quotas, &settings.issuer_url(), Arc::clone(clock), metrics.quotas()))
}

/// How long `/readyz` says 503 before no new connection is taken.
pub fn shutdown_delay(settings: &Settings) -> Period {
    let usual = match settings.server.effective_mode() {
        Mode::Development => Period::default(),
        Mode::Production => Period::seconds(1),
    };
    settings.shutdown.delay.unwrap_or(usual)
}
