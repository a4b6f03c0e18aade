//! A new password: typed twice at the terminal without being shown, or the first line of standard input.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString};
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;

/// More than any password has: the gateway says what is wrong with one that is longer.
const LONGEST_LINE: u64 = 8 << 10;

/// Asks for it. It is never an argument, which everybody on the machine could read.
pub(super) fn new_password() -> Result<SecretString, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(line(io::stdin().lock())?.unwrap_or_default());
    }
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let password = runtime.block_on(async {
        // It would end the program before the terminal shows again what is typed.
        let mut interruptions = signal(SignalKind::interrupt())?;
        let hidden = Hidden::begin(terminal.try_clone()?)?;
        tokio::select! {
            biased;
            password = tokio::task::spawn_blocking(move || twice(&terminal)) => password.map_err(io::Error::from)?,
            _ = interruptions.recv() => {
                writeln!(&hidden.terminal)?;
                Err(Failure::interrupted())
            }
        }
    });
    // What reads can not be broken off, and ends with the program.
    runtime.shutdown_background();
    password
}

fn twice(terminal: &File) -> Result<SecretString, Failure> {
    let mut lines = BufReader::new(terminal);
    let mut ask = |prompt: &str| {
        let mut out = terminal;
        write!(out, "{prompt}: ").and_then(|()| out.flush())?;
        if let Some(password) = line(&mut lines)? {
            return Ok(password);
        }
        writeln!(out)?;
        Err(Failure::Failed("no password was typed; nothing was done".into()))
    };
    let (password, again) = (ask("Password")?, ask("Once more")?);
    if password.expose_secret() == again.expose_secret() {
        Ok(password)
    } else {
        Err(Failure::Failed("the two passwords differ; nothing was done".into()))
    }
}

/// The next line without its end; none when there is nothing more.
fn line(from: impl BufRead) -> io::Result<Option<SecretString>> {
    let mut line = String::new();
    let count = from.take(LONGEST_LINE).read_line(&mut line)?;
    Ok((count > 0).then(|| line.trim_end_matches(['\r', '\n']).into()))
}

/// The terminal shows nothing of what is typed but the ends of lines, until this is dropped.
struct Hidden {
    terminal: File,
    before: Termios,
}

impl Hidden {
    fn begin(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        // What was typed before, and shown, is no password.
        tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Where the terminal is gone there is nothing to put right.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
