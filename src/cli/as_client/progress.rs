//! A line that tells what is being waited for: on a terminal it moves, elsewhere each change is a line of its own.

use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::core::clock::Clock;

const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const TICK: Duration = Duration::from_millis(100);

/// A line on standard error.
pub(super) struct Progress {
    clock: Arc<dyn Clock>,
    began: Duration,
    kind: Kind,
    frame: usize,
    /// What was told last.
    told: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Silent,
    Lines,
    Moving,
}

impl Progress {
    /// One that moves only where nothing else is told.
    pub(super) fn new(clock: Arc<dyn Clock>, quiet: bool, debug: bool) -> Self {
        // One that is dumb obeys no escape code.
        let moves = !debug && io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let kind = match (quiet, moves) {
            (true, _) => Kind::Silent,
            (false, true) => Kind::Moving,
            (false, false) => Kind::Lines,
        };
        Self { began: clock.monotonic(), clock, kind, frame: 0, told: String::new() }
    }

    /// Tells that while the work goes on.
    pub(super) async fn during<T>(&mut self, what: &str, work: impl Future<Output = T>) -> T {
        if self.kind != Kind::Moving {
            self.change(what);
            return work.await;
        }
        let mut work = pin!(work);
        let _line = Line;
        loop {
            self.draw(what);
            tokio::select! {
                done = &mut work => return done,
                () = self.clock.sleep(TICK) => {}
            }
        }
    }

    fn change(&mut self, what: &str) {
        if self.kind == Kind::Lines && self.told != what {
            what.clone_into(&mut self.told);
            // Where standard error is gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "{what}");
        }
    }

    fn draw(&mut self, what: &str) {
        self.frame = (self.frame + 1) % FRAMES.len();
        let seconds = self.clock.monotonic().saturating_sub(self.began).as_secs();
        let what: String = what.chars().take(60).collect();
        let mut out = io::stderr().lock();
        let _ = write!(out, "\r{} {what} ({seconds} s)\x1b[K", FRAMES[self.frame]).and_then(|()| out.flush());
    }
}

/// A line that moves; it goes when the work is done or broken off.
struct Line;

impl Drop for Line {
    fn drop(&mut self) {
        let mut out = io::stderr().lock();
        let _ = write!(out, "\r\x1b[K").and_then(|()| out.flush());
    }
}
