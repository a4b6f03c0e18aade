//! The rules for a client's own labels on a request.

use crate::core::error::{Error, Fault, pointer_token};
use crate::core::request::Tags;

const MOST: usize = 20;
const LONGEST_KEY: usize = 40;
const LONGEST_VALUE: usize = 200;

/// At most 20, keys of `[a-z0-9_.-]{1,40}`, values of up to 200 characters.
pub(super) fn check(tags: &Tags) -> Result<(), Error> {
    let mut faults = Vec::new();
    if tags.len() > MOST {
        let detail = format!("{} tags, and at most {MOST} are kept", tags.len());
        faults.push(Fault { pointer: "/tags".into(), code: "too_many", detail });
    }
    // Of too many, the first are enough to tell.
    for (key, value) in tags.iter().take(MOST) {
        let pointer = || format!("/tags/{}", pointer_token(key));
        if !is_key(key) {
            let detail = format!("a key has 1 to {LONGEST_KEY} characters out of a-z, 0-9, \"_\", \".\" and \"-\"");
            faults.push(Fault { pointer: pointer(), code: "invalid_key", detail });
        }
        if value.chars().count() > LONGEST_VALUE {
            let detail = format!("a value has at most {LONGEST_VALUE} characters");
            faults.push(Fault { pointer: pointer(), code: "too_long", detail });
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::Malformed { detail: "The tags break a rule; see errors for each.".into(), faults })
}

fn is_key(key: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-');
    (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(allowed)
}
