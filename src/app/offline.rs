//! A gateway for one command, where none runs: it has the lock and the store, and serves the admin socket alone.

use std::future::Future;
use std::sync::Arc;

use super::admin_socket::AdminSocket;
use super::{DataDir, Plan, assemble};
use crate::core::clock::Clock;
use crate::core::entropy::Entropy;
use crate::core::error::Misconfiguration;
use crate::core::ports::Store;
use crate::http::{Gateway, SocketServer};
use crate::settings::Settings;
use crate::store;

/// A gateway that only the command sees that has opened it.
pub struct Offline {
    gateway: Arc<Gateway>,
    server: SocketServer,
    store: Arc<dyn Store>,
    _socket: AdminSocket,
    _data_dir: DataDir,
}

impl Offline {
    /// Opens what there is; makes no data directory and no store. To be called within a runtime.
    ///
    /// # Errors
    /// Every mistake in the settings; a data directory, store or socket that can not be had.
    pub fn open(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Vec<Misconfiguration>> {
        let one = |mistake| vec![mistake];
        let plan = Plan::of(settings, clock, entropy)?;
        let data_dir = existing(settings).map_err(one)?;
        let metrics = plan.metrics.store();
        let store = store::open(&settings.store, data_dir.path(), Arc::clone(&plan.clock), metrics).map_err(one)?;
        let unusable = |problem| {
            let remedy = "Give the data directory a shorter path, on a file system that has sockets";
            one(Misconfiguration::new("server.data_dir", problem, remedy))
        };
        let (socket, listener) = AdminSocket::listen(&data_dir).map_err(unusable)?;
        let gateway = assemble(settings, plan, None, &store);
        let server = SocketServer::serve(&gateway, listener, settings.shutdown.grace)
            .map_err(|error| unusable(format!("its admin socket can not be served: {error}")))?;
        Ok(Self { gateway, server, store, _socket: socket, _data_dir: data_dir })
    }

    /// Refuses settings whose store would forget a change as soon as it is made.
    ///
    /// # Errors
    /// A mistake at `store.url`.
    pub fn keeps_changes(settings: &Settings) -> Result<(), Misconfiguration> {
        if store::is_kept(&settings.store) {
            return Ok(());
        }
        let problem = "keeps nothing without a gateway, and none runs in this data directory";
        let remedy = "Start the gateway, or name its own data directory with --data-dir or --config";
        Err(Misconfiguration::new("store.url", problem, remedy))
    }

    /// Serves until `work` is done, and closes.
    pub async fn serve_while<T>(self, work: impl Future<Output = T>) -> T {
        let handle = self.server.handle();
        let working = async {
            // Where that fails, the call says so.
            let _ = self.gateway.authorization.prepare().await;
            let done = work.await;
            handle.stop(true).await;
            done
        };
        let (done, _) = tokio::join!(working, self.server.run());
        self.store.close().await;
        done
    }
}

/// Judges the records of the store, one by one; the sentences say what was found.
///
/// # Errors
/// There is no such store, or a gateway has it that does not share it; it can not be opened.
pub fn check_store(settings: &Settings) -> Result<Vec<String>, Misconfiguration> {
    if store::is_shared(&settings.store) {
        // It is not in the data directory, and may be checked beside gateways.
        return store::check(&settings.store, &settings.server.data_dir);
    }
    let data_dir = existing(settings)?;
    store::check(&settings.store, data_dir.path())
}

/// The data directory that there is, with a store.
fn existing(settings: &Settings) -> Result<DataDir, Misconfiguration> {
    let path = &settings.server.data_dir;
    if path.is_dir() {
        store::find(&settings.store, path)?;
        return DataDir::open_existing(path);
    }
    let problem = format!("{} does not exist: no gateway has run with this configuration", path.display());
    Err(Misconfiguration::new("server.data_dir", problem, "Name the gateway's own with --data-dir or --config"))
}
