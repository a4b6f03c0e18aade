//! The guard in a handler's signature: an extractor that yields the permit, or the refusal.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, dev};

use super::Gateway;
use super::code::Code;
use super::notes::Notes;
use super::problem::Problem;
use crate::core::policy::{Permit, Policy};

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
        let notes = Notes::of(request);
        let verdict = notes.as_ref().and_then(|notes| notes.verdict.get());
        let permit = Permit::grant(verdict, gateway.queue.types().scopes());
        ready(permit.map(Self).map_err(Problem::from))
    }
}

impl<P> Deref for Allowed<P> {
    type Target = Permit<P>;

    fn deref(&self) -> &Permit<P> {
        &self.0
    }
}
