//! The rules for the times that a client gives a request: from when on it may start, and by when it must be done.

use std::time::Duration;

use crate::core::clock::Timestamp;
use crate::core::error::{Error, Fault};

/// How far ahead a start may lie.
const FARTHEST: Duration = Duration::from_hours(366 * 24);

/// A start lies at most a year ahead, and a deadline after it and after now.
pub(super) fn check(not_before: Option<Timestamp>, deadline: Option<Timestamp>, now: Timestamp) -> Result<(), Error> {
    let fault = |pointer: &str, detail: &str| Fault {
        pointer: pointer.into(),
        code: "out_of_range",
        detail: format!("{detail}; now it is {now}"),
    };
    let mut faults = Vec::new();
    if not_before.is_some_and(|not_before| not_before > now.plus(FARTHEST)) {
        faults.push(fault("/not_before", "it lies more than a year ahead"));
    }
    if deadline.is_some_and(|deadline| deadline <= not_before.map_or(now, |not_before| not_before.max(now))) {
        faults.push(fault("/deadline", "it does not lie after now and after `not_before`"));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::Malformed { detail: "The times of the request break a rule; see errors for each.".into(), faults })
}
