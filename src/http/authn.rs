//! Authentication, around guarded resources only: the bearer token of a request becomes a verdict kept with it.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};

use super::Gateway;
use crate::core::verdict::{Reason, Verdict};

/// Judges the request's token. A missing one is not an error yet: whether one is needed is the policy's to say.
pub(super) async fn authenticate<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if let Some(gateway) = request.app_data::<Data<Gateway>>() {
        match bearer_token(&request) {
            Some(Ok(token)) => {
                let verdict = gateway.chain.verify(token, gateway.chain.api(), gateway.clock.now()).await;
                request.extensions_mut().insert(verdict);
            }
            Some(Err(reason)) => {
                gateway.chain.refused(reason);
                request.extensions_mut().insert(Verdict::Rejected(reason.into()));
            }
            None => gateway.chain.refused(Reason::TokenMissing),
        }
    }
    next.call(request).await
}

/// The token of the `Authorization` header, RFC 6750 section 2.1; none when there is no such header or it is of another scheme.
fn bearer_token(request: &ServiceRequest) -> Option<Result<&str, Reason>> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let value = values.next()?;
    if values.next().is_some() {
        return Some(Err(Reason::TokenMalformed));
    }
    let Ok(value) = value.to_str() else {
        return Some(Err(Reason::TokenMalformed));
    };
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then_some(Ok(token))
}
