//! `/v1/admin/clients`: the clients of the authorization server, a file for each operation.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;

pub(in crate::http) mod create;
pub(in crate::http) mod delete;
pub(in crate::http) mod get;
pub(in crate::http) mod list;
pub(in crate::http) mod rotate;
mod view;

/// An answer that no cache keeps: there may be a secret in it.
fn answer(status: StatusCode, body: impl Serialize) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::CACHE_CONTROL, "private, no-store")).json(body)
}
