//! `/v1/admin/issuers`: whose tokens are believed, and how their keys get on.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Path};
use serde::Serialize;
use utoipa::ToSchema;

use super::audit::audit;
use super::view::IssuerView;
use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::problem::Problem;
use crate::verify::{NotRefreshed, Readiness};

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
    allowed: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    name: Path<String>,
) -> Result<Json<IssuerView>, Problem> {
    let refreshed = refresh(&gateway, &name).await;
    audit(&http, &allowed, "issuer.refresh", &name, &refreshed);
    refreshed.map(|verifier| Json(verifier.into()))
}

async fn refresh(gateway: &Gateway, name: &str) -> Result<Readiness, Problem> {
    gateway.chain.refresh(name).await.map_err(|why| match why {
        NotRefreshed::NoVerifier => Problem::new(Code::NotFound),
        NotRefreshed::NothingToFetch => Problem::new(Code::KeysNotFetched),
        NotRefreshed::Failed(class) => {
            let class = class.name();
            let detail =
                format!("The keys could not be fetched ({class}); those that there were stay. The log says more.");
            Problem::detailed(Code::KeysNotRefreshed, detail)
        }
    })?;
    let refreshed = gateway.chain.readiness().into_iter().find(|verifier| verifier.name == name);
    refreshed.ok_or_else(|| Problem::new(Code::NotFound))
}
