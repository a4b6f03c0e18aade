//! `/readyz`: whether the gateway should be sent traffic, and to operators why not.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::Gateway;
use super::admin::view::{IssuerView, problem};
use crate::core::ports::StoreDescription;

/// Whether the gateway is ready for traffic
///
/// Answers 503 with an empty body while it shuts down, while its store can not be used, and while a verifier whose `startup` asks for
/// keys has none.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "Ready"),
    (status = 503, description = "Not ready"),
))]
pub(super) async fn get_readiness(gateway: Data<Gateway>) -> HttpResponse {
    if gateway.is_ready() { HttpResponse::Ok().finish() } else { HttpResponse::ServiceUnavailable().finish() }
}

/// Whether the gateway is ready for traffic, and each of its parts.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(super) struct ReadinessView {
    /// Whether it should be sent traffic; the status of the answer says the same.
    ready: bool,
    /// Whether it is shutting down.
    stopping: bool,
    /// The store.
    store: StoreView,
    /// The verifiers, by name.
    issuers: Vec<IssuerView>,
    /// What is wrong, in sentences. A gateway can be ready all the same: for the callers of the other issuers.
    #[schema(example = json!([]))]
    problems: Vec<String>,
}

/// Whether the store can be used.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreReadiness)]
pub(super) struct StoreView {
    /// Whether it can be used.
    ready: bool,
    /// What it is: the scheme of `store.url`.
    #[schema(example = "sqlite")]
    kind: &'static str,
    /// What a crash leaves of what was answered.
    #[schema(example = "each commit is synced to the disk before it is answered")]
    durability: &'static str,
    /// Whether the last commit found no space: then submissions are answered 503, and what is stored can be read.
    full: bool,
}

impl StoreView {
    fn of(gateway: &Gateway) -> Self {
        let StoreDescription { scheme, durability } = gateway.store.describe();
        let full = gateway.metrics.store().is_full();
        Self { ready: gateway.store.is_ready(), kind: scheme, durability, full }
    }
}

/// Whether the gateway is ready for traffic, and why not
///
/// Answers 503 while it shuts down, while its store can not be used, and while a verifier whose `startup` asks for keys has none. The
/// body has each part, and for each issuer its keys, or how the calls to it get on.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "Ready", body = ReadinessView),
    (status = 503, description = "Not ready", body = ReadinessView),
))]
pub(super) async fn get_detailed_readiness(gateway: Data<Gateway>) -> HttpResponse {
    let verifiers = gateway.chain.readiness();
    let (stopping, store) = (gateway.is_stopping(), StoreView::of(&gateway));
    let mut problems: Vec<_> = verifiers.iter().filter_map(problem).collect();
    let issuers = verifiers.into_iter().map(IssuerView::from).collect();
    if stopping {
        problems.push("The gateway is shutting down.".into());
    }
    if !store.ready {
        problems.push("The store can not be used: the log says why.".into());
    }
    if store.full {
        problems.push("The store has no space left: submissions are answered 503 until there is some.".into());
    }
    let view = ReadinessView { ready: gateway.is_ready(), stopping, store, issuers, problems };
    if view.ready { HttpResponse::Ok().json(view) } else { HttpResponse::ServiceUnavailable().json(view) }
}
