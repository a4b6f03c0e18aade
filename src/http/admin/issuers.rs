//! `/v1/admin/issuers`: whose tokens are believed, and how their keys get on.

use actix_web::web::{Data, Json, Path};
use serde::Serialize;
use utoipa::ToSchema;

use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::problem::Problem;
use crate::verify::{FetchErrorClass, KeyReport, KeySetReport, KeySetState, NotRefreshed, Readiness};

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
    /// Whether the gateway should be sent traffic, as far as this issuer has a say in it.
    ready: bool,
    /// Its keys; `null` where none are fetched.
    #[schema(required)]
    keys: Option<KeySetView>,
}

/// The keys that are fetched from an issuer.
#[derive(Serialize, ToSchema)]
#[schema(as = KeySet)]
struct KeySetView {
    /// `empty`: there are none; `loading`: they are being fetched for the first time; `fresh`: within their lifetime; `stale`: past
    /// it, and serving while new ones can not be had; `expired`: too old to be used.
    #[schema(value_type = String)]
    state: KeySetState,
    /// Seconds since they were last confirmed; `null` while there are none.
    #[schema(required)]
    age_seconds: Option<u64>,
    /// Seconds until they are fetched again; `null` before the first time.
    #[schema(required)]
    next_refresh_seconds: Option<u64>,
    /// Why the last fetch failed: `http`, `timeout`, `tls`, `connection`, `parse`, `empty`, `issuer`, `too_large` or `address`; `null`
    /// when it did not.
    #[schema(required)]
    last_error: Option<&'static str>,
    /// Fetches that failed since the last one that did not.
    consecutive_failures: u32,
    /// The keys, in the order in which they are published.
    keys: Vec<KeyView>,
}

/// One key.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyView {
    /// Its `kid`; `null` when it has none.
    #[schema(required)]
    id: Option<String>,
    /// What it can be used with.
    algorithms: Vec<String>,
    /// When it was fetched for the first time.
    #[schema(format = DateTime)]
    first_seen: String,
}

impl IssuerView {
    /// What is wrong with it, in a sentence.
    pub(in crate::http) fn problem(&self) -> Option<String> {
        let Self { name, issuer, keys, .. } = self;
        let keys = keys.as_ref()?;
        let error = keys.last_error.map(|class| format!(" ({class})")).unwrap_or_default();
        if keys.keys.is_empty() {
            return Some(format!("{name}: there are no keys of {issuer} yet{error}; its tokens are answered 503."));
        }
        match keys.state {
            KeySetState::Expired => Some(format!(
                "{name}: the keys of {issuer} are too old to be used{error}; its tokens are answered 503."
            )),
            KeySetState::Stale => {
                Some(format!("{name}: the keys of {issuer} are past their lifetime and can not be renewed{error}."))
            }
            _ => None,
        }
    }
}

impl From<Readiness> for IssuerView {
    fn from(verifier: Readiness) -> Self {
        let Readiness { name, issuer, is_ready, keys } = verifier;
        Self { name, issuer, ready: is_ready, keys: keys.map(KeySetView::from) }
    }
}

impl From<KeySetReport> for KeySetView {
    fn from(report: KeySetReport) -> Self {
        Self {
            state: report.state,
            age_seconds: report.age.map(|age| age.as_secs()),
            next_refresh_seconds: report.next_refresh.map(|time| time.as_secs()),
            last_error: report.last_error.map(FetchErrorClass::name),
            consecutive_failures: report.consecutive_failures,
            keys: report.keys.into_iter().map(KeyView::from).collect(),
        }
    }
}

impl From<KeyReport> for KeyView {
    fn from(key: KeyReport) -> Self {
        Self { id: key.id, algorithms: key.algorithms, first_seen: key.first_seen.to_string() }
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
/// Fetches them at once, whatever was fetched a moment ago, and answers how they get on then. Keys that the issuer has withdrawn are
/// not believed from then on.
#[utoipa::path(post, path = "/v1/admin/issuers/{name}/refresh", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    params(("name" = String, Path, description = "The name of its verifier in the configuration")),
    responses(
        (status = 200, description = "Its keys are refreshed", body = IssuerView),
        (status = 404, description = "There is no verifier of this name"),
        (status = 409, description = "Its keys are not fetched"),
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
