//! The program at a terminal of its own: what a person sees there, and what they type.

use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use anteroom::app::SystemClock;
use anteroom::core::clock::Clock;
use pty_process::Size;
use pty_process::blocking::{self, Pty};
use vt100::Parser;

use crate::patience::{PATIENCE, sent};

/// Wide enough for a line that names a temporary folder.
const COLUMNS: u16 = 200;
const ROWS: u16 = 24;

/// A terminal in which a program runs; dropping it kills the program.
pub(crate) struct Terminal {
    process: Child,
    pty: Arc<Pty>,
    chunks: Receiver<Vec<u8>>,
    parser: Parser,
    told: Vec<u8>,
    clock: SystemClock,
}

/// How it has ended.
pub(crate) struct Session {
    /// The exit code; none after a signal.
    pub(crate) code: Option<i32>,
    /// What is left on the screen.
    pub(crate) screen: String,
    /// Everything that was written, escape codes too.
    pub(crate) told: String,
    /// Where the cursor is: row and column; and whether it is hidden.
    pub(crate) cursor: ((u16, u16), bool),
}

impl Terminal {
    /// Runs a command there.
    pub(crate) fn run(command: &Command) -> Self {
        let (pty, pts) = blocking::open().unwrap();
        pty.resize(Size::new(ROWS, COLUMNS)).unwrap();
        let mut copy = blocking::Command::new(command.get_program()).args(command.get_args()).env("TERM", "xterm");
        for (name, value) in command.get_envs() {
            copy = match value {
                Some(value) => copy.env(name, value),
                None => copy.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            copy = copy.current_dir(folder);
        }
        let process = copy.spawn(pts).unwrap();
        let (pty, (send, chunks)) = (Arc::new(pty), mpsc::channel());
        let reading = Arc::clone(&pty);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // It fails once nobody has the terminal any more.
            while let Ok(count @ 1..) = (&*reading).read(&mut buffer) {
                if send.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let parser = Parser::new(ROWS.try_into().unwrap(), COLUMNS.try_into().unwrap(), 0);
        Self { process, pty, chunks, parser, told: Vec::new(), clock: SystemClock::start() }
    }

    /// What is on the screen now.
    pub(crate) fn screen(&self) -> String {
        self.parser.screen().contents().trim_end().to_owned()
    }

    /// Waits until these words are on the screen.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, words: &str) {
        while !self.screen().contains(words) {
            assert!(self.learn(), "it has ended without {words:?}:\n{}", self.screen());
        }
    }

    /// Types this.
    pub(crate) fn write(&self, text: &str) {
        (&*self.pty).write_all(text.as_bytes()).unwrap();
    }

    /// Waits until the program has ended.
    pub(crate) fn end(mut self) -> Session {
        while self.learn() {}
        let code = self.process.wait().unwrap().code();
        let screen = self.parser.screen();
        Session {
            code,
            screen: self.screen(),
            told: String::from_utf8(self.told.clone()).unwrap(),
            cursor: (screen.cursor_position(), screen.hide_cursor()),
        }
    }

    /// Takes in what comes next; whether anything does.
    #[track_caller]
    fn learn(&mut self) -> bool {
        assert!(self.clock.monotonic() < PATIENCE * 2, "it does not end:\n{}", self.screen());
        let Some(chunk) = sent(&self.chunks) else { return false };
        self.parser.process(&chunk);
        self.told.extend(chunk);
        true
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Session {
    /// The escape codes that were written, each once.
    pub(crate) fn escape_codes(&self) -> Vec<&str> {
        let mut codes: Vec<_> = self
            .told
            .split('\x1b')
            .skip(1)
            .map(|rest| {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).map_or(rest.len(), |at| at + 1);
                &rest[..end]
            })
            .collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}
