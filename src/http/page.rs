//! The pages of a list: an opaque cursor, bound to the filter that it was made for, and the link to the next page.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::code::Code;
use super::problem::Problem;
use crate::core::clock::Timestamp;
use crate::core::ports::requests::Position;
use crate::core::request::Request;

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

/// RFC 8288: the same query with the next cursor; `list` is the address of the list.
pub(super) fn next_link(list: &str, query: &str, cursor: &str) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query = kept.map(str::to_owned).chain([format!("cursor={cursor}")]).collect::<Vec<_>>().join("&");
    format!("<{list}?{query}>; rel=\"next\"")
}
