//! The HTTP server: the layers around the routes, and the limits of its connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_cors::Cors;
use actix_web::dev::ServerHandle;
use actix_web::http::header;
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use socket2::{Domain, Socket, Type};

use super::code::Code;
use super::document::Contract;
use super::problem::Problem;
use super::settings::ServerSettings;
use super::ui::Assets;
use super::{Gateway, limits, routes, trace};
use crate::core::period::Period;

/// A server that listens.
pub struct Server {
    server: actix_web::dev::Server,
    address: SocketAddr,
}

impl Server {
    /// Listens on `server.bind`. In-flight requests have `grace` to finish once it is told to stop.
    ///
    /// # Errors
    /// The address can not be had.
    pub fn bind(gateway: Arc<Gateway>, contract: Contract, grace: Period) -> io::Result<Self> {
        let settings = gateway.server.clone();
        let partner = gateway.queue.types().partner().is_some();
        let assets = Data::new(Assets::load(&contract, gateway.ui_client_id.as_deref()));
        let (gateway, contract) = (Data::from(gateway), Data::new(contract));
        let app = move || {
            let origins = &gateway.server.cors_origins;
            App::new()
                .app_data(gateway.clone())
                .app_data(contract.clone())
                .app_data(assets.clone())
                .configure(|config| routes::mount(&super::table(partner), config))
                .default_service(web::to(not_found))
                .wrap(from_fn(limits::admit))
                .wrap(Condition::new(!origins.is_empty(), cors(origins)))
                .wrap(from_fn(trace::trace))
        };
        let server = HttpServer::new(app)
            .client_request_timeout(settings.head_timeout.duration())
            .keep_alive(settings.keep_alive.duration())
            .max_connections(settings.max_connections)
            // Whole seconds, and 0 would cut off what is in flight.
            .shutdown_timeout(grace.duration().as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX))
            .disable_signals()
            .listen(listen(&settings)?)?;
        let address = server.addrs().first().copied().unwrap_or(settings.bind);
        Ok(Self { server: server.run(), address })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stops it.
    pub fn handle(&self) -> Handle {
        Handle(self.server.handle())
    }

    /// Serves until it is stopped.
    ///
    /// # Errors
    /// The server's.
    pub async fn run(self) -> io::Result<()> {
        self.server.await
    }
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens, so that the system itself cuts a client that does not read: the connections inherit the limit, and the HTTP library has
/// none of its own.
fn listen(settings: &ServerSettings) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(settings.bind), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_user_timeout(Some(settings.write_timeout.duration()))?;
    socket.bind(&settings.bind.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Stops a server.
#[derive(Clone, Debug)]
pub struct Handle(ServerHandle);

impl Handle {
    /// Takes no new connections, lets requests in flight finish within the grace, and stops.
    pub async fn stop(&self) {
        self.0.stop(true).await;
    }
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::NotFound))
}

/// Pages of these origins may call the API with a token; credentials of the browser's own are never taken.
fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST"])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_NONE_MATCH])
        .allowed_header("Idempotency-Key")
        .expose_headers([
            "Location",
            "Retry-After",
            "ETag",
            "Link",
            "X-Trace-Id",
            "Idempotent-Replayed",
            "WWW-Authenticate",
        ])
        .max_age(86_400);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
