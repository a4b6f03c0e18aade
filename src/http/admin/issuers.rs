//! `/v1/admin/issuers`: whose tokens are believed, and how their keys get on.

use actix_web::web::{Data, Json, Path};
use serde::Serialize;
use utoipa::ToSchema;

use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::problem::Problem;
use crate::verify::{KeySetReport, KeySetState, NotRefreshed, Readiness};

/// A verifier, and the issuer whose tokens it decides about.
#[derive(Serialize, ToSchema)]
#[schema(as = Issuer, example = json!({
    "name": "auth0", "issuer": "https://tenant.eu.auth0.com/", "ready": true, "keys": {
        "state": "fresh", "age_seconds": 12, "next_refresh_seconds": 468, "last_error": null, "consecutive_failures": 0,
        "keys": [{ "id": "2026-11", "algorithms": ["RS256"], "first_seen": "2026-11-22T06:12:03.482Z" }],
    },
}))]
pub(in crate::http) struct IssuerView {
    /// The name of its verifier in the configuration.
    name: String,
    /// The `iss` of its tokens.
    issuer: String,
    /// Whether its tokens can be decided about. The gateway is ready without, unless `startup` says that it waits for this issuer.
    ready: bool,
    /// Its keys; `null` where none are fetched.
    #[schema(required)]
    keys: Option<KeySetReport>,
}

impl IssuerView {
    /// What is wrong with it, in a sentence.
    pub(in crate::http) fn problem(&self) -> Option<String> {
        let Self { name, issuer, keys, .. } = self;
        let keys = keys.as_ref()?;
        let error = keys.last_error.map(|class| format!(" ({})", class.name())).unwrap_or_default();
        match keys.state {
            KeySetState::Fresh => None,
            KeySetState::Empty | KeySetState::Loading => {
                Some(format!("{name}: there are no keys of {issuer} yet{error}: its tokens are answered 503."))
            }
            KeySetState::Stale => Some(format!(
                "{name}: the keys of {issuer} are past their lifetime, and new ones can not be had{error}."
            )),
            KeySetState::Expired => Some(format!(
                "{name}: the keys of {issuer} are too old to be used{error}: its tokens are answered 503."
            )),
        }
    }
}

impl From<Readiness> for IssuerView {
    fn from(verifier: Readiness) -> Self {
        let Readiness { name, issuer, is_ready, keys } = verifier;
        let usable = |keys: &KeySetReport| matches!(keys.state, KeySetState::Fresh | KeySetState::Stale);
        Self { ready: is_ready && keys.as_ref().is_none_or(usable), name, issuer, keys }
    }
}

/// The issuers whose tokens are believed.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct IssuerPage {
    /// The issuers, by the name of their verifier.
    items: Vec<IssuerView>,
    /// Always `null`: there is one page.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List the issuers
///
/// Whose tokens are believed, and how their keys get on.
#[utoipa::path(get, path = "/v1/admin/issuers", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    responses((status = 200, description = "The issuers", body = IssuerPage)),
)]
pub(in crate::http) async fn list_issuers(_: Allowed<Operate>, gateway: Data<Gateway>) -> Json<IssuerPage> {
    let items = gateway.chain.readiness().into_iter().map(IssuerView::from).collect();
    Json(IssuerPage { items, next_cursor: None })
}

/// Refresh an issuer's keys
///
/// Fetches them at once, whatever was fetched a moment ago, and answers how they get on then. Keys that the issuer had withdrawn by
/// the time of the call are not believed from then on.
#[utoipa::path(post, path = "/v1/admin/issuers/{name}/refresh", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    params(("name" = String, Path, description = "The name of its verifier in the configuration")),
    responses(
        (status = 200, description = "Its keys are refreshed", body = IssuerView),
        (status = 404, description = "There is no verifier of this name"),
        (status = 409, description = "It fetches no keys"),
        (status = 502, description = "The issuer did not give its keys; those that there were stay"),
    ),
)]
pub(in crate::http) async fn refresh_issuer(
    _: Allowed<Operate>,
    gateway: Data<Gateway>,
    name: Path<String>,
) -> Result<Json<IssuerView>, Problem> {
    gateway.chain.refresh(&name).await.map_err(|why| match why {
        NotRefreshed::NoVerifier => Problem::new(Code::NotFound),
        NotRefreshed::NothingToFetch => Problem::new(Code::KeysNotFetched),
        NotRefreshed::Failed(class) => {
            let class = class.name();
            let detail =
                format!("The keys could not be fetched ({class}); those that there were stay. The log says more.");
            Problem::detailed(Code::KeysNotRefreshed, detail)
        }
    })?;
    let refreshed = gateway.chain.readiness().into_iter().find(|verifier| verifier.name == *name);
    refreshed.map(|verifier| Json(verifier.into())).ok_or_else(|| Problem::new(Code::NotFound))
}
