//! `/oauth/logout`: a person leaves a browser that others use as well.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

use super::login::STALE;
use crate::http::Gateway;
use crate::http::notes::for_people;
use crate::http::pages::browser::Browser;
use crate::http::pages::form::Form;
use crate::http::pages::{consent, page};
use crate::http::problem::Problem;

/// Ends the session. Who is not logged in is told the same: there is nothing left to do.
pub(in crate::http) async fn log_out(
    gateway: Data<Gateway>,
    http: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    for_people(&http);
    let form = Form::read(&http, payload).await?;
    let browser = Browser::of(&gateway, &http);
    if browser.person(&gateway).await?.is_some() && !browser.has_sent(&gateway, &http, &form) {
        let content = html! { p role="alert" { (STALE) } (consent::logout(&browser, "logout")) };
        return Ok(page(StatusCode::FORBIDDEN, "You are still logged in", content, None));
    }
    let content = html! { p { "You can close this page. What you have allowed before stays allowed." } };
    let answer = page(StatusCode::OK, "You are logged out", content, None);
    Ok(browser.log_out(&gateway, &http, answer).await?)
}
