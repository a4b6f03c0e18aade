//! What a page's form sends.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::web::Payload;

use crate::http::body;
use crate::http::code::Code;
use crate::http::problem::Problem;

/// No page of ours has a form that sends more.
const LARGEST: usize = 32 << 10;

/// The fields of a form.
pub(in crate::http) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads it.
    ///
    /// # Errors
    /// Those of reading a body; a body of another media type; a field that comes twice.
    pub(in crate::http) async fn read(http: &HttpRequest, payload: Payload) -> Result<Self, Problem> {
        if body::media_type(http).as_deref() != Some("application/x-www-form-urlencoded") {
            return Err(Problem::detailed(
                Code::UnsupportedMediaType,
                "Only a form is read here, as a browser sends it.",
            ));
        }
        let body = body::read_at_most(LARGEST, http, &mut payload.into_inner()).await?;
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(&body) {
            if fields.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(Problem::detailed(Code::Malformed, "A field of the form is repeated."));
            }
        }
        Ok(Self(fields))
    }

    /// What a field holds; nothing where there is no such field.
    pub(in crate::http) fn field(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}
