//! The token that a person has logged in for, kept in a file for that person alone.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{misused, printable};
use crate::cli::Failure;
use crate::core::clock::Timestamp;
use crate::secret::Source;

/// What is kept. It is not printed: it has no `Debug`.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    /// The gateway that it is shown to.
    pub(super) gateway: String,
    pub(super) issuer: String,
    pub(super) token_endpoint: String,
    pub(super) client_id: String,
    /// Where the client's secret is, if it has one.
    pub(super) client_secret: Option<Source>,
    /// Whether that goes by HTTP Basic.
    pub(super) basic: bool,
    pub(super) access_token: String,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) refresh_token: Option<String>,
}

/// The folder in which it is kept: `anteroom` in the user's state folder.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// That of this user: in `XDG_STATE_HOME`, else in `~/.local/state`.
    pub(super) fn of_user() -> Result<Self, Failure> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        let none = || misused("HOME", "is not set, so there is no place for the token", "Set HOME or XDG_STATE_HOME");
        state.map(|state| Self(state.join("anteroom"))).ok_or_else(none)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("token.json")
    }

    /// Makes it where there is none, and keeps every other command from changing it until what is answered is dropped; nothing while
    /// another does so. To be had before a refresh, too: a refresh token that is used twice is taken for stolen.
    pub(super) fn try_lock(&self) -> Result<Option<File>, Failure> {
        let lock = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
            // One that was there before may have been open to others.
            if self.0.metadata()?.permissions().mode() & 0o077 != 0 {
                std::fs::set_permissions(&self.0, Permissions::from_mode(0o700))?;
            }
            let file =
                OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.0.join("lock"))?;
            match file.try_lock() {
                Ok(()) => Ok(Some(file)),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(error),
            }
        };
        lock().map_err(|error| unusable(&self.0, &error))
    }

    pub(super) fn read(&self) -> Result<Option<Kept>, Failure> {
        let file = self.file();
        let text = match std::fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&file, &error)),
        };
        let shown = file.display();
        let damaged = |_| Failure::Failed(format!("{shown} is not what `anteroom login` writes: remove it and log in"));
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }

    /// Written beside its place and moved there whole.
    pub(super) fn write(&self, kept: &Kept) -> Result<(), Failure> {
        let (file, draft) = (self.file(), self.0.join("token.new"));
        let write = || {
            // One that was left behind could have been made by a program that lets others read it.
            let _ = std::fs::remove_file(&draft);
            let mut new = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?;
            new.write_all(&serde_json::to_vec_pretty(kept)?)?;
            new.sync_all()?;
            std::fs::rename(&draft, &file)
        };
        write().map_err(|error| unusable(&file, &error))
    }
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("{} can not be read or written: {error}", printable(&path.display().to_string())))
}
