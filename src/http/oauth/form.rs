//! The parameters of a call to the authorization server: a form or JSON, in which none comes twice.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::web::Payload;

use super::refusal::Refusal;
use crate::http::body;
use crate::http::code::Code;
use crate::http::problem::Problem;

/// The parameters of a call.
pub(in crate::http) type Parameters = BTreeMap<String, String>;

/// Reads the parameters out of a form or JSON; without a body there are none.
pub(in crate::http) async fn parameters(http: &HttpRequest, payload: Payload) -> Result<Parameters, Refusal> {
    let body = body::read(http, &mut payload.into_inner()).await?;
    match body::media_type(http).as_deref() {
        _ if body.is_empty() => Ok(Parameters::new()),
        Some("application/x-www-form-urlencoded") => unrepeated(form_urlencoded::parse(&body)),
        Some("application/json") => {
            let not_flat = "the body is not a JSON object of texts, or a member is repeated";
            let members: Vec<(String, String)> =
                unique_members(&body).ok_or_else(|| Refusal::invalid_request(not_flat))?;
            unrepeated(members.into_iter())
        }
        _ => Err(Problem::new(Code::UnsupportedMediaType).into()),
    }
}

/// The members of a flat JSON object of texts, repeated ones too.
fn unique_members(body: &[u8]) -> Option<Vec<(String, String)>> {
    struct Members;
    impl<'de> serde::de::Visitor<'de> for Members {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object of texts")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let members = serde::Deserializer::deserialize_map(&mut json, Members).ok()?;
    json.end().ok().map(|()| members)
}

/// RFC 6749 section 3.2: no parameter may come twice, and one without a value counts as left out.
fn unrepeated<K: Into<String>, V: Into<String>>(pairs: impl Iterator<Item = (K, V)>) -> Result<Parameters, Refusal> {
    let mut parameters = Parameters::new();
    for (name, value) in pairs {
        if parameters.insert(name.into(), value.into()).is_some() {
            return Err(Refusal::invalid_request("a parameter is repeated"));
        }
    }
    parameters.retain(|_, value| !value.is_empty());
    Ok(parameters)
}
