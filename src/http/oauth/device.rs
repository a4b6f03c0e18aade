//! `/oauth/device`: a device asks to be confirmed by a person, RFC 8628 section 3.1.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::client_authentication::credentials;
use super::form::parameters;
use super::refusal::{Refusal, TokenErrorAnswer, no_store};
use crate::http::Gateway;
use crate::http::origin::{base_url, client_address};
use crate::oauth::device::{DeviceRequest, INTERVAL, LIFETIME, Waiting};

/// What a device asks with; RFC 8628 section 3.1. The credentials may come by HTTP Basic instead; a public client has an id alone.
#[derive(Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the form in the contract; the parameters are read one by one, to refuse repeated ones"
)]
pub(in crate::http) struct DeviceForm {
    /// The client id, unless it comes by HTTP Basic.
    #[schema(example = "anteroom-cli")]
    client_id: Option<String>,
    /// The client's secret, unless it has none or it comes by HTTP Basic.
    #[schema(format = Password)]
    client_secret: Option<String>,
    /// The scopes asked for, separated by spaces; none: all that the client has.
    #[schema(example = "requests:read requests:write")]
    scope: Option<String>,
}

/// What a device is told; RFC 8628 section 3.2.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "device_code": "Xkq2w5DHTYcvxyqoDpfoBlOTI2l7NkKT0GHe_0s4Jvg", "user_code": "WDJB-MJHT",
    "verification_uri": "http://localhost:8080/device",
    "verification_uri_complete": "http://localhost:8080/device?user_code=WDJB-MJHT", "expires_in": 600, "interval": 5,
}))]
pub(in crate::http) struct DeviceAnswer {
    /// What to ask the token endpoint with; not to be shown.
    device_code: String,
    /// What to show to the person.
    user_code: String,
    /// Where the person types it.
    verification_uri: String,
    /// The same with the code in it, for a link or a picture of one.
    verification_uri_complete: String,
    /// For how many seconds the codes are good.
    expires_in: u64,
    /// How many seconds to wait between two questions to the token endpoint.
    interval: u64,
}

impl DeviceAnswer {
    fn of(waiting: &Waiting, base: &str) -> Self {
        let user_code = waiting.user_code.to_string();
        let verification_uri = format!("{base}/device");
        Self {
            device_code: waiting.device_code.expose_secret().to_owned(),
            verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
            user_code,
            verification_uri,
            expires_in: LIFETIME.as_secs(),
            interval: INTERVAL.as_secs(),
        }
    }
}

/// Let a device be confirmed
///
/// The device authorization request of RFC 8628. The device shows the user code and the address, and asks `POST /oauth/token` with
/// `grant_type=urn:ietf:params:oauth:grant-type:device_code` and the device code until a person has confirmed it there. The client is
/// authenticated as at the token endpoint; its `grants` must name `device_code`.
#[utoipa::path(post, path = "/oauth/device", tag = "tokens",
    security((), ("basic" = [])),
    request_body(content((DeviceForm = "application/x-www-form-urlencoded"), (DeviceForm = "application/json"))),
    responses(
        (status = 200, description = "The codes", body = DeviceAnswer),
        (status = 400, description = "A parameter is repeated or malformed; or the client may not use the grant, or not have the scope", body = TokenErrorAnswer),
        (status = 401, description = "The client is not known, or its secret is wrong", body = TokenErrorAnswer),
        (status = 408, description = "The body did not arrive in time", body = TokenErrorAnswer),
        (status = 413, description = "The body is too large", body = TokenErrorAnswer),
        (status = 415, description = "The body is neither a form nor JSON", body = TokenErrorAnswer),
        (status = 429, description = "Too many attempts with wrong credentials, or too many devices have begun", body = TokenErrorAnswer),
    ),
)]
pub(in crate::http) async fn begin_device(gateway: Data<Gateway>, http: HttpRequest, payload: Payload) -> HttpResponse {
    match begin(&gateway, &http, payload).await {
        Ok(waiting) => no_store(StatusCode::OK).json(DeviceAnswer::of(&waiting, &base_url(&http, &gateway.server))),
        Err(refusal) => refusal.answer(&http),
    }
}

async fn begin(gateway: &Gateway, http: &HttpRequest, payload: Payload) -> Result<Waiting, Refusal> {
    let mut parameters = parameters(http, payload).await?;
    let request = DeviceRequest {
        credentials: credentials(http, &mut parameters)?,
        scope: parameters.remove("scope"),
        address: client_address(http, &gateway.server),
    };
    Ok(gateway.authorization.begin_device(&request).await?)
}
