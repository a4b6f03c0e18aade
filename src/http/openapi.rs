//! `/openapi.json` and `/openapi.yaml`: the contract.

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::Gateway;
use super::code::Code;
use super::conditional::is_known;
use super::documents::Documents;
use super::problem::Problem;

/// The contract as JSON
///
/// This document. `servers` is relative to its address.
#[utoipa::path(get, path = "/openapi.json", tag = "contract",
    responses((status = 200, description = "The contract", body = Object), (status = 304, description = "It has not changed")),
)]
pub(super) async fn get_openapi_json(
    gateway: Data<Gateway>,
    documents: Data<Documents>,
    http: HttpRequest,
) -> HttpResponse {
    let contract = &documents.latest(&gateway.chain).contract;
    serve(&http, "application/json", &contract.json, &contract.json_etag)
}

/// The contract as YAML
///
/// This document. `servers` is relative to its address.
#[utoipa::path(get, path = "/openapi.yaml", tag = "contract", responses(
    (status = 200, description = "The contract", body = String, content_type = "application/yaml"),
    (status = 304, description = "It has not changed"),
))]
pub(super) async fn get_openapi_yaml(
    gateway: Data<Gateway>,
    documents: Data<Documents>,
    http: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let contract = &documents.latest(&gateway.chain).contract;
    let yaml = contract.yaml().map_err(|_| Problem::new(Code::Internal))?;
    Ok(serve(&http, "application/yaml", &yaml.content, &yaml.etag))
}

fn serve(http: &HttpRequest, media_type: &str, body: &Bytes, etag: &str) -> HttpResponse {
    let unchanged = is_known(http.headers(), etag);
    let mut answer = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    // On 304 as well: what it says of caching replaces what was said with the copy (RFC 9111 section 3.2).
    answer.insert_header((header::ETAG, etag)).insert_header((header::CACHE_CONTROL, "no-cache"));
    if unchanged {
        return answer.finish();
    }
    answer.insert_header((header::CONTENT_TYPE, media_type)).body(body.clone())
}
