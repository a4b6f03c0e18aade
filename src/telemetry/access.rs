//! The access log: one line for every exchange. It stands beside the event log, with the same format and level, because it is the one
//! line that every request pays for: so each thread gathers the lines of what it does at one time, and hands them over together.

use std::cell::RefCell;
use std::io::Write as _;

use super::logs::LogFormat;

mod exchange;

pub use exchange::Exchange;

/// Where access lines go.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog(LogFormat);

impl AccessLog {
    /// A log in this format.
    pub fn new(format: LogFormat) -> Self {
        Self(format)
    }

    /// Writes the line, if its level is logged. Answers whether it is the first that waits on this thread: then [`flush`] has to be
    /// called, as soon as there is nothing else to do at once.
    #[must_use]
    pub fn write(self, exchange: &Exchange<'_>) -> bool {
        let (level, enabled) = if exchange.is_routine {
            ("DEBUG", tracing::enabled!(tracing::Level::DEBUG))
        } else {
            ("INFO", tracing::enabled!(tracing::Level::INFO))
        };
        enabled
            && LINES.with_borrow_mut(|Lines(lines)| {
                let is_first = lines.is_empty();
                // Writing to a string does not fail.
                let _ = match self.0 {
                    LogFormat::Json => exchange.as_json(level, lines),
                    LogFormat::Pretty => exchange.as_text(level, lines),
                };
                if lines.len() >= MOST_WAITING {
                    hand_over(lines);
                }
                is_first
            })
    }
}

/// Hands the lines of this thread that wait to standard error.
pub fn flush() {
    LINES.with_borrow_mut(|Lines(lines)| hand_over(lines));
}

/// So many bytes of lines wait at most.
const MOST_WAITING: usize = 32 << 10;

/// The lines of a thread that wait. Should it end, they do not go with it.
struct Lines(String);

impl Drop for Lines {
    fn drop(&mut self) {
        hand_over(&mut self.0);
    }
}

thread_local! {
    static LINES: RefCell<Lines> = const { RefCell::new(Lines(String::new())) };
}

fn hand_over(lines: &mut String) {
    // Where standard error is gone, there is nobody left to tell.
    let _ = std::io::stderr().write_all(lines.as_bytes());
    lines.clear();
    // What one burst took need not be kept for ever.
    lines.shrink_to(MOST_WAITING);
}
