//! `POST /v1/leases/{lease_id}/complete`: a worker is done.

use actix_web::mime::Mime;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::rules::{Rules, raw};
use super::view::WorkView;
use super::{end, lease_id};
use crate::core::error::{Error, Fault};
use crate::core::policy::WorkRequests;
use crate::core::request::Output;
use crate::http::Gateway;
use crate::http::allowed::Allowed;
use crate::http::body::{Json, Object};
use crate::http::problem::Problem;
use crate::queue::payload::Payload;
use crate::queue::work::Said;

const LONGEST_MEDIA_TYPE: usize = 128;
/// What bytes are of which nobody says more.
const BYTES: &str = "application/octet-stream";

/// What a worker gives. Without a result it is `null`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Complete {
    /// The lease's fencing number.
    #[schema(example = 1)]
    pub(super) epoch: u32,
    /// The result, as JSON.
    #[serde(default, deserialize_with = "raw")]
    #[schema(value_type = Value)]
    result: Option<Box<RawValue>>,
    /// The result as bytes of another media type, in base64; instead of `result`.
    result_base64: Option<String>,
    /// What `result_base64` is.
    #[schema(example = "application/pdf", default = "application/octet-stream")]
    content_type: Option<String>,
}

/// Complete a request
///
/// The request has succeeded, and its result is stored, both on disk when this answers. The same completion again answers the same;
/// the first result counts. A result that breaks the type's schema for results is 422, and the attempt has failed for it.
#[utoipa::path(post, path = "/v1/leases/{lease_id}/complete", tag = "workers",
    security(("bearer" = []), ("oauth2" = ["requests:work"])),
    params(("lease_id" = String, Path, description = "The lease", example = "lease_01JD9W3W7QX5T4N0V6K8B2C1DE")),
    request_body(content = Complete, content_type = "application/json", example = json!({"epoch": 1, "result": {"pages": 10}})),
    responses(
        (status = 200, description = "The request has succeeded", body = WorkView),
        (status = 404, description = "No such lease, or somebody else's"),
        (status = 409, description = "The lease is lost: the result was not taken"),
        (status = 422, description = "The result breaks the schema of its type: the attempt has failed"),
    ),
)]
pub(in crate::http) async fn complete_lease(
    allowed: Allowed<WorkRequests>,
    gateway: Data<Gateway>,
    http: HttpRequest,
    id: Path<String>,
    body: Json<Object<Complete>>,
) -> Result<HttpResponse, Problem> {
    let lease = lease_id(&id)?;
    let Json(Object(complete)) = body;
    end(&allowed, &gateway, &http, (lease, complete.epoch, complete.said()?)).await
}

impl Complete {
    pub(super) fn said(self) -> Result<Said, Error> {
        let mut rules = Rules::default();
        if self.result.is_some() && self.result_base64.is_some() {
            rules.refuse("/result_base64", "invalid_value", "there is a `result` as well: give one of them");
        }
        if self.content_type.is_some() && self.result_base64.is_none() {
            rules.refuse("/content_type", "invalid_value", "it is for `result_base64`; a `result` is application/json");
        }
        let content_type = self.content_type.as_deref().unwrap_or(BYTES);
        if !is_media_type(content_type) {
            let detail =
                format!("it is a media type of up to {LONGEST_MEDIA_TYPE} characters, such as application/pdf");
            rules.refuse("/content_type", "invalid_value", detail);
        }
        let bytes = self.result_base64.as_ref().and_then(|text| {
            let bytes = STANDARD.decode(text);
            bytes.map_err(|_| rules.refuse("/result_base64", "invalid_value", "it is not base64")).ok()
        });
        let (result, bytes, content_type) = rules.hold((self.result, bytes, content_type.to_owned()))?;
        match bytes {
            None => json(result.unwrap_or_else(|| RawValue::NULL.to_owned()), "/result"),
            Some(body) if is_json(&content_type) => {
                let text = String::from_utf8(body).ok().and_then(|text| RawValue::from_string(text).ok());
                json(text.ok_or_else(not_json)?, "/result_base64")
            }
            Some(body) => Ok(Said::Done { output: Output { content_type, body }, value: None }),
        }
    }
}

/// JSON is read, so that whoever fetches it can.
fn json(text: Box<RawValue>, pointer: &str) -> Result<Said, Error> {
    let payload = Payload::read(text, pointer)?;
    let value: Value = payload.value().clone();
    let output = Output { content_type: Output::JSON.into(), body: payload.into_text().into_bytes() };
    Ok(Said::Done { output, value: Some(value) })
}

fn not_json() -> Error {
    let detail = "its `content_type` is application/json, and it is not JSON".to_owned();
    let fault = Fault { pointer: "/result_base64".into(), code: "invalid_json", detail };
    Error::Malformed { detail: "The result is not what its content_type says.".into(), faults: vec![fault] }
}

/// Whether it is JSON, however that is written.
fn is_json(content_type: &str) -> bool {
    content_type.parse::<Mime>().is_ok_and(|mime| mime.essence_str() == Output::JSON)
}

/// What can stand in a header of the answer, and means something there.
fn is_media_type(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    is_plain
        && text.len() <= LONGEST_MEDIA_TYPE
        && text.parse::<Mime>().is_ok_and(|mime| mime.type_() != "*" && mime.subtype() != "*")
}
