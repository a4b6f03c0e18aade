//! The pages of a list: an opaque cursor, bound to the filter that it was made for, and the link to the next page.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::web::Query;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use utoipa::IntoParams;

use super::code::Code;
use super::problem::Problem;
use crate::core::clock::Timestamp;
use crate::core::ports::requests::Position;
use crate::core::request::Request;

/// On a page of a list by keys.
const MOST: usize = 200;
const USUAL: usize = 50;
const LONGEST_KEY: usize = 512;

/// Takes away what was read to see whether there is more, and answers the cursor of the next page if there is.
pub(super) fn cut<T>(
    items: &mut Vec<T>,
    limit: usize,
    filter: &impl fmt::Debug,
    of: impl Fn(&T) -> &Request,
) -> Option<String> {
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more).map(of)?;
    Some(cursor(Position { submitted_at: last.submitted_at, id: last.id }, filter))
}

/// A position in the list, bound to the filter it was made for. Opaque: its content may change.
fn cursor(position: Position, filter: &impl fmt::Debug) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}.{:08x}", position.submitted_at.millis(), position.id, fingerprint(filter)))
}

/// The position that a cursor names.
///
/// # Errors
/// 400 when it belongs to another filter, or is none.
pub(super) fn position(cursor: &str, filter: &impl fmt::Debug) -> Result<Position, Problem> {
    let parse = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let mut parts = text.split('.');
        let submitted_at = Timestamp::from_millis(parts.next()?.parse().ok()?);
        let id = parts.next()?.parse().ok()?;
        let bound_to = u32::from_str_radix(parts.next()?, 16).ok()?;
        Some((Position { submitted_at, id }, bound_to))
    };
    let refused = |detail: &str| Err(Problem::detailed(Code::Malformed, detail));
    match parse() {
        Some((position, bound_to)) if bound_to == fingerprint(filter) => Ok(position),
        Some(_) => refused("The cursor belongs to other filters: send those of the page that it came with."),
        None => refused("The cursor is not one that a page of this list answered."),
    }
}

fn fingerprint(filter: &impl fmt::Debug) -> u32 {
    crc32fast::hash(format!("{filter:?}").as_bytes())
}

/// Which page of a list that is in the order of keys.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct KeyQuery {
    /// The most items on a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, value_type = Option<usize>)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The part of such a list that a query asks for.
pub(super) struct KeyRange {
    /// At most so many.
    pub(super) limit: usize,
    /// Those behind this key.
    pub(super) after: Option<String>,
}

impl KeyRange {
    /// What the query of a request asks for.
    ///
    /// # Errors
    /// 400 when it has other parameters, or what they do not take.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let malformed = |detail: &str| Problem::detailed(Code::Malformed, detail);
        let query = Query::<KeyQuery>::from_query(request.query_string())
            .map_err(|_| malformed("The query can not be read: its parameters are `limit` and `cursor`, each once."))?
            .into_inner();
        let limit =
            query.limit.map_or(Ok(USUAL), |limit| limit.parse()).ok().filter(|limit| (1..=MOST).contains(limit));
        let limit = limit.ok_or_else(|| malformed(&format!("The parameter limit is not between 1 and {MOST}.")))?;
        let strange = || malformed("The cursor is not one that a page of this list answered.");
        let after = query.cursor.map(|cursor| key_in(&cursor).ok_or_else(strange)).transpose()?;
        Ok(Self { limit, after })
    }

    /// Takes away what was read beyond the limit, to see whether there is more, and answers the cursor of the next page if there is.
    pub(super) fn cut<T>(&self, items: &mut Vec<T>, key: impl Fn(&T) -> &str) -> Option<String> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        items.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(key(last)))
    }
}

/// The key after which a page begins.
fn key_in(cursor: &str) -> Option<String> {
    let key = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    (key.len() <= LONGEST_KEY && !key.contains('\0')).then_some(key)
}

/// RFC 8288: the same query with the next cursor; `list` is the address of the list.
pub(super) fn next_link(list: &str, query: &str, cursor: &str) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query = kept.map(str::to_owned).chain([format!("cursor={cursor}")]).collect::<Vec<_>>().join("&");
    format!("<{list}?{query}>; rel=\"next\"")
}
