//! The yardstick of `scripts/bench`: actix-web with nothing behind it, which answers the gateway's own bytes.
//!
//! `GET` answers the file that is named as the first argument; `POST` reads the body as JSON and answers the same with 202. It
//! listens on the address that is the second argument.

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::Value;

/// What every answer carries.
type Body = web::Data<web::Bytes>;

async fn read(body: Body) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body.as_ref().clone())
}

async fn submit(request: web::Json<Value>, body: Body) -> HttpResponse {
    // So that the compiler can not leave the reading out.
    if request.is_null() {
        return HttpResponse::BadRequest().finish();
    }
    HttpResponse::Accepted().content_type("application/json").body(body.as_ref().clone())
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(file), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err(std::io::Error::other("usage: bare FILE ADDRESS; scripts/bench gives both"));
    };
    let body = web::Data::new(web::Bytes::from(std::fs::read(file)?));
    let app = move || {
        App::new()
            .app_data(body.clone())
            .route("/v1/requests", web::post().to(submit))
            .route("/v1/requests/{request_id}", web::get().to(read))
    };
    actix_web::rt::System::new().block_on(HttpServer::new(app).bind(address)?.run())
}
