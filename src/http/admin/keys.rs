//! `/v1/admin/keys`: the keys that our tokens are signed with, and their rotation.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::audit::audit;
use crate::core::clock::Timestamp;
use crate::core::error::Error;
use crate::core::policy::Operate;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::code::Code;
use crate::http::problem::Problem;
use crate::oauth::signing_keys::{KeyFacts, NotRotated};

/// A key that our tokens are signed with.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningKey, example = json!({
    "kid": "mD0ZxZkYw8gJq2m1PpXc9TqSgdzKZ4Vd0qJ2Yw1pXc9", "created_at": "2026-11-22T06:12:03.482Z",
    "signs_from": "2026-11-22T06:17:13.482Z", "retires_at": null,
}))]
pub(in crate::http) struct SigningKeyView {
    /// Its `kid`.
    kid: String,
    /// When it was made; it is published since then.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it signs at the earliest: by then everybody can know it.
    #[schema(value_type = String, format = DateTime)]
    signs_from: Timestamp,
    /// When it is no longer published nor believed, because its last token has expired; `null` until there is a newer key.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    retires_at: Option<Timestamp>,
}

/// The keys that our tokens are signed with.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SigningKeyPage {
    /// The keys, in the order in which they were made.
    items: Vec<SigningKeyView>,
    /// Always `null`: there is one page.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl From<Vec<KeyFacts>> for SigningKeyPage {
    fn from(keys: Vec<KeyFacts>) -> Self {
        let view = |KeyFacts { kid, created_at, signs_from, retires_at }| SigningKeyView {
            kid,
            created_at,
            signs_from,
            retires_at,
        };
        Self { items: keys.into_iter().map(view).collect(), next_cursor: None }
    }
}

/// List the signing keys
///
/// The keys that our own tokens are signed with, the public ones of which are published. With HS256 there are none.
#[utoipa::path(get, path = "/v1/admin/keys", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    responses((status = 200, description = "The keys", body = SigningKeyPage)),
)]
pub(in crate::http) async fn list_signing_keys(
    _: Allowed<Operate>,
    gateway: Data<Gateway>,
) -> Result<Json<SigningKeyPage>, Problem> {
    Ok(Json(gateway.authorization.signing_keys().await.map_err(Error::Store)?.into()))
}

/// Rotate the signing key
///
/// Makes a new key, which is published at once, and signs once everybody can know it. The present key signs until then, and is believed
/// until its last token has expired.
#[utoipa::path(post, path = "/v1/admin/keys", tag = "admin",
    security(("bearer" = []), ("oauth2" = ["admin"])),
    responses(
        (status = 200, description = "All keys, the new one last", body = SigningKeyPage),
        (status = 409, description = "Tokens are signed with a secret, the last new key does not sign yet, or there are too many keys"),
    ),
)]
pub(in crate::http) async fn rotate_signing_keys(
    allowed: Allowed<Operate>,
    gateway: Data<Gateway>,
    http: HttpRequest,
) -> Result<Json<SigningKeyPage>, Problem> {
    let rotated = gateway.authorization.rotate_keys().await.map_err(refusal);
    let kid = rotated.as_ref().ok().and_then(|keys| keys.last()).map_or_else(String::new, |key| key.kid.clone());
    audit(&http, &allowed, "key.rotate", &kid, &rotated);
    Ok(Json(rotated?.into()))
}

fn refusal(why: NotRotated) -> Problem {
    let remedy = match why {
        NotRotated::Store(error) => return Error::Store(error).into(),
        NotRotated::Secrets => {
            "Put a new secret first into issuer.secrets, and restart; take the old one out when its last token has expired. Without \
             issuer.secrets, name the file in data_dir there as the second one."
        }
        NotRotated::Waiting(_) => "Wait until then.",
        NotRotated::TooMany => "Wait until one is retired, as `retires_at` of the keys says.",
    };
    Problem::detailed(Code::KeysNotRotated, format!("No key was made: {why}. {remedy}"))
}
