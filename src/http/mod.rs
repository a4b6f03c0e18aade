//! HTTP: the only place that knows actix-web. The route table below is all there is, and says in which file each operation stands.

use std::ops::Deref;
use std::sync::Arc;

use actix_web::Route;
use actix_web::http::Method;
use tokio::sync::{Semaphore, watch};

use crate::core::clock::Clock;
use crate::core::entropy::Entropy;
use crate::core::ports::Store;
use crate::oauth::AuthorizationServer;
use crate::queue::Queue;
use crate::telemetry::access::AccessLog;
use crate::telemetry::metrics::Metrics;
use crate::verify::Chain;
use crate::webhooks::Webhooks;

mod admin;
mod allowed;
mod auth;
mod authn;
mod body;
mod code;
mod conditional;
mod cors;
mod dead_letters;
mod device;
mod document;
mod documents;
mod fast_path;
mod guard;
mod healthz;
mod held;
mod leases;
mod limits;
mod login;
mod metrics;
mod notes;
mod oauth;
mod openapi;
mod origin;
mod page;
mod pages;
mod partner;
mod prefer;
mod problem;
mod readyz;
mod register;
mod requests;
mod routes;
mod security_headers;
mod server;
mod settings;
mod slashes;
mod token_places;
mod trace;
mod ui;
mod users;
mod webhook_endpoints;
mod well_known;
mod whoami;

pub use code::errors_document;
pub use document::Contract;
pub use guard::{Asked, Guard, GuardSettings, Guards};
pub use server::{Server, SocketServer};
pub use settings::{AdminBind, Listener, Mode, ServerSettings};
pub use token_places::TokenPlaces;
pub use ui::{UiLogin, UiSettings};
pub use whoami::CallerView;

use limits::{BodyBytes, InFlight};
use requests::shown::ShownRequests;
use routes::{Access, Row, operations};
use trace::TraceIds;
use well_known::authorization_server::{OPENID_PATH, get_authorization_server};

/// What the handlers work with.
pub struct Services {
    /// Which verifiers guard the API.
    pub chain: Chain,
    /// Where a token may be.
    pub token_places: TokenPlaces,
    /// Which services behind reverse proxies are guarded, and how.
    pub guards: Guards,
    /// The request service.
    pub queue: Queue,
    /// The service of the webhooks.
    pub webhooks: Arc<Webhooks>,
    /// The authorization server.
    pub authorization: AuthorizationServer,
    /// What judges the tokens that it issues, also where they do not guard the API.
    pub own_tokens: Chain,
    /// The store, for its readiness.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The `[server]` section.
    pub server: ServerSettings,
    /// With which clients the Authorize dialog of `/ui/` is filled in.
    pub ui_logins: Vec<UiLogin>,
    /// Where the line of each exchange goes.
    pub access_log: AccessLog,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// A running gateway: its services and its state.
pub struct Gateway {
    services: Services,
    mode: Mode,
    trace_ids: TraceIds,
    in_flight: InFlight,
    bodies: BodyBytes,
    /// Large payloads are read one after another, so that others have their turns between them.
    large_payloads: Semaphore,
    shown: ShownRequests,
    stopping: watch::Sender<bool>,
}

impl Deref for Gateway {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.services
    }
}

/// The route table of a listener.
fn table(listener: Listener, mode: Mode, partner: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    if listener.has_api() {
        rows.extend(api());
    }
    if listener.has_api() && mode == Mode::Development {
        rows.extend(operations![Access::Token;
            // for the tests of clients
            advance_request in requests::advance,
        ]);
    }
    if listener.has_api() && partner {
        rows.extend(operations![Access::Token;
            // the partner prototype's two calls
            submit_partner_request in partner,
            get_partner_request in partner,
        ]);
    }
    // For operators, and yet on every listener: the bookstore's programs ask for it there. It needs the scope admin.
    rows.extend(operations![Access::Token; list_users in users]);
    // health, for whoever runs the gateway
    rows.extend(operations![Access::Open; get_health in healthz]);
    if listener.has_admin() {
        rows.extend(operations![Access::Open;
            get_detailed_readiness in readyz,
            get_metrics in metrics,
        ]);
        rows.extend(operations![Access::Token;
            // issuers and their keys
            list_issuers in admin::issuers,
            refresh_issuer in admin::issuers,
            list_signing_keys in admin::keys,
            rotate_signing_keys in admin::keys,
            // accounts of people
            create_account in admin::accounts,
            remove_account in admin::accounts,
            set_password in admin::accounts,
            // the clients of the authorization server
            create_client in admin::clients::create,
            list_clients in admin::clients::list,
            get_client in admin::clients::get,
            delete_client in admin::clients::delete,
            rotate_client_secret in admin::clients::rotate,
            // anybody's requests
            list_all_requests in admin::requests::list,
            inspect_request in admin::requests::get,
        ]);
    } else {
        rows.extend(operations![Access::Open; get_readiness in readyz]);
    }
    rows
}

/// What clients call. A path is looked for in this order, so what is called most stands first.
fn api() -> Vec<Row> {
    let mut rows = operations![Access::Token;
        // requests
        submit_request in requests::submit,
        submit_batch in requests::batch,
        list_requests in requests::list,
        get_request in requests::get,
        erase_request in requests::erase,
        follow_request in requests::events,
        get_payload in requests::payload,
        get_result in requests::result,
        cancel_request in requests::cancel,
        // leases, for workers
        lease_requests in leases::lease,
        act_on_leases in leases::batch,
        extend_lease in leases::heartbeat,
        complete_lease in leases::complete,
        fail_lease in leases::fail,
        release_lease in leases::release,
        // requests that workers have failed at
        list_dead_letters in dead_letters::list,
        redrive_dead_letter in dead_letters::redrive,
    ];
    rows.extend(operations![Access::Decision;
        // other services, for reverse proxies
        decide in guard,
    ]);
    rows.extend(authorization());
    rows.extend(operations![Access::Open;
        // people
        log_in in login,
        // the contract
        get_openapi_json in openapi,
        get_openapi_yaml in openapi,
        get_protected_resource in well_known,
        get_authorization_server in well_known::authorization_server,
    ]);
    rows.extend(operations![Access::Token;
        // webhooks
        create_webhook_endpoint in webhook_endpoints::create,
        list_webhook_endpoints in webhook_endpoints::list,
        get_webhook_endpoint in webhook_endpoints::get,
        delete_webhook_endpoint in webhook_endpoints::delete,
        rotate_webhook_secret in webhook_endpoints::rotate,
        enable_webhook_endpoint in webhook_endpoints::enable,
        test_webhook_endpoint in webhook_endpoints::test,
        list_webhook_deliveries in webhook_endpoints::deliveries,
        replay_webhook_delivery in webhook_endpoints::replay,
        // oneself
        whoami in whoami,
        // people
        register in register,
    ]);
    rows.extend(pages());
    rows
}

/// What people see in their browsers, and what leads there.
fn pages() -> [Row; 12] {
    let get = &[Method::GET];
    [
        Row::page("/auth", get, || Route::new().to(auth::issue_token_by_basic)),
        Row::page("/auth", &[Method::POST], || Route::new().to(auth::issue_token_at_auth)),
        Row::page(OPENID_PATH, get, || Route::new().to(get_authorization_server)),
        Row::page("/oauth/authorize", get, || Route::new().to(oauth::authorize::ask)),
        Row::page("/oauth/authorize", &[Method::POST], || Route::new().to(oauth::authorize::decide)),
        Row::page("/oauth/login", &[Method::POST], || Route::new().to(oauth::login::log_in)),
        Row::page("/oauth/logout", &[Method::POST], || Route::new().to(oauth::logout::log_out)),
        Row::page("/device", get, || Route::new().to(device::show)),
        Row::page("/device", &[Method::POST], || Route::new().to(device::confirm)),
        Row::page("/", get, || Route::new().to(ui::redirect)),
        Row::page("/ui", get, || Route::new().to(ui::redirect)),
        Row::page("/ui/{file:.*}", get, || Route::new().to(ui::asset)),
    ]
}

/// The authorization server.
fn authorization() -> Vec<Row> {
    operations![Access::Open;
        // tokens
        issue_token in oauth::token,
        issue_token_by_basic in auth,
        issue_token_at_auth in auth,
        introspect_token in oauth::introspect,
        revoke_token in oauth::revoke,
        begin_device in oauth::device,
        get_jwks in well_known,
    ]
}

impl Gateway {
    /// A gateway of these services.
    pub fn new(services: Services) -> Self {
        let mode = services.server.effective_mode();
        let trace_ids = TraceIds::new(&*services.entropy);
        let (in_flight, stopping) = (InFlight::default(), watch::Sender::new(false));
        Self {
            services,
            mode,
            trace_ids,
            in_flight,
            bodies: BodyBytes::default(),
            large_payloads: Semaphore::new(1),
            shown: ShownRequests::new(),
            stopping,
        }
    }

    /// Turns `/readyz` to 503, so that no new traffic is sent here, and answers those who are held.
    pub fn begin_to_stop(&self) {
        self.stopping.send_replace(true);
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Completes when the gateway begins to stop.
    async fn begins_to_stop(&self) {
        // The sender is at hand, so there is always an answer.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    fn is_ready(&self) -> bool {
        !self.is_stopping() && self.store.is_ready() && self.chain.is_ready()
    }
}
