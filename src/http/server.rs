//! The HTTP server: its listeners, the layers around their routes, and the limits of their connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use futures_util::future::try_join;
use socket2::{Domain, Socket, Type};

use super::code::Code;
use super::document::Contract;
use super::problem::Problem;
use super::routes::Routes;
use super::settings::Listener;
use super::ui::Assets;
use super::{Gateway, cors, limits, trace};
use crate::core::error::Misconfiguration;
use crate::core::period::Period;

/// A server that listens: for clients, and for operators where they have an address of their own.
pub struct Server {
    main: Listening,
    admin: Option<Listening>,
}

struct Listening {
    server: actix_web::dev::Server,
    address: SocketAddr,
}

impl Server {
    /// Listens on `server.bind` and `server.admin_bind`. In-flight requests have `grace` to finish once it is told to stop.
    ///
    /// # Errors
    /// An address that can not be had.
    pub fn bind(gateway: Arc<Gateway>, contract: Contract, grace: Period) -> Result<Self, Misconfiguration> {
        let settings = &gateway.server;
        let have = |key, address, with| {
            listen(address, settings.write_timeout).map_err(|error| address_mistake(key, address, with, &error))
        };
        let main = have("server.bind", settings.bind, "--bind")?;
        let admin = settings.admin_address().map(|address| have("server.admin_bind", address, "this key, or \"off\""));
        let admin = admin.transpose()?;
        let gateway = Data::from(gateway);
        let unusable = |error: io::Error| {
            Misconfiguration::new(
                "server.bind",
                format!("it can not be served at: {error}"),
                "Look at the system's limits",
            )
        };
        let admin =
            admin.map(|socket| serve_operators(gateway.clone(), socket, grace).map_err(unusable)).transpose()?;
        Ok(Self { main: serve_clients(gateway, contract, main, grace).map_err(unusable)?, admin })
    }

    /// The address that it listens on for clients.
    pub fn address(&self) -> SocketAddr {
        self.main.address
    }

    /// The address that it listens on for operators, where that is another.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|admin| admin.address)
    }

    /// What stops it.
    pub fn handle(&self) -> Handle {
        Handle { main: self.main.server.handle(), admin: self.admin.as_ref().map(|admin| admin.server.handle()) }
    }

    /// Serves until it is stopped.
    ///
    /// # Errors
    /// The server's.
    pub async fn run(self) -> io::Result<()> {
        match self.admin {
            Some(admin) => try_join(self.main.server, admin.server).await.map(|_| ()),
            None => self.main.server.await,
        }
    }
}

/// The listener for clients, and for operators too where they have none of their own.
fn serve_clients(
    gateway: Data<Gateway>,
    contract: Contract,
    socket: TcpListener,
    grace: Period,
) -> io::Result<Listening> {
    let (settings, address) = (gateway.server.clone(), socket.local_addr()?);
    let rows = super::table(settings.main_listener(), gateway.queue.types().partner().is_some());
    let routes = Data::new(Routes::new(rows, &gateway.metrics));
    let assets = Data::new(Assets::load(&contract, gateway.ui_client_id.as_deref()));
    let contract = Data::new(contract);
    let app = move || {
        let origins = &gateway.server.cors_origins;
        let cors_layer = cors::layer(origins, gateway.token_places.header());
        App::new()
            .app_data(gateway.clone())
            .app_data(contract.clone())
            .app_data(assets.clone())
            .app_data(routes.clone())
            .configure(|config| routes.mount(config))
            .default_service(web::to(not_found))
            .wrap(from_fn(limits::admit))
            .wrap(Condition::new(!origins.is_empty(), cors_layer))
            .wrap(Condition::new(!origins.is_empty(), from_fn(cors::spare_guards)))
            .wrap(from_fn(trace::trace))
    };
    let server = HttpServer::new(app)
        .client_request_timeout(settings.head_timeout.duration())
        .keep_alive(settings.keep_alive.duration())
        .max_connections(settings.max_connections)
        .shutdown_timeout(whole_seconds(grace))
        .disable_signals()
        .listen(socket)?;
    Ok(Listening { server: server.run(), address })
}

/// Connections of operators at once.
const MAX_ADMIN_CONNECTIONS: usize = 64;
/// How long an idle one is kept, at most: few are enough to keep all others out.
const ADMIN_KEEP_ALIVE: Duration = Duration::from_secs(5);

/// The listener for operators: one worker, few connections, and no page of another origin.
fn serve_operators(gateway: Data<Gateway>, socket: TcpListener, grace: Period) -> io::Result<Listening> {
    let (settings, address) = (gateway.server.clone(), socket.local_addr()?);
    let routes = Data::new(Routes::new(super::table(Listener::Admin, false), &gateway.metrics));
    let app = move || {
        App::new()
            .app_data(gateway.clone())
            .app_data(routes.clone())
            .configure(|config| routes.mount(config))
            .default_service(web::to(not_found))
            .wrap(from_fn(limits::admit_operator))
            .wrap(from_fn(trace::trace))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .client_request_timeout(settings.head_timeout.duration())
        .keep_alive(settings.keep_alive.duration().min(ADMIN_KEEP_ALIVE))
        .max_connections(MAX_ADMIN_CONNECTIONS)
        .shutdown_timeout(whole_seconds(grace))
        .disable_signals()
        .listen(socket)?;
    Ok(Listening { server: server.run(), address })
}

/// Rounded up: 0 would cut off what is in flight.
fn whole_seconds(grace: Period) -> u64 {
    grace.duration().as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)
}

fn address_mistake(key: &str, address: SocketAddr, with: &str, error: &io::Error) -> Misconfiguration {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => format!("Stop what listens there, or choose another address with {with}"),
        _ => format!("Choose an address of this machine with {with}"),
    };
    Misconfiguration::new(key, format!("{address} can not be listened on: {error}"), remedy)
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens, so that the system itself cuts a client that does not read: the connections inherit the limit, and the HTTP library has
/// none of its own.
fn listen(address: SocketAddr, write_timeout: Period) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_user_timeout(Some(write_timeout.duration()))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Stops a server.
#[derive(Clone, Debug)]
pub struct Handle {
    main: ServerHandle,
    admin: Option<ServerHandle>,
}

impl Handle {
    /// Takes no new connections, lets requests in flight finish within the grace, and stops. Operators can look on for that long.
    pub async fn stop(&self) {
        self.main.stop(true).await;
        if let Some(admin) = &self.admin {
            admin.stop(true).await;
        }
    }
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::NotFound))
}
