//! The HTTP server: its listeners, the layers around their routes, and the limits of their connections.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::Request;
use actix_service::IntoServiceFactory;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Response, ServerHandle, ServiceFactory, ServiceRequest};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use futures_util::future::try_join;
use socket2::{Domain, Type};

use super::admin::socket::AtSocket;
use super::code::Code;
use super::document::Contract;
use super::documents::Documents;
use super::fast_path::FastPath;
use super::problem::Problem;
use super::routes::Routes;
use super::settings::{Listener, ServerSettings};
use super::{Gateway, cors, limits, trace};
use crate::core::error::Misconfiguration;
use crate::core::period::Period;

/// A server that listens: for clients, and for operators where they have an address of their own.
pub struct Server {
    main: Listening,
    admin: Option<Listening>,
    socket: Option<SocketServer>,
}

struct Listening {
    server: actix_web::dev::Server,
    address: SocketAddr,
}

impl Server {
    /// Listens on `server.bind` and `server.admin_bind`, and serves the admin `socket` if there is one. In-flight requests have `grace` to
    /// finish once it is told to stop.
    ///
    /// # Errors
    /// An address that can not be had.
    pub fn bind(
        gateway: Arc<Gateway>,
        contract: Contract,
        grace: Period,
        socket: Option<UnixListener>,
    ) -> Result<Self, Misconfiguration> {
        let settings = gateway.server.clone();
        let listen = |key, address, with| {
            let socket = listen(address, settings.write_timeout);
            let socket = socket.map_err(|error| address_mistake(key, address, with, &error))?;
            Ok(Door { key, socket, grace })
        };
        let main = listen("server.bind", settings.bind, "--bind")?;
        let admin =
            settings.admin_address().map(|address| listen("server.admin_bind", address, "this key, or \"off\""));
        let (admin, gateway) = (admin.transpose()?, Data::from(gateway));
        let admin = admin.map(|door| door.serve(&gateway, Listener::Admin, None)).transpose()?;
        let socket = socket.map(|socket| SocketServer::start(&gateway, socket, grace)).transpose();
        let socket = socket.map_err(|error| cannot_serve("server.data_dir", &error))?;
        Ok(Self { main: main.serve(&gateway, settings.main_listener(), Some(contract))?, admin, socket })
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
        let admin = self.admin.as_ref().map(|admin| admin.server.handle());
        Handle { main: self.main.server.handle(), admin, socket: self.socket.as_ref().map(SocketServer::handle) }
    }

    /// Serves until it is stopped.
    ///
    /// # Errors
    /// The server's.
    pub async fn run(self) -> io::Result<()> {
        let others = try_join(run(self.admin.map(|admin| admin.server)), run(self.socket.map(|socket| socket.0)));
        try_join(self.main.server, others).await.map(|_| ())
    }
}

async fn run(server: Option<actix_web::dev::Server>) -> io::Result<()> {
    match server {
        Some(server) => server.await,
        None => Ok(()),
    }
}

/// A server of the admin socket.
pub struct SocketServer(actix_web::dev::Server);

impl SocketServer {
    /// Serves the administration on a socket that is listened on.
    ///
    /// # Errors
    /// The system's.
    pub fn serve(gateway: &Arc<Gateway>, socket: UnixListener, grace: Period) -> io::Result<Self> {
        Self::start(&Data::from(Arc::clone(gateway)), socket, grace)
    }

    fn start(gateway: &Data<Gateway>, socket: UnixListener, grace: Period) -> io::Result<Self> {
        start(gateway.clone(), Socket::Unix(socket), Listener::Socket, None, grace).map(Self)
    }

    /// What stops it.
    pub fn handle(&self) -> ServerHandle {
        self.0.handle()
    }

    /// Serves until it is stopped.
    ///
    /// # Errors
    /// The server's.
    pub async fn run(self) -> io::Result<()> {
        self.0.await
    }
}

/// Connections of operators at once.
const MAX_ADMIN_CONNECTIONS: usize = 64;
/// How long an idle one is kept, at most: few are enough to keep all others out.
const ADMIN_KEEP_ALIVE: Duration = Duration::from_secs(5);

/// An address that is listened on, and not served yet.
struct Door {
    /// Where the configuration names it.
    key: &'static str,
    socket: TcpListener,
    grace: Period,
}

impl Door {
    /// Serves what the listener has. Where there are no clients one worker and few connections will do, no page of
    /// another origin is let in, and what bounds the requests is the number of connections.
    fn serve(
        self,
        gateway: &Data<Gateway>,
        listener: Listener,
        contract: Option<Contract>,
    ) -> Result<Listening, Misconfiguration> {
        let Self { key, socket, grace } = self;
        let serve = || {
            let address = socket.local_addr()?;
            let server = start(gateway.clone(), Socket::Tcp(socket), listener, contract, grace)?;
            Ok(Listening { server, address })
        };
        serve().map_err(|error| cannot_serve(key, &error))
    }
}

fn cannot_serve(key: &str, error: &io::Error) -> Misconfiguration {
    Misconfiguration::new(key, format!("it can not be served at: {error}"), "Look at the system's limits")
}

/// What connections come by.
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

fn start(
    gateway: Data<Gateway>,
    socket: Socket,
    listener: Listener,
    contract: Option<Contract>,
    grace: Period,
) -> io::Result<actix_web::dev::Server> {
    let partner = gateway.queue.types().partner().is_some();
    let routes = Data::new(Routes::new(super::table(listener, gateway.mode, partner), &gateway.metrics));
    let documents = contract.map(|contract| Data::new(Documents::new(contract, gateway.ui_logins.clone())));
    let terms = Terms { settings: gateway.server.clone(), has_api: listener.has_api(), grace };
    let origins = terms.settings.cors_origins.clone();
    let token_header = gateway.token_places.header().cloned();
    let for_reads = gateway.clone();
    let app = move || {
        App::new()
            .app_data(gateway.clone())
            .app_data(routes.clone())
            .configure(|config| {
                if let Some(documents) = &documents {
                    config.app_data(documents.clone());
                }
                if listener == Listener::Socket {
                    config.app_data(AtSocket);
                }
                routes.mount(config);
            })
            .default_service(web::to(not_found))
            .wrap(from_fn(move |request: ServiceRequest, next: Next<_>| limits::admit(listener, request, next)))
    };
    if !terms.has_api {
        return terms.serve(move || app().wrap(from_fn(trace::trace)), socket);
    }
    // Every request would pay for layers that do nothing. Where they do something, they have a say in every answer: no fast path.
    if origins.is_empty() {
        let routes = move || app().wrap(from_fn(trace::trace)).into_factory();
        return terms.serve(move || FastPath::before(routes(), for_reads.clone()), socket);
    }
    let crossing = move || {
        let cors = cors::layer(&origins, token_header.as_ref());
        app().wrap(cors).wrap(from_fn(cors::spare_guards)).wrap(from_fn(trace::trace))
    };
    terms.serve(crossing, socket)
}

/// How a listener is served.
struct Terms {
    settings: ServerSettings,
    has_api: bool,
    grace: Period,
}

impl Terms {
    fn serve<F, A, S, B>(self, app: F, socket: Socket) -> io::Result<actix_web::dev::Server>
    where
        F: Fn() -> A + Send + Clone + 'static,
        A: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig> + 'static,
        S::Error: Into<actix_web::Error>,
        S::InitError: fmt::Debug,
        S::Response: Into<Response<B>>,
        B: MessageBody + 'static,
    {
        let Self { settings, has_api, grace } = self;
        let keep_alive = settings.keep_alive.duration();
        let server = HttpServer::new(app)
            .client_request_timeout(settings.head_timeout.duration())
            // Nobody reads the answer of a client that has hung up: what it waits for is let go of.
            .h1_allow_half_closed(false)
            .keep_alive(if has_api { keep_alive } else { keep_alive.min(ADMIN_KEEP_ALIVE) })
            .max_connections(if has_api { settings.max_connections } else { MAX_ADMIN_CONNECTIONS })
            .shutdown_timeout(whole_seconds(grace))
            .disable_signals();
        let server = if has_api { server } else { server.workers(1) };
        let server = match socket {
            Socket::Tcp(socket) => server.listen(socket)?,
            Socket::Unix(socket) => server.listen_uds(socket)?,
        };
        Ok(server.run())
    }
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
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
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
    socket: Option<ServerHandle>,
}

impl Handle {
    /// Takes no new connections, lets requests in flight finish within the grace, and stops. Operators can look on for that long.
    pub async fn stop(&self) {
        self.main.stop(true).await;
        for other in [&self.admin, &self.socket].into_iter().flatten() {
            other.stop(true).await;
        }
    }
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::NotFound))
}
