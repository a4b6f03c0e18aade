//! `/v1/webhook-endpoints`: where one is told what becomes of one's requests, a file for each operation.

use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde::Serialize;

use super::code::Code;
use super::problem::Problem;

pub(super) mod create;
pub(super) mod delete;
pub(super) mod deliveries;
pub(super) mod enable;
pub(super) mod get;
pub(super) mod list;
pub(super) mod replay;
pub(super) mod rotate;
pub(super) mod test;
pub(super) mod view;

/// The id in a path. One that can not be an id names nothing.
fn id<T: FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(Code::NotFound))
}

/// An answer that no cache keeps: there may be a secret in it.
fn answer(status: StatusCode, body: impl Serialize) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::CACHE_CONTROL, "private, no-store")).json(body)
}
