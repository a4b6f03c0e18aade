//! Holding a call for as long as the client prefers (`Prefer: wait=N`).

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponseBuilder};

use crate::core::request::View;
use crate::http::Gateway;
use crate::http::held::Place;
use crate::http::limits::InWork;
use crate::http::prefer::Wait;
use crate::http::problem::Problem;
use crate::queue::Snapshot;

/// What a held call is answered with, and for how long it was ready to be held.
pub(super) struct Held {
    /// The request as it stands now.
    pub(super) seen: Snapshot,
    applied: Option<Wait>,
}

/// The request that was `seen` as soon as it `is_awaited`: at once when the client does not want to wait, when nothing is to be waited
/// for, or when too many calls are held; and when its patience is over.
pub(super) async fn until(
    http: &HttpRequest,
    gateway: &Data<Gateway>,
    seen: Snapshot,
    is_awaited: impl Fn(&View) -> bool,
) -> Result<Held, Problem> {
    let applied = Wait::of(http);
    let Some(wait) = applied.filter(|_| !is_awaited(&seen.view)) else {
        return Ok(Held { seen, applied });
    };
    let Some(_place) = Place::take(gateway) else {
        return Ok(Held { seen, applied: None });
    };
    // It is not in work while it waits, or those that are held would keep all others out.
    let _aside = InWork::of(http).map(|counted| gateway.in_flight.aside(counted));
    let stop = gateway.begins_to_stop();
    let seen = gateway.queue.wait(&seen, wait.duration(), stop, is_awaited).await?;
    Ok(Held { seen, applied })
}

/// The same for a request that has just been taken in. Whatever comes between, the client is told that it was: it would take an error for
/// a refusal, and submit again.
pub(super) async fn or_seen(
    http: &HttpRequest,
    gateway: &Data<Gateway>,
    seen: Snapshot,
    is_awaited: impl Fn(&View) -> bool,
) -> Held {
    let held = until(http, gateway, seen.clone(), is_awaited).await;
    held.unwrap_or(Held { seen, applied: None })
}

impl Held {
    /// Says that the answer may depend on what the client prefers, and whether it did.
    pub(super) fn set_headers(&self, answer: &mut HttpResponseBuilder) {
        answer.append_header((header::VARY, "Prefer"));
        if let Some(wait) = self.applied {
            answer.insert_header(wait.applied());
        }
    }
}
