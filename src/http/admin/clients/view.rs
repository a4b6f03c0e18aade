//! Clients as operators see them.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use crate::core::clock::Timestamp;
use crate::oauth::clients::Consent;
use crate::oauth::clients::administration::Shown;
use crate::oauth::grant_type::GrantType;

/// A client of the authorization server.
#[derive(Serialize, ToSchema)]
#[schema(as = Client, example = json!({
    "client_id": "acme", "name": "Acme", "configured": false, "public": false, "grants": ["client_credentials"],
    "redirect_uris": [], "scopes": ["requests:read", "requests:write"], "consent": "ask", "lifetime_seconds": null,
    "secrets": [{ "created_at": "2026-11-22T06:12:03.482Z", "expires_at": null }], "created_at": "2026-11-22T06:12:03.482Z",
}))]
pub(in crate::http) struct ClientView {
    /// Its id.
    #[schema(example = "acme")]
    client_id: String,
    /// The secret, which is shown once: in the answer to the call that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// What people are told that it is called.
    name: String,
    /// Whether it is in the Provider's configuration, and is changed there alone.
    configured: bool,
    /// Whether it has no secret, since it could not keep one.
    public: bool,
    /// The ways in which it may come to a token: `client_credentials`, `authorization_code`, `refresh_token`, `device_code`.
    #[schema(value_type = Vec<String>, example = json!(["client_credentials"]))]
    grants: Vec<GrantType>,
    /// Where people's browsers may be sent with a code.
    redirect_uris: Vec<String>,
    /// The scopes it may ask for.
    #[schema(example = json!(["requests:read", "requests:write"]))]
    scopes: Vec<String>,
    /// Whether people are asked before it gets a token for them: `ask`, or `auto`: they are not.
    #[schema(value_type = String, example = "ask")]
    consent: Consent,
    /// For how many seconds its tokens are valid, where it is not as long as everybody's.
    #[schema(required)]
    lifetime_seconds: Option<u64>,
    /// Its secrets that are good, the newest last; of one that is configured they are not told.
    secrets: Vec<ClientSecretView>,
    /// When it was added; `null`: it is configured.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
}

/// A secret of a client, but for what it is.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientSecret)]
pub(in crate::http) struct ClientSecretView {
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Until when it is good; `null`: until another takes its place.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

impl ClientView {
    pub(super) fn new(shown: Shown, secret: Option<SecretString>) -> Self {
        let Shown { client, secrets, added_at } = shown;
        let secrets = secrets.into_iter().map(|(created_at, expires_at)| ClientSecretView { created_at, expires_at });
        Self {
            client_id: client.id,
            client_secret: secret.map(|secret| secret.expose_secret().to_owned()),
            name: client.name,
            configured: added_at.is_none(),
            public: client.is_public,
            grants: client.grants,
            redirect_uris: client.redirect_uris,
            scopes: client.scopes,
            consent: client.consent,
            lifetime_seconds: client.lifetime.map(|lifetime| lifetime.as_secs()),
            secrets: secrets.collect(),
            created_at: added_at,
        }
    }
}
