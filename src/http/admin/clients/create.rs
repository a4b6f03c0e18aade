//! `POST /v1/admin/clients`: adds a client.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer;
use super::view::ClientView;
use crate::core::period::Period;
use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::admin::audit::audit;
use crate::http::allowed::Allowed;
use crate::http::body::{Json, Object};
use crate::http::problem::Problem;
use crate::oauth::clients::{ClientSettings, Consent, default_scopes};
use crate::oauth::grant_type::GrantType;

/// A client that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({ "client_id": "acme", "scopes": ["requests:read", "requests:write"] }))]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewClient {
    /// Its id, of at most 255 bytes.
    #[schema(example = "acme")]
    client_id: String,
    /// What people are told that it is called; default: its id.
    #[serde(default)]
    name: Option<String>,
    /// Whether it has no secret, since it could not keep one: a program in a browser or on somebody's machine.
    #[serde(default)]
    public: bool,
    /// The ways in which it may come to a token: `client_credentials` (by default, unless it is public), `authorization_code` and
    /// `refresh_token` (by default, if it has redirect URIs), `device_code`.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, example = json!(["client_credentials"]))]
    grants: Option<Vec<GrantType>>,
    /// Where people's browsers may be sent with a code: https, or http to that machine itself, or a private scheme with a dot in it.
    #[serde(default)]
    redirect_uris: Vec<String>,
    /// Whether people are asked before it gets a token for them: `ask` (the default), or `auto`: they are not.
    #[serde(default)]
    #[schema(value_type = String, default = "ask")]
    consent: Consent,
    /// The scopes it may ask for. Default: `requests:read` and `requests:write`.
    #[serde(default = "default_scopes")]
    #[schema(example = json!(["requests:read", "requests:write"]))]
    scopes: Vec<String>,
    /// How long its tokens are valid, as `1h`; default: as long as everybody's.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "1h")]
    lifetime: Option<Period>,
}

/// Add a client
///
/// It works at once, at every gateway on the store. Its `client_secret` is shown in this answer and never again; a public client has none.
#[utoipa::path(post, path = "/v1/admin/clients", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    request_body(content = NewClient, content_type = "application/json"),
    responses(
        (status = 201, description = "Added, with its secret", body = ClientView),
        (status = 409, description = "There is a client of this id, configured or added"),
    ),
)]
pub(in crate::http) async fn create_client(
    allowed: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    body: Result<Json<Object<NewClient>>, Problem>,
) -> Result<HttpResponse, Problem> {
    let Json(Object(new)) = body?;
    let NewClient { client_id: id, name, public, grants, redirect_uris, consent, scopes, lifetime } = new;
    let secrets = Vec::new();
    let settings = ClientSettings { name, secrets, public, grants, redirect_uris, consent, scopes, lifetime };
    let added = gateway.authorization.add_client(&id, settings).await.map_err(Problem::from);
    audit(&http, &allowed, "client.add", &id, &added);
    added.map(|(shown, secret)| answer(StatusCode::CREATED, ClientView::new(shown, secret)))
}
