//! The names of events on the wire: `request.` and a status.

use crate::core::request::Status;
use crate::core::webhook::EVENT_PREFIX;

/// The statuses that these names stand for; no name at all stands for the terminal ones.
///
/// # Errors
/// The place of the name that is none, and what is wrong with it.
pub(super) fn parse(names: &[String]) -> Result<Vec<Status>, (usize, String)> {
    if names.is_empty() {
        return Ok(Status::ALL.into_iter().filter(|status| status.is_terminal()).collect());
    }
    let mut statuses = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let status = name.strip_prefix(EVENT_PREFIX).and_then(|status| status.parse().ok());
        let known = || Status::ALL.map(self::name).join(", ");
        let status =
            status.ok_or_else(|| (place, format!("\"{}\" is not one of {}", name.escape_default(), known())))?;
        if !statuses.contains(&status) {
            statuses.push(status);
        }
    }
    Ok(statuses)
}

/// The name of the event that a request has come into that status.
pub fn name(status: Status) -> String {
    format!("{EVENT_PREFIX}{status}")
}
