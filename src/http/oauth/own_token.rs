//! A token of ours that is asked about: whether it is good now, and what it says.

use std::sync::Arc;

use actix_web::HttpRequest;

use super::client_authentication::credentials;
use super::form::Parameters;
use super::refusal::Refusal;
use crate::core::claims::Caller;
use crate::core::verdict::Verdict;
use crate::http::Gateway;
use crate::http::origin::client_address;
use crate::oauth::clients::Client;

/// The client that asks, and the token that it asks about.
pub(super) async fn asked(
    gateway: &Gateway,
    http: &HttpRequest,
    parameters: &mut Parameters,
) -> Result<(Arc<Client>, String), Refusal> {
    let credentials = credentials(http, parameters)?;
    let client = gateway.authorization.authenticate(&credentials, client_address(http, &gateway.server)).await?;
    match parameters.remove("token") {
        Some(token) => Ok((client, token)),
        None => Err(Refusal::invalid_request("the parameter token is missing")),
    }
}

/// Whom an access token speaks for, if it is ours and good now: whatever else is wrong with it is nobody's business.
pub(super) async fn judge(gateway: &Gateway, token: &str) -> Result<Option<Arc<Caller>>, Refusal> {
    match gateway.own_tokens.verify(token.as_bytes(), gateway.own_tokens.api(), gateway.clock.now()).await {
        Verdict::Accepted(caller) => Ok(Some(caller)),
        Verdict::Rejected(_) => Ok(None),
        Verdict::Unavailable { retry_after } => Err(Refusal::unavailable(retry_after)),
    }
}
