//! The yardstick of `scripts/bench`: actix-web with nothing behind it, which answers the gateway's own bytes, headers and body.
//!
//! It answers what the file holds that is named as the first argument: an answer of the gateway's, as it was sent. `POST` reads the body as
//! JSON first, below `/oauth/` as a form. It listens on the address that is the second argument, and looks at no header but those of HTTP.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::Value;

/// What every answer carries.
struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: web::Bytes,
}

impl Answer {
    /// Takes an answer apart. What the server itself writes is left to it.
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let ours = !["content-length", "date"].contains(&name.to_ascii_lowercase().as_str());
            ours.then(|| Some((name.parse().ok()?, value.parse().ok()?))).flatten()
        });
        Some(Self { status, headers: headers.collect(), body: web::Bytes::from(body.to_owned()) })
    }

    fn unless(&self, unread: bool) -> HttpResponse {
        // So that the compiler can not leave the reading out.
        let status = if unread { StatusCode::BAD_REQUEST } else { self.status };
        let mut response = HttpResponse::build(status).body(self.body.clone());
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }
}

async fn read(answer: web::Data<Answer>) -> HttpResponse {
    answer.unless(false)
}

async fn submit(request: web::Json<Value>, answer: web::Data<Answer>) -> HttpResponse {
    answer.unless(request.is_null())
}

async fn read_form(form: web::Form<BTreeMap<String, String>>, answer: web::Data<Answer>) -> HttpResponse {
    answer.unless(form.is_empty())
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(file), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err(std::io::Error::other("usage: bare FILE ADDRESS; scripts/bench gives both"));
    };
    let answer =
        Answer::parse(&std::fs::read_to_string(file)?).ok_or_else(|| std::io::Error::other("not an answer"))?;
    let answer = web::Data::new(answer);
    let app = move || {
        App::new()
            .app_data(answer.clone())
            .route("/v1/requests", web::post().to(submit))
            .route("/v1/requests/{request_id}", web::get().to(read))
            .route("/oauth/{endpoint}", web::post().to(read_form))
    };
    actix_web::rt::System::new().block_on(HttpServer::new(app).bind(address)?.run())
}
