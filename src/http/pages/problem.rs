//! The page that people read when something went wrong.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use maud::html;

use super::page;
use crate::http::problem::Problem;

/// A problem as a page. Where the fault is ours, the problem's own words are for programs.
pub(in crate::http) fn problem(problem: &Problem, trace_id: &str) -> HttpResponse {
    let status = problem.code.status();
    let content = html! {
        @if status == StatusCode::SERVICE_UNAVAILABLE {
            p { "This can not be done at the moment. Please try again shortly." }
        } @else if status.is_server_error() {
            p { "Something has failed here. It may or may not have been done." }
        } @else {
            p { (problem.detail()) }
        }
        p { "Whoever runs this gateway can look it up as " code { (trace_id) } "." }
    };
    let mut answer = page(status, problem.code.title(), content, None);
    if let Some(seconds) = problem.wait() {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}
