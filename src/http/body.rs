//! Request bodies: read within limits of size and time, and turned into JSON types with a pointer to each fault.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpRequest, dev};
use futures_util::StreamExt;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Gateway;
use super::code::Code;
use super::limits::InWork;
use super::notes::Notes;
use super::problem::Problem;
use crate::core::error::{Error, Fault, pointer_token};

/// Reads the whole body.
///
/// # Errors
/// 413 as soon as it is known to be too large, 408 when it does not arrive in time, 415 when it is compressed.
pub(super) async fn read(request: &HttpRequest, payload: &mut dev::Payload) -> Result<Bytes, Problem> {
    read_at_most(usize::MAX, request, payload).await
}

const BATCH_TOO_LARGE: &str =
    "The batch is larger than the gateway reads. Send several smaller ones, or have server.max_batch_bytes raised.";

/// Reads the whole body of a batch, as [`read`] does, within a limit of its own.
async fn read_batch(request: &HttpRequest, payload: &mut dev::Payload) -> Result<Bytes, Problem> {
    let read = read_within(|gateway| gateway.server.max_batch_bytes, request, payload).await;
    read.map_err(|problem| match problem.code {
        Code::PayloadTooLarge => problem.with_detail(BATCH_TOO_LARGE),
        _ => problem,
    })
}

/// Reads the whole body, as [`read`] does; more than so many bytes are too large too.
///
/// # Errors
/// Those of [`read`].
pub(super) async fn read_at_most(
    most: usize,
    request: &HttpRequest,
    payload: &mut dev::Payload,
) -> Result<Bytes, Problem> {
    read_within(|gateway| gateway.server.max_body_bytes.min(most), request, payload).await
}

async fn read_within(
    limit: impl FnOnce(&Gateway) -> usize,
    request: &HttpRequest,
    payload: &mut dev::Payload,
) -> Result<Bytes, Problem> {
    let Some(gateway) = request.app_data::<Data<Gateway>>() else {
        return Err(Problem::new(Code::Internal));
    };
    let limit = limit(gateway);
    let headers = request.headers();
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Problem::new(Code::UnsupportedMediaType));
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > limit) {
        return Err(Problem::new(Code::PayloadTooLarge));
    }
    let timeout = gateway.server.body_timeout.duration();
    let counted = InWork::of(request);
    let aside = counted.map(|counted| gateway.in_flight.aside(counted));
    let body = tokio::time::timeout(timeout, collect(request, payload, announced.unwrap_or(0), limit)).await;
    drop(aside);
    if counted.is_some() && gateway.in_flight.is_over(gateway.server.max_in_flight) {
        return Err(Problem::new(Code::Overloaded).retry_after(Duration::from_secs(1)));
    }
    body.unwrap_or_else(|_| Err(Problem::new(Code::RequestTimeout)))
}

/// So much memory is taken for a body on the word of its length alone.
const TRUSTED_BYTES: usize = 256 << 10;

/// So many bytes any body may take, and so many more are taken at once out of what there is for all.
const FREE_BYTES: usize = 64 << 10;
const MORE_BYTES: usize = 256 << 10;

async fn collect(
    request: &HttpRequest,
    payload: &mut dev::Payload,
    announced: usize,
    limit: usize,
) -> Result<Bytes, Problem> {
    let (notes, mut granted) = (Notes::of(request), FREE_BYTES);
    let mut body = BytesMut::with_capacity(announced.min(TRUSTED_BYTES));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::detailed(Code::Malformed, "The body broke off before its end."))?;
        if body.len() + chunk.len() > limit {
            return Err(Problem::new(Code::PayloadTooLarge));
        }
        while body.len() + chunk.len() > granted {
            if notes.as_ref().is_some_and(|notes| !notes.take_body_bytes(MORE_BYTES)) {
                return Err(Problem::new(Code::Overloaded).retry_after(Duration::from_secs(1)));
            }
            granted += MORE_BYTES;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The media type of the body, in lower case and without parameters.
pub(super) fn media_type(request: &HttpRequest) -> Option<String> {
    let text = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// A body of JSON.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            check_json(&request)?;
            parse(&read(&request, &mut payload).await?).map(Self).map_err(Problem::from)
        })
    }
}

/// A batch as a body of JSON.
#[derive(Debug)]
pub(super) struct JsonBatch<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest for JsonBatch<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            check_json(&request)?;
            parse(&read_batch(&request, &mut payload).await?).map(Self).map_err(Problem::from)
        })
    }
}

fn check_json(request: &HttpRequest) -> Result<(), Problem> {
    let is_json = |media: String| media == "application/json" || media.ends_with("+json");
    if media_type(request).is_some_and(is_json) { Ok(()) } else { Err(Problem::new(Code::UnsupportedMediaType)) }
}

/// What is read from an object alone: serde would take an array of its members' values for it as well.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

/// One of a batch is no larger than it may be alone.
///
/// # Errors
/// [`Error::TooLarge`].
pub(super) fn check_size(item: &RawValue, gateway: &Gateway) -> Result<(), Error> {
    if item.get().len() <= gateway.server.max_body_bytes {
        return Ok(());
    }
    Err(Error::TooLarge("It is larger than the gateway reads alone. Send less, or have server.max_body_bytes raised."))
}

/// Texts by name, none of them named twice: serde alone would take the last.
pub(super) fn unique<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    deserializer.deserialize_map(UniqueVisitor)
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = entries.next_entry()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate field: a name comes twice"));
            }
        }
        Ok(members)
    }
}

/// A list of which no more than so many items are kept, however many there are: millions of tiny ones would take a multiple of the
/// bytes that they came in.
#[derive(Debug)]
pub(super) struct AtMost<T, const MOST: usize> {
    /// The first of them.
    pub(super) items: Vec<T>,
    /// How many there were.
    pub(super) count: usize,
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for AtMost<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AtMostVisitor(PhantomData))
    }
}

struct AtMostVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for AtMostVisitor<T, MOST> {
    type Value = AtMost<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < MOST {
            let Some(item) = sequence.next_element()? else { break };
            items.push(item);
        }
        let mut count = items.len();
        while items.len() == MOST && sequence.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(AtMost { items, count })
    }
}

/// Reads JSON.
///
/// # Errors
/// [`Error::Malformed`] with a pointer to the fault.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    // Only what has a fault is read once more, keeping track of where it is.
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let fault = match serde_path_to_error::deserialize(&mut json) {
        Ok(value) => match json.end() {
            Ok(()) => return Ok(value),
            Err(error) => fault(String::new(), &error),
        },
        Err(error) => fault(pointer(error.path()), error.inner()),
    };
    Err(Error::Malformed { detail: explain(&fault), faults: vec![fault] })
}

fn fault(pointer: String, error: &serde_json::Error) -> Fault {
    let detail = error.to_string();
    let code = match () {
        () if !error.is_data() => "invalid_json",
        () if detail.starts_with("unknown field") => "unknown_field",
        () if detail.starts_with("missing field") => "missing_field",
        () if detail.starts_with("duplicate field") => "duplicate_field",
        () if detail.starts_with("invalid type") => "wrong_type",
        () => "invalid_value",
    };
    let pointer = if code == "invalid_json" { String::new() } else { pointer };
    Fault { pointer, code, detail }
}

fn explain(fault: &Fault) -> String {
    match fault.code {
        "invalid_json" => "The body is not JSON.".into(),
        _ => format!("The body does not have the expected form: {}.", fault.detail),
    }
}

/// A path as JSON Pointer, RFC 6901.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", pointer_token(key)),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}
