//! The data directory: owned by one process at a time, readable by its user alone, with the secrets made on first start.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::core::entropy::Entropy;
use crate::core::error::Misconfiguration;
use crate::oauth::clients::generate_secret;

/// The file in it that has the secret of the demo client.
pub const DEMO_SECRET: &str = "demo-secret";
/// The secret that tokens are signed with when none is configured.
const ISSUER_SECRET: &str = "issuer-secret";
/// What is shorter was not made here, or not written whole.
const SHORTEST: usize = 32;
const LOCK: &str = "anteroom.lock";
/// What to do about a folder that can not be used.
const NAME_ONE: &str = "Name a folder that the gateway's user can write to";

/// The data directory, and with a lock on it.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Held as long as the process lives; the operating system lets go of it whatever ends the process.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if need be (0700) and takes the lock.
    ///
    /// # Errors
    /// It can not be made or written to, or another process has it.
    pub fn open(path: &Path) -> Result<Self, Misconfiguration> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
            let problem = format!("{} can not be made: {error}", path.display());
            Misconfiguration::new("server.data_dir", problem, NAME_ONE)
        })?;
        Self::claim(path, "Stop the other gateway, or give this one a data_dir of its own")
    }

    /// Takes the lock of the directory that there is, for a command that does its work in a gateway's place.
    ///
    /// # Errors
    /// It can not be written to, or another process has it.
    pub(super) fn open_existing(path: &Path) -> Result<Self, Misconfiguration> {
        Self::claim(path, "Stop the gateway first")
    }

    /// Takes the lock; `remedy` is what to do when another has it.
    fn claim(path: &Path, remedy: &str) -> Result<Self, Misconfiguration> {
        let unusable = |problem: String| {
            Misconfiguration::new("server.data_dir", format!("{} {problem}", path.display()), NAME_ONE)
        };
        let options = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).to_owned();
        let lock =
            options.open(path.join(LOCK)).map_err(|error| unusable(format!("can not be written to: {error}")))?;
        match crate::lock::lock(&lock) {
            Ok(()) => Ok(Self { path: path.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let problem = format!("{} is in use by another gateway process", path.display());
                Err(Misconfiguration::new("server.data_dir", problem, remedy))
            }
            Err(TryLockError::Error(error)) => Err(unusable(format!("can not be locked: {error}"))),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the secret that tokens are signed with, unless it is kept already.
    ///
    /// # Errors
    /// The file can not be read or written, or has another secret by now.
    pub fn keep_issuer_secret(&self, secret: &SecretString) -> Result<(), Misconfiguration> {
        let kept = read_or_make(&self.path.join(ISSUER_SECRET), || secret.clone())?;
        if kept.expose_secret() == secret.expose_secret() {
            return Ok(());
        }
        let problem = format!("{} has just got a secret from another gateway", self.path.display());
        Err(Misconfiguration::new("server.data_dir", problem, "Start again"))
    }

    /// The secret of the demo client; made if there is none yet.
    ///
    /// # Errors
    /// The file can not be read or written.
    pub fn demo_secret(&self, entropy: &dyn Entropy) -> Result<SecretString, Misconfiguration> {
        read_or_make(&self.path.join(DEMO_SECRET), || generate_secret(entropy))
    }
}

/// The signing secret that a gateway on `path` has made, if it has.
///
/// # Errors
/// The file can not be read, or what is in it is not what a gateway writes.
pub(super) fn existing_issuer_secret(path: &Path) -> Result<Option<SecretString>, Misconfiguration> {
    existing(&path.join(ISSUER_SECRET))
}

fn existing(path: &Path) -> Result<Option<SecretString>, Misconfiguration> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(inaccessible(path, &error)),
    };
    let secret = text.trim_end();
    if secret.len() < SHORTEST {
        let problem = format!("{} has {} characters, and at least {SHORTEST} are needed", path.display(), secret.len());
        let remedy = "Restore it from a backup, or remove it: a new one is made on the next start";
        return Err(Misconfiguration::new("server.data_dir", problem, remedy));
    }
    Ok(Some(secret.to_owned().into()))
}

fn read_or_make(path: &Path, secret: impl FnOnce() -> SecretString) -> Result<SecretString, Misconfiguration> {
    match existing(path)? {
        Some(secret) => Ok(secret),
        None => make(path, secret()).map_err(|error| inaccessible(path, &error)),
    }
}

fn inaccessible(path: &Path, error: &io::Error) -> Misconfiguration {
    let problem = format!("{} can not be read or made: {error}", path.display());
    Misconfiguration::new("server.data_dir", problem, "Let the gateway's user own the folder and what is in it")
}

/// Written beside its place and moved there whole, so that a crash leaves no half of a secret behind.
fn make(path: &Path, secret: SecretString) -> io::Result<SecretString> {
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(secret.expose_secret().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
    Ok(secret)
}
