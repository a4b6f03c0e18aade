//! The composition root: judges the settings, opens the store, wires the services, serves, and stops gracefully.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::SecretString;

use crate::core::clock::Clock;
use crate::core::entropy::Entropy;
use crate::core::error::Misconfiguration;
use crate::core::period::Period;
use crate::core::ports::Store;
use crate::http::{Contract, Gateway, Guard, Guards, Mode, Server, Services, TokenPlaces};
use crate::oauth::TokenService;
use crate::oauth::clients::{Client, Clients, default_scopes, generate_secret};
use crate::oauth::issuer::Issuer;
use crate::queue::Queue;
use crate::queue::types::Types;
use crate::settings::Settings;
use crate::store;
use crate::telemetry::access::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::verify::{Chain, OwnIssuer, Setup, parse_table};

mod data_dir;
mod system;

use data_dir::existing_issuer_secret;

pub use data_dir::DataDir;
pub use system::{SystemClock, SystemEntropy};

/// The client id of the demo client.
pub const DEMO_CLIENT: &str = "demo";

/// What follows from the settings alone: nothing is opened, made or fetched for it.
pub struct Plan {
    /// The clients that are configured.
    pub clients: Vec<Client>,
    /// The request types.
    pub types: Types,
    /// The verifiers that guard the API.
    pub chain: Chain,
    /// Where a token may be.
    pub token_places: TokenPlaces,
    /// What guards other services.
    pub guards: Guards,
}

impl Plan {
    /// Judges the settings, every section of them. `secrets` are those that tokens are signed with; `metrics` counts what becomes of
    /// tokens.
    ///
    /// # Errors
    /// Every mistake there is.
    pub fn of(
        settings: &Settings,
        secrets: Vec<SecretString>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Vec<Misconfiguration>> {
        let mut mistakes: Vec<_> = store::judge(&settings.store).err().into_iter().collect();
        let mut clients = Vec::new();
        for (id, client) in &settings.clients {
            match Client::build(id, client, &settings.base) {
                Ok(client) => clients.push(client),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        let types = Types::build(&settings.types, &settings.base).map_err(|found| mistakes.extend(found));
        let chain = build_chain(settings, secrets, clock, entropy, metrics).map_err(|found| mistakes.extend(found));
        let token_places = TokenPlaces::of(&settings.verify).map_err(|mistake| mistakes.push(mistake));
        let guards = build_guards(settings).map_err(|found| mistakes.extend(found));
        match (types, chain, token_places, guards) {
            (Ok(types), Ok(chain), Ok(token_places), Ok(guards)) if mistakes.is_empty() => {
                let guards = Guards::new(guards, &chain);
                Ok(Self { clients, types, chain, token_places, guards })
            }
            _ => Err(mistakes),
        }
    }
}

fn build_guards(settings: &Settings) -> Result<Vec<Guard>, Vec<Misconfiguration>> {
    let known: Vec<&String> = settings.verifiers.keys().collect();
    let (mut guards, mut mistakes) = (Vec::new(), Vec::new());
    for (name, guard) in &settings.guards {
        match guard.build(name, &known, settings.chain()) {
            Ok(guard) => guards.push(guard),
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(guards) } else { Err(mistakes) }
}

fn build_chain(
    settings: &Settings,
    secrets: Vec<SecretString>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    metrics: Arc<Metrics>,
) -> Result<Chain, Vec<Misconfiguration>> {
    let net = settings.net.open(&settings.base).map_err(|mistake| vec![mistake])?;
    let own = OwnIssuer { url: settings.issuer_url(), audience: settings.issuer.audience.clone(), secrets };
    let setup = Setup { base: &settings.base, net, clock, entropy, metrics, own: Some(own) };
    let chain = Chain::build(settings.chain(), &settings.named_by_guards(), &settings.verifiers, &setup);
    if settings.believes_itself() {
        return chain;
    }
    // The gateway gives tokens even where others alone believe them: their issuer is judged as its verifier would.
    let itself = config::Map::from([("kind".to_owned(), config::Value::from("self"))]);
    let judged = parse_table("self", config::Value::from(itself)).map_err(|mistake| vec![mistake]);
    match (chain, judged.and_then(|own| own.build("self", &setup))) {
        (Err(mut mistakes), Err(more)) => {
            mistakes.extend(more);
            Err(mistakes)
        }
        (chain, own) => own.and(chain),
    }
}

/// The secrets that tokens are signed with and verified by: those configured, else the one that a gateway has made in the data
/// directory, else the one that `make` gives.
///
/// # Errors
/// One that can not be read.
pub fn signing_secrets(
    settings: &Settings,
    make: impl FnOnce() -> Result<SecretString, Misconfiguration>,
) -> Result<Vec<SecretString>, Misconfiguration> {
    let configured = settings.issuer.read_secrets(&settings.base)?;
    if !configured.is_empty() {
        return Ok(configured);
    }
    let existing = existing_issuer_secret(&settings.server.data_dir)?;
    Ok(vec![existing.map_or_else(make, Ok)?])
}

/// A gateway that listens.
pub struct Application {
    gateway: Arc<Gateway>,
    server: Server,
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
        let metrics = Arc::new(Metrics::new());
        let secrets = signing_secrets(settings, || Ok(generate_secret(&*entropy))).map_err(one)?;
        let signing = secrets[0].clone();
        let issuer = Issuer::new(settings.issuer_url(), &settings.issuer, &signing, Arc::clone(&entropy));
        let plan = Plan::of(settings, secrets, Arc::clone(&clock), Arc::clone(&entropy), Arc::clone(&metrics))?;
        let Plan { mut clients, types, chain, token_places, guards } = plan;
        let data_dir = DataDir::open(&settings.server.data_dir).map_err(one)?;
        if settings.issuer.secrets.is_empty() {
            data_dir.keep_issuer_secret(&signing).map_err(one)?;
        }
        let demo_secret =
            settings.has_demo_client().then(|| data_dir.demo_secret(&*entropy)).transpose().map_err(one)?;
        clients.extend(demo_secret.as_ref().map(|secret| Client::new(DEMO_CLIENT, secret, default_scopes())));
        let contract = Contract::of(&types, settings.server.main_listener())
            .map_err(|error| one(Misconfiguration::new("types", error.to_string(), "Mend the schema of the type")))?;
        let store = store::open(&settings.store, data_dir.path(), Arc::clone(&clock), metrics.store()).map_err(one)?;
        let gateway = Arc::new(Gateway::new(Services {
            chain,
            token_places,
            guards,
            queue: Queue::new(store.requests(), types, Arc::clone(&clock), Arc::clone(&entropy)),
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
        self.store.close().await;
        match (failed, served) {
            (Some(reason), _) => Err(reason),
            (None, served) => served.map_err(|error| error.to_string()),
        }
    }
}

/// How long `/readyz` says 503 before no new connection is taken.
pub fn shutdown_delay(settings: &Settings) -> Period {
    let usual = match settings.server.effective_mode() {
        Mode::Development => Period::default(),
        Mode::Production => Period::seconds(1),
    };
    settings.shutdown.delay.unwrap_or(usual)
}
