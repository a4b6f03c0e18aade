//! The guard in a handler's signature: an extractor that yields the permit, or the refusal.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev};

use super::Gateway;
use super::code::Code;
use super::problem::Problem;
use crate::core::policy::{Permit, Policy};
use crate::core::verdict::Verdict;

/// Proof that the caller may. It is the first argument of every guarded handler and ready at the first poll, so a refusal comes before
/// any fault in the body.
#[derive(Debug)]
pub(super) struct Allowed<P>(Permit<P>);

impl<P: Policy> FromRequest for Allowed<P> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let Some(gateway) = request.app_data::<Data<Gateway>>() else {
            return ready(Err(Problem::new(Code::Internal)));
        };
        let permit = Permit::grant(request.extensions().get::<Verdict>(), gateway.queue.types().scopes());
        ready(permit.map(Self).map_err(Problem::from))
    }
}

impl<P> Deref for Allowed<P> {
    type Target = Permit<P>;

    fn deref(&self) -> &Permit<P> {
        &self.0
    }
}
