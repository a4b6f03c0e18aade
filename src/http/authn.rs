//! Authentication, around guarded resources only: the bearer token of a request becomes a verdict kept with it.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};

use super::Gateway;
use super::admin::socket::AtSocket;
use super::limits::InWork;
use super::problem::Problem;
use super::token_places::Sent;
use crate::core::verdict::Verdict;

/// Judges the request's token. A missing one is not an error yet: whether one is needed is the policy's to say. Who comes by the admin
/// socket needs none.
pub(super) async fn authenticate<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    match verdict(&mut request).await {
        Ok(Some(verdict)) => {
            let admitted = share(&request, &verdict);
            // Also when it is refused: the access line says whose share it was.
            request.extensions_mut().insert(verdict);
            if let Err(problem) = admitted {
                return Ok(request.error_response(problem).map_into_right_body());
            }
        }
        Ok(None) => {}
        Err(problem) => return Ok(request.error_response(problem).map_into_right_body()),
    }
    Ok(next.call(request).await?.map_into_left_body())
}

async fn verdict(request: &mut ServiceRequest) -> Result<Option<Verdict>, Problem> {
    if request.app_data::<AtSocket>().is_some() {
        return Ok(Some(AtSocket::verdict()));
    }
    let elsewhere = take(request).await?;
    let Some(gateway) = request.app_data::<Data<Gateway>>() else { return Ok(None) };
    let sent = elsewhere.and(gateway.token_places.in_headers(request.headers()));
    sent.judge(gateway, gateway.chain.api()).await
}

/// Takes a call out of the share of its owner, before its body is read. Operators have none where they have an address of their own.
fn share(request: &ServiceRequest, verdict: &Verdict) -> Result<(), Problem> {
    match (request.app_data::<Data<Gateway>>(), verdict) {
        (Some(gateway), Verdict::Accepted(caller)) if InWork::of(request.request()).is_some() => {
            gateway.queue.admit(caller).map_err(Problem::from)
        }
        _ => Ok(()),
    }
}

/// Takes the tokens out of query and form, where one may be there.
async fn take(request: &mut ServiceRequest) -> Result<Sent<'static>, Problem> {
    match request.app_data::<Data<Gateway>>().filter(|gateway| gateway.token_places.beyond_headers()).cloned() {
        Some(gateway) => gateway.token_places.take(request).await,
        None => Ok(Sent::Nothing),
    }
}
