//! How long what is issued may live.

use std::time::Duration;

use crate::core::own_tokens::LONGEST_LIFE;
use crate::core::period::Period;

/// The times in a token are whole seconds.
const SHORTEST: Duration = Duration::from_secs(1);

/// Whether a token can live so long.
///
/// # Errors
/// What is wrong, to be put after the key.
pub(super) fn judge(lifetime: Period) -> Result<(), &'static str> {
    if lifetime.duration() < SHORTEST {
        return Err("is less than a second, so that a token would be expired as soon as it is given");
    }
    if lifetime.duration() > LONGEST_LIFE {
        return Err("is longer than 366 days, and what is revoked is remembered for no longer");
    }
    Ok(())
}
